"""The ledger can close an origin and begin the next, retire what is old, and prove in few reads.

Revision 0006, after 0005.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _root(tile: bytes) -> bytes:
    row = [tile[at : at + 32] for at in range(0, len(tile), 32)]
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=True)
        row = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return row[0]


def upgrade() -> None:
    op.add_column(
        "ledger_head", sa.Column("log", sa.Integer, nullable=False, server_default=sa.text("0"))
    )
    op.add_column("ledger_tile", sa.Column("root", sa.LargeBinary(32), nullable=True))
    tile = sa.table(
        "ledger_tile",
        sa.column("level", sa.Integer),
        sa.column("number", sa.BigInteger),
        sa.column("hashes", sa.LargeBinary),
        sa.column("root", sa.LargeBinary),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(tile.c.level, tile.c.number)).all():
        here = (tile.c.level == row.level) & (tile.c.number == row.number)
        hashes = connection.execute(sa.select(tile.c.hashes).where(here)).scalar_one()
        connection.execute(tile.update().where(here).values(root=_root(bytes(hashes))))
    op.create_table(
        "ledger_retention",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("value", sa.String(20), nullable=False),
        sa.Column("stamp", sa.LargeBinary(36), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_ledger_retention")),
        sa.CheckConstraint("length(stamp) = 36", name=op.f("ck_ledger_retention_stamp")),
    )
    op.create_table(
        "ledger_incident",
        sa.Column("log", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log", name=op.f("pk_ledger_incident")),
    )


def downgrade() -> None:
    op.drop_table("ledger_incident")
    op.drop_table("ledger_retention")
    op.drop_column("ledger_tile", "root")
    op.drop_column("ledger_head", "log")
