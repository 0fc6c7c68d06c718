"""Which cases are due, by the plain dates of their rows: no key, and no work for what is not due.

The dates say what may be looked at; whether something goes is decided on the checked row.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import Connection, or_, select

from casevault.store.engine import tables

_CASE = tables.case_file
_DUE = (_CASE.c.due_identity, _CASE.c.due_narrative, _CASE.c.due_facts)


def before(connection: Connection, day: str) -> list[UUID]:
    """Return the cases of which any compartment is due before a day, in the order of their ids."""
    found: set[UUID] = set()
    # One index each: a condition over all three would read the whole table.
    for column in _DUE:
        found |= set(connection.execute(select(_CASE.c.id).where(column < day)).scalars())
    return sorted(found)


def counted_otherwise(connection: Connection, version: int, most: int) -> list[UUID]:
    """Return up to `most` cases that were counted by an older version of the schedule."""
    other = or_(_CASE.c.schedule.is_(None), _CASE.c.schedule < version)
    return list(connection.execute(select(_CASE.c.id).where(other).limit(most)).scalars())


def all_ids(connection: Connection, at_once: int) -> Iterator[list[UUID]]:
    """Give the ids of all cases in portions."""
    after: UUID | None = None
    while True:
        query = select(_CASE.c.id).order_by(_CASE.c.id).limit(at_once)
        if after is not None:
            query = query.where(_CASE.c.id > after)
        found = list(connection.execute(query).scalars())
        if not found:
            return
        yield found
        after = found[-1]
