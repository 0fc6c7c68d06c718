"""Matters of cases (holds, rights), and versions of the retention schedule.

Revision 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_SMALLEST = 356


def upgrade() -> None:
    magic = (
        "substr(sealed, 1, 4) = X'43560101'"
        if op.get_bind().dialect.name == "sqlite"
        else "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    )
    _create("matter", magic, _matter(), "id")
    op.create_index(op.f("ix_matter_object_id"), "matter", ["object_id"])
    version = sa.Column("version", sa.Integer, autoincrement=False, nullable=False)
    _create("retention_schedule", magic, [version], "version")


def downgrade() -> None:
    op.drop_table("retention_schedule")
    op.drop_table("matter")


def _matter() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("object_id", sa.Uuid, nullable=False),
    ]


def _create(name: str, magic: str, columns: list[sa.Column], key: str) -> None:
    op.create_table(
        name,
        *columns,
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{name}")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f(f"ck_{name}_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f(f"ix_{name}_epoch"), name, ["epoch"])
