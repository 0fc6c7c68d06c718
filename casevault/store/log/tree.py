"""The ledger's tree in the database: appending leaves, writing full tiles, reading proofs.

On SQLite every entry enters the tree in its own transaction. On PostgreSQL entries are staged and
any worker integrates them, one at a time, under the head row's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Connection,
    Insert,
    Integer,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import column as named

from casevault.crypto import macs
from casevault.crypto.roots import RootProvider
from casevault.errors import Tampered
from casevault.ledger import tree
from casevault.ledger.tiles import TILE_WIDTH
from casevault.ledger.tree import Frontier
from casevault.store.engine import stamps, tables
from casevault.store.engine.database import Database
from casevault.store.engine.quick import Quick
from casevault.store.log import tile_rows

TAG_PURPOSE = "ledger-tag"
_BATCH = 500
_HEAD = Quick(select(tables.ledger_head))
_WAIT_FOR_HEAD = Quick(select(tables.ledger_head).with_for_update())
_TAKE_HEAD = Quick(select(tables.ledger_head).with_for_update(skip_locked=True))
_ENTRY, _PENDING, _LEAF = tables.ledger_entry, tables.ledger_pending, tables.ledger_leaf
# A queue, never `id > last`: what became visible late is taken late, not lost.
_STAGED = Quick(
    select(_ENTRY.c.id, _ENTRY.c.leaf, _ENTRY.c.body_digest, _ENTRY.c.tag)
    .join(_PENDING, _PENDING.c.entry_id == _ENTRY.c.id)
    .order_by(_PENDING.c.staged_at, _ENTRY.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_WAITS = Quick(select(_PENDING.c.entry_id).limit(1))
_ADD_LEAF = Quick(insert(tables.ledger_leaf))
_ADD_TILE = Quick(insert(tables.ledger_tile))
_GROW = Quick(update(tables.ledger_head), ("size", "frontier"))
_BEGIN_NEXT = Quick(update(tables.ledger_head), ("log", "size", "frontier"))


def _placing() -> Insert:
    """One statement for all: they leave the queue and have their places (PostgreSQL)."""
    columns = {"ids": _LEAF.c.entry_id, "positions": _LEAF.c.position, "hashes": _LEAF.c.hash}
    arrays = [bindparam(name, type_=ARRAY(one.type)) for name, one in columns.items()]
    names = [named(name, one.type) for name, one in columns.items()]
    given = func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    placed = select(given.c.ids, given.c.positions, given.c.hashes).cte("placed")
    gone = delete(_PENDING).where(_PENDING.c.entry_id.in_(select(placed.c.ids))).cte("gone")
    rows = select(placed.c.positions, placed.c.ids, placed.c.hashes)
    made: Insert = insert(_LEAF).from_select(["position", "entry_id", "hash"], rows)
    return made.add_cte(gone)


_PLACE = Quick(_placing())


@dataclass(frozen=True, slots=True)
class Head:
    """The right edge of the log that is being written: which log it is, and its frontier."""

    log: int
    frontier: Frontier


def begin(connection: Connection) -> None:
    """Write the empty head of a new ledger."""
    connection.execute(
        insert(tables.ledger_head).values(id=1, log=0, size=0, frontier=Frontier().encode())
    )


def begin_next(connection: Connection) -> Head:
    """Close the log that is being written and begin the next; the caller holds the write lock."""
    found = current(connection)
    grown = Head(found.log + 1, Frontier())
    row = {"log": grown.log, "size": 0, "frontier": grown.frontier.encode()}
    _BEGIN_NEXT.run(connection, row)
    return grown


def current(connection: Connection) -> Head:
    """Return the log that is being written and its present right edge."""
    (row,) = _HEAD.named(connection, {})
    return _head(row)


def head(connection: Connection) -> Frontier:
    """Return the present right edge of the log that is being written."""
    return current(connection).frontier


def append(connection: Connection, entries: Sequence[tuple[UUID, bytes]]) -> None:
    """Append (entry id, leaf bytes) in this order; the caller holds the write lock."""
    _append(connection, current(connection), entries)


def integrate(database: Database, roots: RootProvider, *, wait: bool = False) -> int:
    """Move staged entries into the tree (PostgreSQL); return how many.

    0 also when another worker is at it, unless the caller would `wait` for that worker's end. An
    entry whose tag does not fit stays staged and is `Tampered`: it was changed before it could be
    covered.
    """
    with database.writing() as connection:
        found = (_WAIT_FOR_HEAD if wait else _TAKE_HEAD).named(connection, {})
        if not found:
            return 0
        staged = _STAGED.all(connection, {"most": _BATCH})
        if not staged:
            return 0
        for _, leaf, digest, tag in staged:
            check_tag(roots, leaf, digest, tag)
        at, hashes = _head(found[0]), [tree.leaf_hash(leaf) for _, leaf, _, _ in staged]
        start = tile_rows.start_of(at.log) + at.frontier.size
        positions = list(range(start, start + len(staged)))
        _PLACE.run(
            connection,
            {"ids": [one[0] for one in staged], "positions": positions, "hashes": hashes},
        )
        _grow(connection, at, hashes)
        return len(staged)


def integrate_all(database: Database, roots: RootProvider, *, wait: bool = True) -> int:
    """Move everything that is staged into the tree; return how many entries moved.

    What was staged before the call is in the tree after it: without the wait, entries that another
    worker is just moving would be missing from a head that is signed next.
    """
    moved = 0
    # What another worker is moving is seen here until it has been moved.
    while not database.is_sqlite and _is_staged(database):
        count = integrate(database, roots, wait=wait)
        moved += count
        # Fewer than fit: there were no others when they were taken.
        if count < _BATCH:
            break
    return moved


def _is_staged(database: Database) -> bool:
    """Say whether anything waits: a worker that looks ten times a second then locks nothing."""
    with database.reading_at_once() as connection:
        return bool(_WAITS.all(connection, {}))


def oldest_pending(connection: Connection) -> int | None:
    """Return since when (Unix seconds) the oldest entry waits for its place; None if none does."""
    oldest = connection.execute(select(func.min(tables.ledger_pending.c.staged_at))).scalar()
    return None if oldest is None else int(oldest) // 1_000_000


def check_tag(roots: RootProvider, leaf: bytes, body_digest: bytes, tag: bytes) -> None:
    """Return if the service itself wrote this leaf for this sealed body, else `Tampered`."""
    stamps.check(roots, TAG_PURPOSE, leaf + body_digest, tag)


def consistency(
    connection: Connection, old: int, new: int, log: int | None = None
) -> tuple[bytes, ...]:
    """Return the proof that the tree of `new` entries extends that of `old` (present log)."""
    at = current(connection).log if log is None else log
    return tree.consistency_proof(old, new, tile_rows.reader(connection, at, new))


def inclusion(
    connection: Connection, index: int, size: int, log: int | None = None
) -> tuple[bytes, ...]:
    """Return the proof that entry `index` is under the root of `size` entries (present log)."""
    at = current(connection).log if log is None else log
    return tree.inclusion_proof(index, size, tile_rows.reader(connection, at, size))


def prover(connection: Connection, log: int, size: int) -> Callable[[int], tuple[bytes, ...]]:
    """Return what gives the proofs of many entries under one root, and reads each tile once."""
    reader = tile_rows.reader(connection, log, size)
    return lambda index: tree.inclusion_proof(index, size, reader)


def _append(connection: Connection, at: Head, entries: Sequence[tuple[UUID, bytes]]) -> None:
    if not entries:
        return
    hashes = [tree.leaf_hash(leaf) for _, leaf in entries]
    start = tile_rows.start_of(at.log) + at.frontier.size
    _ADD_LEAF.run(
        connection,
        [
            {"position": start + n, "entry_id": entry_id, "hash": hashes[n]}
            for n, (entry_id, _) in enumerate(entries)
        ],
    )
    _grow(connection, at, hashes)


def _grow(connection: Connection, at: Head, hashes: Sequence[bytes]) -> None:
    """Move the right edge past these leaves, whose rows are there, and write what became full."""
    size, grown = at.frontier.size, at.frontier.extend(hashes)
    _GROW.run(connection, {"size": grown.size, "frontier": grown.encode()})
    first = tile_rows.first_tile(at.log, 0)
    for number in range(first + size // TILE_WIDTH, first + grown.size // TILE_WIDTH):
        begin = number * TILE_WIDTH
        leaves = tile_rows.leaf_hashes(connection, begin, begin + TILE_WIDTH - 1)
        _write_tile(connection, 0, number, leaves)


def _write_tile(connection: Connection, level: int, number: int, hashes: list[bytes]) -> None:
    root = tree.complete_root(hashes)
    tile = {"level": level, "number": number, "hashes": b"".join(hashes), "root": root}
    _ADD_TILE.run(connection, tile)
    if (number + 1) % TILE_WIDTH:
        return
    # This was the last of 256 tiles: their roots are a full tile one level up.
    above = number // TILE_WIDTH
    roots = tile_rows.tile_roots(connection, level, above * TILE_WIDTH, number)
    _write_tile(connection, level + 1, above, roots)


def _head(row: Mapping[str, Any]) -> Head:
    frontier = Frontier.decode(bytes(row["frontier"]))
    if frontier.size != row["size"]:
        raise Tampered(code="ledger.head")
    return Head(row["log"], frontier)


def tile_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a full tile."""
    return tree.complete_root(hashes)


def digest_of(sealed_body: bytes) -> bytes:
    """Return what the tag covers of a sealed body."""
    return macs.sha256(sealed_body)
