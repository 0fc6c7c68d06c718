"""From what due dates follow, indexes over them, and certificates of erasure.

Revision 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_DUE = ("due_identity", "due_narrative", "due_facts")
_NEW = ("counted_from", "of_age", "not_before", "not_after")


def upgrade() -> None:
    for name in _NEW:
        op.add_column("case_file", sa.Column(name, sa.String(10), nullable=True))
    op.add_column("case_file", sa.Column("schedule", sa.Integer, nullable=True))
    for name in (*_DUE, "schedule"):
        op.create_index(op.f(f"ix_case_file_{name}"), "case_file", [name])
    op.create_table(
        "certificate",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("certificate")
    for name in (*_DUE, "schedule"):
        op.drop_index(op.f(f"ix_case_file_{name}"), "case_file")
    for name in (*_NEW, "schedule"):
        op.drop_column("case_file", name)
