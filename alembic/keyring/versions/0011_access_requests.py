"""Who asked for a case and why, and what its holders said about it.

Revision 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SMALLEST = 356


def upgrade() -> None:
    magic = (
        "substr(sealed, 1, 4) = X'43560101'"
        if op.get_bind().dialect.name == "sqlite"
        else "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    )
    op.create_table(
        "access_request",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_request")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f("ck_access_request_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_access_request_object_id"), "access_request", ["object_id"])
    op.create_index(op.f("ix_access_request_epoch"), "access_request", ["epoch"])


def downgrade() -> None:
    op.drop_table("access_request")
