"""Second factors: authenticators and printed one-time codes, each row sealed.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SMALLEST = 356


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        magic = "substr(sealed, 1, 4) = X'43560101'"
    else:
        magic = "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    op.create_table(
        "second_factor",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factor")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f("ck_second_factor_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_second_factor_epoch"), "second_factor", ["epoch"])
    op.create_index(op.f("ix_second_factor_staff_id"), "second_factor", ["staff_id"])


def downgrade() -> None:
    op.drop_table("second_factor")
