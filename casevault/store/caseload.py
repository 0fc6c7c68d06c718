"""A page of somebody's caseload, looked at case by case.

Cases come in the order of their random ids. One whose row, keys or documents do not hold is named
as such and raises an alarm; it must never cost the others their place on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from casevault.domain.casefile import CaseMetadata
from casevault.domain.granting import ObjectKind
from casevault.errors import Tampered
from casevault.store import case_keys, cases, grants
from casevault.store.caller import Caller
from casevault.store.documents import Document
from casevault.store.grants import Object
from casevault.store.held_case import HeldCase
from casevault.store.keyring import KeyringTransaction
from casevault.store.ledger import FAILED, Act, Touched
from casevault.store.stores import Stores

T = TypeVar("T")
PAGE = 25
# An entry's body has a limit; this many cases fit well into one.
_TOUCHED = 400


class Glance:
    """One case during a look at it."""

    def __init__(self, held: HeldCase, connection: Connection) -> None:
        self._held = held
        self._connection = connection

    @property
    def case(self) -> CaseMetadata:
        """The plain row of the case."""
        return self._held.case

    @property
    def open_compartments(self) -> tuple[str, ...]:
        """The compartments whose keys were looked for and found."""
        return tuple(sorted(self._held.keys))

    def documents(self, compartment: str, kinds: Iterable[str]) -> list[Document]:
        """Return the documents of these kinds; none if the caller cannot open the compartment."""
        if compartment not in self._held.keys:
            return []
        manifest = self._held.manifest(self._connection, compartment)
        return self._held.documents(self._connection, manifest, kinds)


Look = Callable[[Glance], T]


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """A case and what the look at it gave; None if something of it did not open."""

    id: UUID
    case: CaseMetadata | None
    found: T | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class CaseloadPage(Generic[T]):
    """Some cases; `after` asks for those behind them, None if there are none."""

    items: tuple[Seen[T], ...]
    after: UUID | None


def reach(tx: KeyringTransaction, caller: Caller) -> set[UUID]:
    """Return the cases of which the caller or a group of theirs has a grant (unchecked)."""
    return grants.objects_of(tx, ObjectKind.CASE, {caller.staff, *caller.keys.group_ids(tx)})


def own(tx: KeyringTransaction, staff: UUID) -> set[UUID]:
    """Return the cases of which a person has a grant in their own name (unchecked)."""
    return grants.objects_of(tx, ObjectKind.CASE, [staff])


def open_cases(stores: Stores, team: UUID) -> set[UUID]:
    """Return the cases of a team that are not closed, whoever can open them."""
    with stores.data.reading() as connection:
        return cases.open_cases_of(connection, team)


def page(
    stores: Stores,
    caller: Caller,
    ids: Iterable[UUID],
    look: Look[T],
    *,
    compartment: str | None = None,
    after: UUID | None = None,
    limit: int = PAGE,
) -> CaseloadPage[T]:
    """Look at up to `limit` of these cases, with the caller's keys of all or one compartment."""
    chosen = sorted(one for one in ids if after is None or one > after)
    with stores.data.reading() as connection:
        rows = cases.find_cases(connection, stores.roots, chosen[:limit])
        # Looked up after the data, so that the keys are never older than what they open.
        with stores.keyring.reading() as tx:
            items = tuple(
                _seen(stores, tx, connection, caller, one, rows[one], compartment, look)
                for one in chosen[:limit]
                if one in rows
            )
    return CaseloadPage(items, chosen[limit - 1] if len(chosen) > limit else None)


def acts(
    caller: Caller,
    code: str,
    seen: Iterable[Seen[T]],
    *,
    rule: str = "permit:caseload",
    fields: tuple[str, ...] = (),
    count: int | None = None,
) -> list[Act]:
    """Return the entries of a look at these cases: what was seen, and an alarm for each fault."""
    items = tuple(seen)
    good = [Touched("case", one.id) for one in items if one.found is not None]
    parts = [tuple(good[at : at + _TOUCHED]) for at in range(0, len(good), _TOUCHED)] or [()]
    looks = [
        Act(
            code,
            caller.on_ledger,
            rule=rule,
            purpose="treatment",
            touched=part,
            fields=fields if part else (),
            count=len(good) if count is None else count,
        )
        for part in parts
    ]
    alarms = [
        Act(
            code,
            caller.on_ledger,
            rule="failed:tampered",
            outcome=FAILED,
            touched=(Touched("case", one.id),),
        )
        for one in items
        if one.found is None
    ]
    return looks + alarms


def _seen(
    stores: Stores,
    tx: KeyringTransaction,
    connection: Connection,
    caller: Caller,
    case_id: UUID,
    case: CaseMetadata | None,
    compartment: str | None,
    look: Look[T],
) -> Seen[T]:
    if case is None:
        return Seen(case_id, None, None)
    try:
        target = Object(ObjectKind.CASE, case.id, case.team)
        keys = caller.keys.open(tx, target, compartment)
        versions = case_keys.of_case(tx, case.id, compartment)
        held = HeldCase(stores.organisation, case, keys, versions)
        return Seen(case_id, case, look(Glance(held, connection)))
    except Tampered:
        return Seen(case_id, case, None)
