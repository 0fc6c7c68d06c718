"""The ledger's tree in the database: appending leaves, writing full tiles, reading proofs.

On SQLite every entry enters the tree in its own transaction. On PostgreSQL entries are staged and
any worker integrates them, one at a time, under the head row's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update

from casevault.crypto import macs
from casevault.crypto.roots import RootProvider
from casevault.errors import Tampered
from casevault.ledger import tree
from casevault.ledger.tiles import TILE_WIDTH, tile_reader
from casevault.ledger.tree import Frontier
from casevault.store import stamps, tables
from casevault.store.database import Database

TAG_PURPOSE = "ledger-tag"
_BATCH = 500
_HEAD = select(tables.ledger_head)
_ADD_LEAF = insert(tables.ledger_leaf)
_GROW = update(tables.ledger_head)


def begin(connection: Connection) -> None:
    """Write the empty head of a new ledger."""
    connection.execute(
        insert(tables.ledger_head).values(id=1, size=0, frontier=Frontier().encode())
    )


def head(connection: Connection) -> Frontier:
    """Return the present right edge of the tree."""
    row = connection.execute(_HEAD).one()
    return _frontier(row.size, row.frontier)


def append(connection: Connection, entries: Sequence[tuple[UUID, bytes]]) -> None:
    """Append (entry id, leaf bytes) in this order; the caller holds the write lock."""
    frontier = head(connection)
    _append(connection, frontier, entries)


def integrate(database: Database, roots: RootProvider) -> int:
    """Move staged entries into the tree (PostgreSQL); return how many.

    0 also when another worker is at it. An entry whose tag does not fit stays staged and is
    `Tampered`: it was changed before it could be covered.
    """
    with database.writing() as connection:
        row = connection.execute(
            select(tables.ledger_head).with_for_update(skip_locked=True)
        ).one_or_none()
        if row is None:
            return 0
        entry = tables.ledger_entry
        # A queue, never `id > last`: what became visible late is taken late, not lost.
        staged = connection.execute(
            select(entry.c.id, entry.c.leaf, entry.c.body_digest, entry.c.tag)
            .join(tables.ledger_pending, tables.ledger_pending.c.entry_id == entry.c.id)
            .order_by(tables.ledger_pending.c.staged_at, entry.c.id)
            .limit(_BATCH)
        ).all()
        if not staged:
            return 0
        for one in staged:
            check_tag(roots, bytes(one.leaf), bytes(one.body_digest), bytes(one.tag))
        found = [(one.id, bytes(one.leaf)) for one in staged]
        _append(connection, _frontier(row.size, row.frontier), found)
        connection.execute(
            delete(tables.ledger_pending).where(
                tables.ledger_pending.c.entry_id.in_([entry_id for entry_id, _ in found])
            )
        )
        return len(found)


def integrate_all(database: Database, roots: RootProvider) -> int:
    """Move everything that is staged into the tree; return how many entries moved."""
    moved = 0
    while not database.is_sqlite and (count := integrate(database, roots)):
        moved += count
    return moved


def oldest_pending(connection: Connection) -> int | None:
    """Return since when (Unix seconds) the oldest entry waits for its place; None if none does."""
    oldest = connection.execute(select(func.min(tables.ledger_pending.c.staged_at))).scalar()
    return None if oldest is None else int(oldest) // 1_000_000


def check_tag(roots: RootProvider, leaf: bytes, body_digest: bytes, tag: bytes) -> None:
    """Return if the service itself wrote this leaf for this sealed body, else `Tampered`."""
    stamps.check(roots, TAG_PURPOSE, leaf + body_digest, tag)


def consistency(connection: Connection, old: int, new: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of `new` leaves extends that of `old`."""
    return tree.consistency_proof(old, new, tile_reader(_Tiles(connection, new)))


def inclusion(connection: Connection, position: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that the leaf at `position` is under the root of `size` leaves."""
    return tree.inclusion_proof(position, size, tile_reader(_Tiles(connection, size)))


def prover(connection: Connection, size: int) -> Callable[[int], tuple[bytes, ...]]:
    """Return what gives the proofs of many leaves under one root, and reads each tile once."""
    reader = tile_reader(_Tiles(connection, size))
    return lambda position: tree.inclusion_proof(position, size, reader)


class _Tiles:
    """Reads tiles: full ones as stored, the partial one from the rows."""

    def __init__(self, connection: Connection, size: int) -> None:
        self._connection = connection
        self._size = size

    def __call__(self, level: int, number: int) -> bytes:
        stored = self._connection.execute(
            select(tables.ledger_tile.c.hashes).where(
                tables.ledger_tile.c.level == level, tables.ledger_tile.c.number == number
            )
        ).scalar_one_or_none()
        if stored is not None:
            return bytes(stored)
        if level == 0:
            return b"".join(_leaf_hashes(self._connection, number))
        count = (self._size >> (8 * level)) - number * TILE_WIDTH
        below = (self(level - 1, number * TILE_WIDTH + i) for i in range(min(count, TILE_WIDTH)))
        return b"".join(tree.complete_root(_split(tile)) for tile in below)


def _append(
    connection: Connection, frontier: Frontier, entries: Sequence[tuple[UUID, bytes]]
) -> None:
    if not entries:
        return
    hashes = [tree.leaf_hash(leaf) for _, leaf in entries]
    start = frontier.size
    connection.execute(
        _ADD_LEAF,
        [
            {"position": start + n, "entry_id": entry_id, "hash": hashes[n]}
            for n, (entry_id, _) in enumerate(entries)
        ],
    )
    grown = frontier.extend(hashes)
    connection.execute(_GROW, {"size": grown.size, "frontier": grown.encode()})
    for number in range(start // TILE_WIDTH, grown.size // TILE_WIDTH):
        _write_tile(connection, 0, number, _leaf_hashes(connection, number))


def _write_tile(connection: Connection, level: int, number: int, hashes: list[bytes]) -> None:
    connection.execute(
        insert(tables.ledger_tile).values(level=level, number=number, hashes=b"".join(hashes))
    )
    if (number + 1) % TILE_WIDTH:
        return
    # This was the last of 256 tiles: their roots are a full tile one level up.
    above = number // TILE_WIDTH
    tile = tables.ledger_tile
    rows = connection.execute(
        select(tile.c.hashes)
        .where(tile.c.level == level, tile.c.number.between(above * TILE_WIDTH, number))
        .order_by(tile.c.number)
    ).scalars()
    roots = [tree.complete_root(_split(bytes(row))) for row in rows]
    _write_tile(connection, level + 1, above, roots)


def _leaf_hashes(connection: Connection, number: int) -> list[bytes]:
    leaf = tables.ledger_leaf
    first = number * TILE_WIDTH
    rows = connection.execute(
        select(leaf.c.hash)
        .where(leaf.c.position.between(first, first + TILE_WIDTH - 1))
        .order_by(leaf.c.position)
    ).scalars()
    return [bytes(row) for row in rows]


def _split(tile: bytes) -> list[bytes]:
    return [tile[at : at + tree.HASH_BYTES] for at in range(0, len(tile), tree.HASH_BYTES)]


def _frontier(size: int, encoded: bytes) -> Frontier:
    frontier = Frontier.decode(bytes(encoded))
    if frontier.size != size:
        raise Tampered(code="ledger.head")
    return frontier


def digest_of(sealed_body: bytes) -> bytes:
    """Return what the tag covers of a sealed body."""
    return macs.sha256(sealed_body)
