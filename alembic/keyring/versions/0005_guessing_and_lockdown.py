"""Guesses at passphrases, known devices, failures not yet on the log, lockdown: sealed rows.

Revision 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SMALLEST = 356
# Table → lookup columns (name, type) and the columns of its primary key.
_TABLES: dict[str, tuple[tuple[tuple[str, sa.types.TypeEngine], ...], tuple[str, ...]]] = {
    "guess": ((("slot", sa.Integer()),), ("slot",)),
    "device": ((("id", sa.LargeBinary(32)), ("staff_id", sa.Uuid())), ("id",)),
    "failure": ((("key", sa.LargeBinary(32)), ("minute", sa.BigInteger())), ("key", "minute")),
    "lockdown": ((("id", sa.Uuid()), ("kind", sa.String(16))), ("id",)),
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        magic = "substr(sealed, 1, 4) = X'43560101'"
    else:
        magic = "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    for name, (columns, key) in _TABLES.items():
        op.create_table(
            name,
            *(
                sa.Column(column, kind, nullable=False, autoincrement=False)
                for column, kind in columns
            ),
            sa.Column("epoch", sa.Integer, nullable=False),
            sa.Column("sealed", sa.LargeBinary, nullable=False),
            sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
            sa.CheckConstraint(
                f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f(f"ck_{name}_sealed")
            ),
            sqlite_with_rowid=False,
        )
        op.create_index(op.f(f"ix_{name}_epoch"), name, ["epoch"])
    op.create_index(op.f("ix_device_staff_id"), "device", ["staff_id"])


def downgrade() -> None:
    for name in reversed(_TABLES):
        op.drop_table(name)
