"""Deadlines that the service watches without a key.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
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
        "deadline",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f("ck_deadline_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_deadline_object_id"), "deadline", ["object_id"])
    op.create_index(op.f("ix_deadline_epoch"), "deadline", ["epoch"])


def downgrade() -> None:
    op.drop_table("deadline")
