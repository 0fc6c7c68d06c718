"""What auditors keep: alerts and their reviews, sign-offs, what they let others know.

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Header, an empty bucket of 256 bytes, and the tag of AES-GCM (docs/formats/sealed.md).
_SMALLEST = 356


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    magic = "substr(sealed, 1, 4)" if sqlite else "substring(sealed from 1 for 4)"
    bytes_ = "X'43560101'" if sqlite else "'\\x43560101'::bytea"
    op.create_table(
        "audit_record",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("erase_after", sa.String(10), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_record")),
        sa.CheckConstraint(
            f"{magic} = {bytes_} AND length(sealed) >= {_SMALLEST}",
            name=op.f("ck_audit_record_sealed"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_audit_record_erase_after"), "audit_record", ["erase_after"])


def downgrade() -> None:
    op.drop_table("audit_record")
