"""Search cards: what a team's members find people by.

Revision 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
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
        "search_card",
        sa.Column("team_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("team_id", "id", name=op.f("pk_search_card")),
        sa.CheckConstraint("length(id) = 16", name=op.f("ck_search_card_id")),
        sa.CheckConstraint(
            f"{magic} AND length(sealed) >= {_SMALLEST}", name=op.f("ck_search_card_sealed")
        ),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("search_card")
