"""A page of somebody's caseload, looked at case by case.

Cases come in the order of their random ids. One whose row, keys or documents do not hold is named
as such and raises an alarm; it must never cost the others their place on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import Tampered
from casevault.store.case import case_keys, cases, documents, manifests
from casevault.store.case.documents import Document
from casevault.store.case.held_case import HeldCase
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants
from casevault.store.keys.grants import Object
from casevault.store.log.ledger import FAILED, Act, Touched

T = TypeVar("T")
P = ParamSpec("P")
PAGE = 25
# An entry's body has a limit; this many cases fit well into one.
_TOUCHED = 400


@dataclass(frozen=True, slots=True)
class Glance:
    """One case during a look at it: its plain row, which keys were found, what was read."""

    case: CaseMetadata
    open_compartments: tuple[str, ...]
    documents: tuple[Document, ...] = field(repr=False)


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


def reach_after(tx: KeyringTransaction, caller: Caller, after: UUID | None) -> list[UUID]:
    """Return the first of these cases behind `after`: enough for a page, and one to see if more.

    What it costs does not grow with the caseload.
    """
    grantees = {caller.staff, *caller.keys.group_ids(tx)}
    return grants.first_objects(tx, ObjectKind.CASE, grantees, after, PAGE + 1)


def own(tx: KeyringTransaction, staff: UUID) -> set[UUID]:
    """Return the cases of which a person has a grant in their own name (unchecked)."""
    return grants.objects_of(tx, ObjectKind.CASE, [staff])


def open_cases(stores: Stores, team: UUID) -> set[UUID]:
    """Return the cases of a team that are not closed, whoever can open them."""
    with stores.data.reading() as connection:
        return cases.open_cases_of(connection, team)


def of_team(stores: Stores, ids: Iterable[UUID], team: UUID) -> set[UUID]:
    """Return those of these cases that are a team's; a row that does not hold is believed."""
    with stores.data.reading() as connection:
        return cases.ids_of_team(connection, list(ids), team)


def page(
    stores: Stores,
    caller: Caller,
    ids: Iterable[UUID],
    look: Look[T],
    *,
    reads: Mapping[str, Iterable[str]],
    only: bool = False,
    after: UUID | None = None,
    limit: int = PAGE,
) -> CaseloadPage[T]:
    """Look at up to `limit` of these cases; `reads` says which kinds of documents, by compartment.

    Of a compartment that the caller cannot open there are none. With `only`, which names a single
    compartment, nothing is asked about others. Keys are opened of the compartments that are read;
    of the others it is enough that a signed grant carries them. A page costs the same few
    statements however many cases are on it.
    """
    chosen = sorted(one for one in ids if after is None or one > after)
    wanted = {name: frozenset(kinds) for name, kinds in reads.items()}
    with stores.data.reading() as connection:
        rows = cases.find_cases(connection, stores.roots, chosen[:limit])
        there = [one for one in chosen[:limit] if one in rows]
        # Looked up after the data, so that the keys are never older than what they open.
        with stores.keyring.reading() as tx:
            caller.keys.prefetch(tx, ObjectKind.CASE, there)
            case_keys.prefetch(tx, there)
            held = {
                one: _sound(_held, stores, tx, caller, rows[one], wanted, only) for one in there
            }
        read = _read(connection, held, wanted)
    items = tuple(_seen(one, rows[one], held[one], read.get(one), look) for one in there)
    return CaseloadPage(items, chosen[limit - 1] if len(chosen) > limit else None)


def parts(touched: Sequence[Touched]) -> list[tuple[Touched, ...]]:
    """Return what an act touched in portions of which each fits into one entry."""
    return [tuple(touched[at : at + _TOUCHED]) for at in range(0, len(touched), _TOUCHED)]


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
    # A case that an emergency opened has an entry of its own, which the ledger marks.
    broken = [one for one in good if one.id in caller.keys.broken]
    usual = [one for one in good if one.id not in caller.keys.broken]
    many = [*parts(usual), *((one,) for one in broken)] or [()]
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
        for part in many
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


@dataclass(frozen=True, slots=True)
class _Held:
    """A case with the keys of what is read of it, and the names of all that its holder has."""

    case: HeldCase
    names: tuple[str, ...]


def _held(
    stores: Stores,
    tx: KeyringTransaction,
    caller: Caller,
    case: CaseMetadata | None,
    reads: Collection[str],
    only: bool,
) -> _Held:
    if case is None:
        raise Tampered(code="case.stamp")
    every = frozenset(reads) if only else case_keys.compartments(tx, case.id)
    target = Object(ObjectKind.CASE, case.id, case.team)
    keys, names = caller.keys.glance(tx, target, reads, every)
    versions = case_keys.of_case(tx, case.id, sorted(reads))
    return _Held(HeldCase(stores.organisation, case, keys, versions), tuple(sorted(names)))


def _read(
    connection: Connection,
    held: Mapping[UUID, _Held | None],
    reads: Mapping[str, frozenset[str]],
) -> dict[UUID, tuple[Document, ...] | None]:
    """Return what each case has to show; None if something of it does not open."""
    documents_of: dict[UUID, tuple[Document, ...] | None] = {
        one: () for one, found in held.items() if found
    }
    for compartment, kinds in reads.items():
        opening = {
            one: found.case
            for one, found in held.items()
            if found and compartment in found.case.keys
        }
        for one, read in _read_compartment(connection, opening, compartment, kinds).items():
            before = documents_of[one]
            documents_of[one] = None if before is None or read is None else (*before, *read)
    return documents_of


def _read_compartment(
    connection: Connection,
    opening: Mapping[UUID, HeldCase],
    compartment: str,
    kinds: frozenset[str],
) -> dict[UUID, list[Document] | None]:
    sealed = manifests.sealed_manifests(connection, opening, compartment)
    listed = {
        one: _sound(case.opened_manifest, compartment, sealed.get(one))
        for one, case in opening.items()
    }
    wanted = [d.row for m in listed.values() if m is not None for d in m.of_kinds(kinds)]
    rows = documents.sealed_documents(connection, wanted, compartment)
    return {
        one: None
        if manifest is None
        else _sound(opening[one].opened_documents, manifest, kinds, rows)
        for one, manifest in listed.items()
    }


def _seen(
    case_id: UUID,
    case: CaseMetadata | None,
    held: _Held | None,
    read: tuple[Document, ...] | None,
    look: Look[T],
) -> Seen[T]:
    if held is None or read is None:
        return Seen(case_id, case, None)
    glance = Glance(held.case.case, held.names, read)
    return Seen(case_id, case, _sound(look, glance))


def _sound(work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T | None:
    """Return what `work` returns, None if something stored does not hold."""
    try:
        return work(*args, **named)
    except Tampered:
        return None
