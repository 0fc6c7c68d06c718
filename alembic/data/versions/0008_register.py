"""The programme register: what the organisation did, plain, every version kept.

Revision 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "register_entry",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("stamp", sa.LargeBinary(36), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_register_entry")),
        sa.CheckConstraint("length(stamp) = 36", name=op.f("ck_register_entry_stamp")),
    )


def downgrade() -> None:
    op.drop_table("register_entry")
