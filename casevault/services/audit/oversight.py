"""The auditor's questions: who saw this case, what did this colleague do, what was refused.

The auditor sees who looked at what, when and why, and never any content: the role has no key.
Each question is itself an entry, also the one what a known id was called in a month.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from casevault.domain.staff.access import Permission, Subject
from casevault.ids import StaffId
from casevault.store.audit import audit_months, ledger_query, ledger_search
from casevault.store.audit.audit_months import ACTOR, SESSION, SUBJECT
from casevault.store.audit.ledger_query import Query
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import stamps
from casevault.store.log.ledger import Act, Touched, pseudonym
from casevault.store.log.ledger_reading import Entry

PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """An entry with the actor's real id, where it is a colleague's."""

    entry: Entry
    actor: StaffId | None


@dataclass(frozen=True, slots=True)
class Results:
    """One page, newest first; `cursor` asks for older entries, and a page may be short."""

    items: tuple[Found, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Names:
    """What one id is called in the entries of a month: as a record, as an actor, as a session."""

    month: str
    subject: str
    actor: str
    session: str


class Oversight:
    """Questions to the ledger."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def query(self, caller: Caller, query: Query, cursor: str | None = None) -> Results:
        """Return a page of entries that fit, each re-checked against leaf, tag and tree."""
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject("ledger"), query.touched)
        purpose = "ledger/" + caller.staff.hex
        before = None
        if cursor is not None:
            before = int(stamps.open_cursor(stores.roots, purpose, cursor)[0])
        name = ledger_query.month_of(stores, query)
        with stores.keyring.reading() as tx:
            month = audit_months.opened(tx, caller, name)
            actors = audit_months.actors(tx, month)
        found, low = ledger_search.page(
            stores, month, ledger_query.where(query, month), before, PAGE
        )
        stores.ledger.record(
            Act(
                "audit.query",
                caller.on_ledger,
                rule="permit:role",
                touched=query.touched,
                filters=query.given,
                count=len(found),
            )
        )
        items = tuple(Found(entry, actors.get(entry.body.actor or "")) for entry in found)
        next_page = None if low is None else stamps.seal_cursor(stores.roots, purpose, [low])
        return Results(items, next_page)

    def names(self, caller: Caller, value: UUID, month: str | None) -> Names:
        """Return what a known id was called in a month; the question is recorded with the id."""
        stores, touched = self._stores, (Touched("record", value),)
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject("ledger"), touched)
        name = ledger_query.month_of(stores, Query(month=month))
        with stores.keyring.reading() as tx:
            key = audit_months.opened(tx, caller, name)
        stores.ledger.record(
            Act("audit.pseudonym", caller.on_ledger, rule="permit:role", touched=touched)
        )
        called = {kind: pseudonym(key, kind, value) for kind in (SUBJECT, ACTOR, SESSION)}
        return Names(name, **called)

    def months(self, caller: Caller) -> list[str]:
        """Return the months of which there are entries, newest first."""
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject("ledger"))
        with stores.keyring.reading() as tx:
            found = audit_months.names(tx)
        stores.ledger.record(
            Act("audit.query", caller.on_ledger, rule="permit:role", filters=("months",))
        )
        return found[::-1]
