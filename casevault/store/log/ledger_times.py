"""Entries by time: the hour that each leaf tells, read from its own bytes.

There is no column of times, and the order of the tree is no order of time either: a clock may have
been wrong for a while, and PostgreSQL may integrate neighbours the other way round. So the hour
stands in every condition, and whoever asks compares exact times afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, LargeBinary, func, select

from casevault.store.engine import tables

# A leaf begins {"v":1,"t":"2026-11-15T12:00:00Z", and only such leaves are written.
_BEGINS, _LENGTH = len('{"v":1,"t":"') + 1, len("2026-11-15T12")
HOUR: ColumnElement[bytes] = func.substr(
    tables.ledger_entry.c.leaf, _BEGINS, _LENGTH, type_=LargeBinary
)
_POSITION = tables.ledger_leaf.c.position
_ENTRIES = tables.ledger_leaf.join(
    tables.ledger_entry, tables.ledger_leaf.c.entry_id == tables.ledger_entry.c.id
)


def within(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Return the conditions that every entry of these times fulfils, hour by hour."""
    found: list[ColumnElement[bool]] = []
    if since is not None:
        found.append(hour_of(since) <= HOUR)
    if until is not None:
        found.append(hour_of(until) >= HOUR)
    return found


def end_of(connection: Connection, moment: datetime) -> int:
    """Return the position behind the last entry that was recorded before the hour of `moment`."""
    last = select(func.max(_POSITION)).select_from(_ENTRIES).where(hour_of(moment) > HOUR)
    found = connection.execute(last).scalar()
    return 0 if found is None else int(found) + 1


def begin_of(connection: Connection, moment: datetime) -> int | None:
    """Return the position of the first entry of the hour of `moment` or a later one, if any."""
    first = select(func.min(_POSITION)).select_from(_ENTRIES).where(hour_of(moment) <= HOUR)
    found = connection.execute(first).scalar()
    return None if found is None else int(found)


def hour_of(moment: datetime) -> bytes:
    """Return the hour of a moment as leaves tell it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H}".encode()
