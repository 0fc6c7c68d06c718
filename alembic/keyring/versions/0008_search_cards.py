"""Keys of search cards, and how often somebody searched.

Revision 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SMALLEST = 356


def upgrade() -> None:
    _create(
        "card_keys",
        sa.Column("directory_id", sa.Uuid, nullable=False),
        sa.Column("page", sa.Integer, nullable=False),
    )
    _create("search_count", sa.Column("staff_id", sa.Uuid, nullable=False))


def _create(name: str, *lookup: sa.Column) -> None:
    magic = (
        "substr(sealed, 1, 4) = X'43560101'"
        if op.get_bind().dialect.name == "sqlite"
        else "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    )
    op.create_table(
        name,
        *lookup,
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(*(one.name for one in lookup), name=op.f(f"pk_{name}")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f(f"ck_{name}_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f(f"ix_{name}_epoch"), name, ["epoch"])


def downgrade() -> None:
    op.drop_table("search_count")
    op.drop_table("card_keys")
