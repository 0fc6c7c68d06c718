"""Recovery envelopes: a person's secret sealed once more, under a code that they keep on paper.

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
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
        "recovery_envelope",
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_recovery_envelope")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f("ck_recovery_envelope_sealed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_recovery_envelope_epoch"), "recovery_envelope", ["epoch"])


def downgrade() -> None:
    op.drop_table("recovery_envelope")
