"""Dossiers of broken glass: who opened a case in an emergency, and the review.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
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
        "break_glass",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glass")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f("ck_break_glass_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_break_glass_object_id"), "break_glass", ["object_id"])
    op.create_index(op.f("ix_break_glass_epoch"), "break_glass", ["epoch"])


def downgrade() -> None:
    op.drop_table("break_glass")
