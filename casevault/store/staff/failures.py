"""Failed sign-ins on the ledger: the first of an account and minute at once, the others counted.

A flood of guesses must leave a trace and must not fill the disk. What is not written at once lies
in the keyring before the answer leaves, and is recorded when its minute is over, as one entry with
a count. Whether an entry is written at once never depends on whether a login exists.
"""

from __future__ import annotations

import threading
from collections import Counter
from uuid import UUID

from casevault.crypto import canonical, macs
from casevault.crypto.canonical import Reader
from casevault.errors import Conflict
from casevault.ids import EntryId
from casevault.store.context import intents
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import Between, Row
from casevault.store.log.ledger import REFUSED, Act, Actor

_MINUTE = 60
# Entries that one process writes at once in a minute, whatever accounts are tried.
AT_ONCE = 60


class Failures:
    """What one process still writes at once in this minute."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._lock = threading.Lock()
        self._minute = 0
        self._written = 0

    def record(
        self, code: str, rule: str, about: str, staff: UUID | None, request: str | None
    ) -> None:
        """Record a failure of `about` (a login, a person): now, or with its minute."""
        stores = self._stores
        minute = stores.now() // _MINUTE
        key = macs.mac(stores.roots.service(), "failure", minute, code, rule, about)
        with stores.keyring.reading() as tx:
            first = not tx.lookups(tables.failure, key=key, minute=minute)
        at_once = first and self._may_write(minute)
        if at_once:
            actor = Actor(staff=staff, request=request)
            stores.ledger.record(Act(code, actor, rule=rule, outcome=REFUSED))
        try:
            self._count(key, minute, (code, rule, staff), 0 if at_once else 1)
        except Conflict:
            # Two firsts at once: the row is there now.
            self._count(key, minute, (code, rule, staff), 0 if at_once else 1)

    def _may_write(self, minute: int) -> bool:
        with self._lock:
            if minute != self._minute:
                self._minute, self._written = minute, 0
            self._written += 1
            return self._written <= AT_ONCE

    def _count(
        self, key: bytes, minute: int, what: tuple[str, str, UUID | None], more: int
    ) -> None:
        with self._stores.keyring.writing() as tx:
            row = tx.one(tables.failure, lock=True, key=key, minute=minute)
            if row is None:
                tx.add(tables.failure, canonical.encode(*what, more), key=key, minute=minute)
            elif more:
                count = _read(row)[1] + more
                tx.replace(tables.failure, canonical.encode(*what, count), key=key, minute=minute)


def record_past(stores: Stores) -> int:
    """Record the failures of minutes that are over, one entry per account; return how many.

    Two workers may do this at once: the entry's id follows from what it counts.
    """
    # A minute more than is over: whoever began to count in it has finished.
    past = Between(-1, stores.now() // _MINUTE - 2)
    with stores.keyring.reading() as tx:
        rows = tx.find(tables.failure, minute=past)
    found: Counter[tuple[int, tuple[str, str, UUID | None]]] = Counter()
    for row in rows:
        what, count = _read(row)
        found[row.lookup["minute"], what] += count
    for (minute, what), count in found.items():
        if count:
            _record(stores, minute, what, count)
    if rows:
        with stores.keyring.writing() as tx:
            tx.remove(tables.failure, minute=past)
    return len(rows)


def _record(stores: Stores, minute: int, what: tuple[str, str, UUID | None], count: int) -> None:
    code, rule, staff = what
    digest = macs.mac(stores.roots.service(), "failure-entry", minute, *what)
    act = Act(
        code,
        Actor(staff=staff),
        rule=rule,
        outcome=REFUSED,
        count=count,
        id=EntryId(UUID(bytes=digest[:16], version=4)),
    )
    # Another worker's caretaker may have been quicker.
    if not intents.is_recorded(stores, act.id):
        stores.ledger.record(act)


def _read(row: Row) -> tuple[tuple[str, str, UUID | None], int]:
    reader = Reader.of(row.content)
    what = (reader.text(), reader.text(), reader.optional_uuid())
    return what, reader.number()
