"""The cohort year of a release beside its files: what an account from an older copy has forgotten.

Empty in rows of before: nothing outside of the keyring says of which year those are.

Revision 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("release_payload", sa.Column("cohort_year", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("release_payload", "cohort_year")
