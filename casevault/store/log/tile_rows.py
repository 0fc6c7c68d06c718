"""Tiles as rows: where those of each log stand, and how a proof reads them.

One store holds one log after another, because an origin that lost entries is closed for good. Each
log has 2^40 positions of its own, a multiple of every tile that can occur, so that one table holds
the tiles of all of them. A full tile keeps its root beside its hashes: what is not full yet is read
as the roots of the tiles below, in one short query.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from casevault.errors import Tampered
from casevault.ledger.tiles import TILE_HEIGHT, TILE_WIDTH, tile_reader
from casevault.ledger.tree import HashReader
from casevault.store.engine import tables
from casevault.store.engine.quick import Quick

LOG_SPAN = 1 << 40
_HASHES = Quick(
    select(tables.ledger_tile.c.hashes).where(
        tables.ledger_tile.c.level == bindparam("level"),
        tables.ledger_tile.c.number == bindparam("number"),
    )
)
_ROOTS = Quick(
    select(tables.ledger_tile.c.root)
    .where(
        tables.ledger_tile.c.level == bindparam("level"),
        tables.ledger_tile.c.number.between(bindparam("first"), bindparam("last")),
    )
    .order_by(tables.ledger_tile.c.number)
)
_LEAVES = Quick(
    select(tables.ledger_leaf.c.hash)
    .where(tables.ledger_leaf.c.position.between(bindparam("first"), bindparam("last")))
    .order_by(tables.ledger_leaf.c.position)
)


def start_of(log: int) -> int:
    """Return the position of a log's first entry."""
    return log * LOG_SPAN


def place_of(position: int) -> tuple[int, int]:
    """Return (log, index in it) of a position."""
    return divmod(position, LOG_SPAN)


def first_tile(log: int, level: int) -> int:
    """Return the number of a log's first tile of a level."""
    return start_of(log) >> TILE_HEIGHT * (level + 1)


def full_tile(connection: Connection, level: int, number: int) -> bytes | None:
    """Return the 8,192 bytes of a full tile; None where there is none."""
    found = _HASHES.one(connection, {"level": level, "number": number})
    return None if found is None else bytes(found[0])


def tile_roots(connection: Connection, level: int, first: int, last: int) -> list[bytes]:
    """Return the roots of the full tiles `first` to `last` of a level, as far as there are any."""
    found = _ROOTS.all(connection, {"level": level, "first": first, "last": last})
    return [bytes(root) for (root,) in found]


def leaf_hashes(connection: Connection, first: int, last: int) -> list[bytes]:
    """Return the leaf hashes at positions `first` to `last`, as far as there are any."""
    found = _LEAVES.all(connection, {"first": first, "last": last})
    return [bytes(one) for (one,) in found]


def reader(connection: Connection, log: int, size: int) -> HashReader:
    """Return what a proof over the first `size` entries of a log reads its hashes with."""

    def read(level: int, number: int) -> bytes:
        count = min((size >> TILE_HEIGHT * level) - number * TILE_WIDTH, TILE_WIDTH)
        # A tile that was not full at this size is mostly not full yet: then there is none to find.
        hashes = _below(connection, log, level, number, count) if count < TILE_WIDTH else []
        if len(hashes) == count:
            return b"".join(hashes)
        full = full_tile(connection, level, first_tile(log, level) + number)
        if full is None:
            raise Tampered(code="ledger.tiles")
        return full

    return tile_reader(read)


def _below(connection: Connection, log: int, level: int, number: int, count: int) -> list[bytes]:
    """Return the first hashes of a tile from what is below it: leaves, or roots of full tiles."""
    if level == 0:
        first = start_of(log) + number * TILE_WIDTH
        return leaf_hashes(connection, first, first + count - 1)
    below = first_tile(log, level - 1) + number * TILE_WIDTH
    return tile_roots(connection, level - 1, below, below + count - 1)
