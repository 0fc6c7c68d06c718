"""Attached files: their sealed bytes in pieces.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_piece",
        sa.Column("file_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.Column("compartment", sa.String(16), nullable=False),
        sa.Column("piece", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_file_piece_case_id")),
        sa.PrimaryKeyConstraint("file_id", "number", name=op.f("pk_file_piece")),
        sa.CheckConstraint("number >= 0", name=op.f("ck_file_piece_number")),
        sa.CheckConstraint(
            "length(piece) > 0 AND length(piece) <= 65536", name=op.f("ck_file_piece_piece")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_file_piece_case_id"), "file_piece", ["case_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_file_piece_case_id"), table_name="file_piece")
    op.drop_table("file_piece")
