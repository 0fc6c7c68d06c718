"""Lines of sources that were imported, as HMACs.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _exactly(column: str, length: int) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"length({column}) = {length}", name=op.f(f"ck_import_line_{column}"))


def upgrade() -> None:
    op.create_table(
        "import_line",
        sa.Column("line", sa.LargeBinary(36), nullable=False),
        sa.Column("became", sa.LargeBinary(36), nullable=False),
        sa.PrimaryKeyConstraint("line", name=op.f("pk_import_line")),
        _exactly("line", 36),
        _exactly("became", 36),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_import_line_became"), "import_line", ["became"])


def downgrade() -> None:
    op.drop_table("import_line")
