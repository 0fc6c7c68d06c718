"""Cases whose data is there and whose keys are not.

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quarantine",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.String(7), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_quarantine_case_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_quarantine")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("quarantine")
