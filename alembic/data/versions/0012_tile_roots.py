"""The roots of the ledger's tiles, beside their numbers: a proof reads many of them at once.

In the table each root stands behind 8,192 bytes of hashes, which lie on pages of their own.

Revision 0012, after 0011.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_ledger_tile_root"), "ledger_tile", ["level", "number", "root"])


def downgrade() -> None:
    op.drop_index(op.f("ix_ledger_tile_root"), "ledger_tile")
