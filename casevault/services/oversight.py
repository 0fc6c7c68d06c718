"""The auditor's work: querying the ledger with the auditors' own keys.

The auditor sees who looked at what, when and why, and never any content: the role has no key.
Each query is itself an entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from casevault.domain.access import Permission, Subject
from casevault.domain.granting import ObjectKind
from casevault.errors import KeyUnavailable, NotFound
from casevault.ids import StaffId
from casevault.store import ledger_reading, months, people, stamps
from casevault.store.caller import Caller, Gate
from casevault.store.grants import Object
from casevault.store.keyring import KeyringTransaction
from casevault.store.ledger import Act, Touched, pseudonym
from casevault.store.ledger_reading import Entry
from casevault.store.months import MonthKey
from casevault.store.stores import Stores

PAGE = 100


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: a month (the present one by default), a case, a colleague, a code."""

    month: str | None = None
    case: UUID | None = None
    actor: UUID | None = None
    code: str | None = None
    outcome: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An entry with the actor's real id, where it is a colleague's."""

    entry: Entry
    actor: StaffId | None


@dataclass(frozen=True, slots=True)
class Results:
    """One page, newest first; `cursor` asks for older entries."""

    items: tuple[Found, ...]
    cursor: str | None


class Oversight:
    """Queries of the ledger."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def query(self, caller: Caller, query: Query, cursor: str | None = None) -> Results:
        """Return a page of entries that fit, each re-checked against leaf, tag and tree."""
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject(kind="ledger"))
        purpose = "ledger/" + caller.staff.hex
        before = None
        if cursor is not None:
            before = int(stamps.open_cursor(stores.roots, purpose, cursor)[0])
        name = query.month or months.name_of(stores.clock.now())
        with stores.keyring.reading() as tx:
            month = self._month(tx, caller, name)
            actors = self._actors(tx, month)
        wanted = [
            pseudonym(month, kind, value)
            for kind, value in (("subject", query.case), ("actor", query.actor))
            if value is not None
        ]
        with stores.data.reading() as connection:
            found = ledger_reading.entries(
                connection,
                stores.roots,
                stores.organisation,
                month,
                pseudonyms=wanted,
                before=before,
                limit=PAGE + 1,
            )
        page, more = found[:PAGE], len(found) > PAGE
        items = tuple(
            Found(entry, actors.get(entry.body.actor or ""))
            for entry in page
            if query.code in (None, entry.body.code) and query.outcome in (None, entry.body.outcome)
        )
        self._record(caller, query, len(items))
        last = [page[-1].position] if more else None
        return Results(items, stamps.seal_cursor(stores.roots, purpose, last) if last else None)

    def _record(self, caller: Caller, query: Query, count: int) -> None:
        names = ("month", "case", "actor", "code", "outcome")
        self._stores.ledger.record(
            Act(
                "audit.query",
                caller.on_ledger,
                rule="permit:role",
                touched=() if query.case is None else (Touched("case", query.case),),
                filters=tuple(name for name in names if getattr(query, name) is not None),
                count=count,
            )
        )

    @staticmethod
    def _month(tx: KeyringTransaction, caller: Caller, name: str) -> MonthKey:
        object_id = months.object_ids(tx).get(name)
        if object_id is None:
            raise NotFound(code="ledger.month")
        opened = caller.keys.open(tx, Object(ObjectKind.MONTH, object_id))
        if months.COMPARTMENT not in opened:
            raise KeyUnavailable()
        return months.of(name, object_id, opened[months.COMPARTMENT].key)

    @staticmethod
    def _actors(tx: KeyringTransaction, month: MonthKey) -> Mapping[str, StaffId]:
        return {
            pseudonym(month, "actor", member.id): StaffId(member.id)
            for member in people.all_staff(tx)
        }
