"""Month keys: what the ledger's bodies are sealed under.

A month key is granted at birth to the auditors and to recovery. The service keeps the current
and the previous month, then destroys its copy: a stolen server shows two months, not six years.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from casevault.clock import Clock, unix_seconds
from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.sealing import Key
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, KeyUnavailable, Misconfigured
from casevault.ids import new_id
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.clock_guard import Judged, judged
from casevault.store.engine.keyring import Keyring, KeyringTransaction
from casevault.store.keys import grants, principals
from casevault.store.keys.grants import Grantee, Granter, Object
from casevault.store.keys.trust import Trust

COMPARTMENT = "month"


@dataclass(frozen=True, slots=True)
class MonthKey:
    """The keys of one month (``2026-11``)."""

    month: str
    object_id: UUID
    body: Key = field(repr=False)
    index: Key = field(repr=False)


def of(month: str, object_id: UUID, key: Key) -> MonthKey:
    """Derive the two keys of a month from its random key."""
    return MonthKey(month, object_id, key.derive("ledger-body"), key.derive("ledger-index"))


def name_of(moment: datetime) -> str:
    """Return the month of a moment, as ``2026-11``."""
    return f"{moment:%Y-%m}"


def month_before(month: str, count: int = 1) -> str:
    """Return the month `count` months before a month."""
    year, number = map(int, month.split("-"))
    whole = year * 12 + number - 1 - count
    return f"{whole // 12:04}-{whole % 12 + 1:02}"


class Months:
    """The service's own two months."""

    def __init__(self, keyring: Keyring, trust: Trust, clock: Clock) -> None:
        self.organisation = keyring.organisation
        self._keyring = keyring
        self._trust = trust
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, MonthKey] = {}

    def current(self) -> MonthKey:
        """Return the key of the present month; make and grant it if nobody did yet."""
        month = name_of(self._clock.now())
        known = self._known.get(month)
        if known is not None:
            return known
        with self._lock:
            made = self._read(month) or self._while_clock_is_wrong()
            if made is None:
                # A Conflict: another worker was quicker, and its key is the month's.
                with contextlib.suppress(Conflict):
                    self._make(month)
                made = self._read(month)
            if made is None:
                raise KeyUnavailable(code="month")
            # Only what the service may still hold stays in memory.
            self._known = {month: made}
            return made

    def _while_clock_is_wrong(self) -> MonthKey | None:
        """Return the newest month if the clock is years away from it: that is written there."""
        with self._keyring.reading() as tx:
            found = judged(tx, unix_seconds(self._clock.now()))
        return next(iter(self.kept()), None) if found is Judged.WRONG else None

    def kept(self) -> list[MonthKey]:
        """Return the months that the service can still open, newest first."""
        with self._keyring.reading() as tx:
            rows = tx.find(tables.month_key)
        found = [_month(row.lookup["month"], row.content) for row in rows]
        return sorted((m for m in found if m is not None), key=lambda m: m.month, reverse=True)

    def _read(self, month: str) -> MonthKey | None:
        with self._keyring.reading() as tx:
            row = tx.one(tables.month_key, month=month)
        return None if row is None else _month(month, row.content)

    def _make(self, month: str) -> None:
        with self._keyring.writing() as tx:
            key, object_id = Key.random(), new_id()
            tx.add(tables.month_key, canonical.encode(object_id, key.material), month=month)
            grants.give(
                tx,
                Object(ObjectKind.MONTH, object_id),
                {COMPARTMENT: key},
                Granter(*principals.in_use(tx, PrincipalKind.SERVICE)),
                [(grantee, frozenset({COMPARTMENT})) for grantee in self._grantees(tx)],
                purpose="ledger",
                issued_at=unix_seconds(self._clock.now()),
            )
            self._destroy_old(tx, month)

    def _grantees(self, tx: KeyringTransaction) -> list[Grantee]:
        found = [
            *self._trust.groups(tx, PrincipalKind.AUDITORS),
            *self._trust.groups(tx, PrincipalKind.RECOVERY),
        ]
        if len(found) < 2:
            raise Misconfigured("There are no auditors yet.", code="month.auditors")
        return found

    @staticmethod
    def _destroy_old(tx: KeyringTransaction, current: str) -> None:
        oldest, rows = month_before(current), tx.find(tables.month_key)
        earlier = [str(row.lookup["month"]) for row in rows if str(row.lookup["month"]) < current]
        # A clock that jumped destroys nothing: the month it came from may come again, and nothing
        # could be recorded in it. After a long rest this waits until the month after.
        if oldest not in earlier:
            return
        for row in rows:
            object_id = Reader.of(row.content).uuid()
            if str(row.lookup["month"]) < oldest:
                tx.replace(tables.month_key, canonical.encode(object_id, None), **row.lookup)


def object_ids(tx: KeyringTransaction) -> dict[str, UUID]:
    """Return what each month's key is called in grants."""
    return {row.lookup["month"]: Reader.of(row.content).uuid() for row in tx.find(tables.month_key)}


def _month(month: str, content: bytes) -> MonthKey | None:
    reader = Reader.of(content)
    object_id, material = reader.uuid(), reader.optional_bytes()
    return None if material is None else of(month, object_id, Key(material))
