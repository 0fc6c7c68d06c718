"""From a moment to a place in the tree: entries are found by time without a column of times.

A leaf tells its hour, and leaves stand nearly in the order of time: PostgreSQL may integrate
neighbours the other way round. So bounds are taken an hour wide, and whoever asks compares exact
times afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from casevault.errors import Tampered
from casevault.ledger.entry import parse_leaf
from casevault.store import tables, tree

_SLACK = timedelta(hours=1)


def first_since(connection: Connection, moment: datetime) -> int:
    """Return a position before which no entry is as young as `moment` (UTC)."""
    return _search(connection, _hour(moment - _SLACK))


def first_after(connection: Connection, moment: datetime) -> int:
    """Return a position from which on no entry is as old as `moment` (UTC)."""
    return _search(connection, _hour(moment + 2 * _SLACK))


def _search(connection: Connection, hour: str) -> int:
    """Return the lowest position whose leaf is of this hour or a later one."""
    low, high = 0, tree.head(connection).size
    while low < high:
        middle = (low + high) // 2
        if _hour_at(connection, middle) < hour:
            low = middle + 1
        else:
            high = middle
    return low


def _hour_at(connection: Connection, position: int) -> str:
    entry, leaf = tables.ledger_entry, tables.ledger_leaf
    row = connection.execute(
        select(entry.c.leaf)
        .select_from(leaf.outerjoin(entry, leaf.c.entry_id == entry.c.id))
        .where(leaf.c.position == position)
    ).one_or_none()
    if row is None:
        raise Tampered(code="ledger.entry")
    # Only the bytes of the oldest leaves are ever given up.
    return "" if row.leaf is None else parse_leaf(bytes(row.leaf)).t


def _hour(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:00:00Z}"
