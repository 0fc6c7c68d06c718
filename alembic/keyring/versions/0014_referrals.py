"""Collect pages, and what comes in from outside.

Revision 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SMALLEST = 356


def upgrade() -> None:
    _table("collect_page")
    _table("arrival", sa.Column("kind", sa.String(16), nullable=False))


def _table(name: str, *more: sa.Column) -> None:
    magic = (
        "substr(sealed, 1, 4) = X'43560101'"
        if op.get_bind().dialect.name == "sqlite"
        else "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    )
    op.create_table(
        name,
        sa.Column("id", sa.Uuid, nullable=False),
        *more,
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f(f"ck_{name}_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f(f"ix_{name}_object_id"), name, ["object_id"])
    op.create_index(op.f(f"ix_{name}_epoch"), name, ["epoch"])


def downgrade() -> None:
    op.drop_table("arrival")
    op.drop_table("collect_page")
