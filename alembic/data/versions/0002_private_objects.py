"""Private objects: drafts, refused lines of an import, feeds.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# 84 header bytes, the smallest bucket of 256 and the tag of 16.
_SMALLEST = 356


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    magic = "substr(sealed, 1, 4)" if sqlite else "substring(sealed from 1 for 4)"
    bytes_ = "X'43560101'" if sqlite else "'\\x43560101'::bytea"
    op.create_table(
        "private_object",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("erase_after", sa.String(10), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_private_object")),
        # The database itself refuses what does not even look sealed.
        sa.CheckConstraint(
            f"{magic} = {bytes_} AND length(sealed) >= {_SMALLEST}",
            name=op.f("ck_private_object_sealed"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_private_object_erase_after"), "private_object", ["erase_after"])


def downgrade() -> None:
    op.drop_table("private_object")
