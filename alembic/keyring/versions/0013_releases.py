"""Releases, and keys of facts wrapped symmetrically for counting.

Revision 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_SMALLEST = 356


def upgrade() -> None:
    magic = (
        "substr(sealed, 1, 4) = X'43560101'"
        if op.get_bind().dialect.name == "sqlite"
        else "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    )
    keys = {
        "release": sa.Column("id", sa.Uuid, nullable=False),
        "counting_keys": sa.Column("page", sa.Integer, autoincrement=False, nullable=False),
    }
    for name, key in keys.items():
        op.create_table(
            name,
            key,
            sa.Column("epoch", sa.Integer, nullable=False),
            sa.Column("sealed", sa.LargeBinary, nullable=False),
            sa.PrimaryKeyConstraint(key.name, name=op.f(f"pk_{name}")),
            sa.CheckConstraint(
                f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f(f"ck_{name}_sealed")
            ),
            sqlite_with_rowid=False,
        )
        op.create_index(op.f(f"ix_{name}_epoch"), name, ["epoch"])


def downgrade() -> None:
    op.drop_table("counting_keys")
    op.drop_table("release")
