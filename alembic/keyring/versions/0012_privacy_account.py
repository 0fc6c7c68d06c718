"""The privacy account: numbered lines, sealed.

Revision 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SMALLEST = 356


def upgrade() -> None:
    magic = (
        "substr(sealed, 1, 4) = X'43560101'"
        if op.get_bind().dialect.name == "sqlite"
        else "substring(sealed from 1 for 4) = '\\x43560101'::bytea"
    )
    op.create_table(
        "privacy_charge",
        sa.Column("cohort_year", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("cohort_year", "number", name=op.f("pk_privacy_charge")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f("ck_privacy_charge_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_privacy_charge_epoch"), "privacy_charge", ["epoch"])


def downgrade() -> None:
    op.drop_table("privacy_charge")
