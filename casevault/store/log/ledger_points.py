"""Checkpoints that were signed, by what they cover; leaves of a span of time.

Reads what is public by design: notes and leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, select

from casevault.ledger.entry import Leaf, parse_leaf
from casevault.store.engine import tables
from casevault.store.log import ledger_times, tile_rows

_NOTE = tables.ledger_checkpoint


def first_covering(connection: Connection, moment: datetime) -> tuple[int, bytes] | None:
    """Return the first note over a tree that holds everything up to `moment`, and of which log.

    Of a log that was closed before, it holds nothing: that has notes of its own.
    """
    at = ledger_times.end_of(connection, moment)
    found = select(_NOTE).where(_NOTE.c.size >= at).order_by(_NOTE.c.size).limit(1)
    row = connection.execute(found).one_or_none()
    return None if row is None else (tile_rows.place_of(row.size)[0], bytes(row.note))


def last_before(connection: Connection, moment: datetime) -> bytes | None:
    """Return the last note over a tree that holds nothing of `moment` or younger, if any."""
    at = ledger_times.begin_of(connection, moment)
    found = select(_NOTE.c.note).order_by(_NOTE.c.size.desc()).limit(1)
    if at is not None:
        found = found.where(_NOTE.c.size <= at)
    note = connection.execute(found).scalar_one_or_none()
    return None if note is None else bytes(note)


def leaves(connection: Connection, begins: datetime, ends: datetime) -> Iterator[tuple[int, Leaf]]:
    """Yield position and leaf of what was recorded in these hours."""
    entry, leaf = tables.ledger_entry, tables.ledger_leaf
    rows = connection.execute(
        select(leaf.c.position, entry.c.leaf)
        .join(entry, leaf.c.entry_id == entry.c.id)
        .where(*ledger_times.within(begins, ends))
        .order_by(leaf.c.position)
    )
    for row in rows:
        yield int(row.position), parse_leaf(bytes(row.leaf))
