"""Looking for entries of a month: what the index knows is asked of it, the rest is read.

The index knows pseudonyms and places only; codes, outcomes and exact times stand in sealed bodies.
So a search reads on until a page is full, and stops after a stated number of entries all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from casevault.store.context.stores import Stores
from casevault.store.log import ledger_reading, ledger_times
from casevault.store.log.ledger_reading import Entry
from casevault.store.log.months import MonthKey

# How many entries one request opens at most.
MOST_READ = 4_000
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Where:
    """What an entry must have: all of these pseudonyms, and what else is given.

    `since` and `until` (not included) are UTC.
    """

    pseudonyms: tuple[str, ...] = ()
    code: str | None = None
    outcome: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, entry: Entry) -> bool:
        """Say whether an entry is looked for, as far as its body tells."""
        body = entry.body
        at = datetime.fromisoformat(body.recorded)
        return (
            self.code in (None, body.code)
            and self.outcome in (None, body.outcome)
            and (self.since is None or self.since <= at)
            and (self.until is None or at < self.until)
        )


def page(
    stores: Stores, month: MonthKey, where: Where, before: int | None, limit: int
) -> tuple[list[Entry], int | None]:
    """Return up to `limit` entries, newest first, and below which position to go on, if at all."""
    found: list[Entry] = []
    low, read = before, 0
    with stores.data.reading() as connection:
        while read < MOST_READ:
            some = _chunk(connection, stores, month, where, low)
            for entry in some:
                if where.fits(entry):
                    found.append(entry)
                if len(found) == limit:
                    return found, entry.position
            if len(some) < _CHUNK:
                return found, None
            read += len(some)
            low = some[-1].position
    return found, low


def every(stores: Stores, month: MonthKey, where: Where, end: int) -> Iterator[list[Entry]]:
    """Yield all entries below position `end` in portions, newest first."""
    low = end
    while True:
        # A transaction for each: who reads slowly holds no connection meanwhile.
        with stores.data.reading() as connection:
            some = _chunk(connection, stores, month, where, low)
        yield [entry for entry in some if where.fits(entry)]
        if len(some) < _CHUNK:
            return
        low = some[-1].position


def _chunk(
    connection: Connection,
    stores: Stores,
    month: MonthKey,
    where: Where,
    before: int | None,
) -> list[Entry]:
    return ledger_reading.entries(
        connection,
        stores.roots,
        stores.organisation,
        month,
        pseudonyms=where.pseudonyms,
        before=before,
        also=ledger_times.within(where.since, where.until),
        limit=_CHUNK,
    )
