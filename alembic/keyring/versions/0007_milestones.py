"""Milestones: when something last happened that people are to be reminded of.

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
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
        "milestone",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_milestone")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f("ck_milestone_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_milestone_epoch"), "milestone", ["epoch"])


def downgrade() -> None:
    op.drop_table("milestone")
