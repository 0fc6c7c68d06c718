"""A case: opened, listed, read, amended, explained.

Every read is on the ledger before a byte leaves. A case that is unknown and a case that is not
yours give the same answer. Must never answer from anything but unsealed, checked documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from casevault.domain.case import casefile, dictionary, facts, keeping, restricting
from casevault.domain.case.casefile import CaseMetadata, Compartment, DocumentKind
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.case.records import Record
from casevault.domain.case.retention import Schedule
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Conflict, FieldError, Invalid, NotFound
from casevault.ids import CaseId, TeamId, new_id, new_reference
from casevault.store.casework import caseload, listing
from casevault.store.casework.births import Birth, bear
from casevault.store.casework.caseload import Glance
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context import schedules
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import idempotency, stamps
from casevault.store.log.ledger import Act, Touched
from casevault.store.search import cards
from casevault.store.search.cards import Fresh

_NARRATIVE = Compartment.NARRATIVE.value
_IDENTITY = Compartment.IDENTITY.value
MAX_BATCH = 50


@dataclass(frozen=True, slots=True)
class NewCase:
    """What is given of a case to be opened."""

    identity: Mapping[str, Any] = field(repr=False)
    profile: Mapping[str, Any] = field(repr=False)
    retention_class: str = "standard"


@dataclass(frozen=True, slots=True)
class CaseView:
    """The plain metadata of a case and which compartments the caller can open."""

    case: CaseMetadata
    open_compartments: tuple[str, ...]
    display_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a caseload; `cursor` asks for the next, None after the last."""

    items: tuple[CaseView, ...]
    cursor: str | None
    # Cases of this page of which something did not open; each has raised an alarm.
    unreadable: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A document as it leaves: content by field, and the version for ETag."""

    content: Mapping[str, Any] = field(repr=False)
    version: int


class _ToBeListed(Exception):
    """A case is unlisted no longer; nothing was written yet."""


class Casework:
    """The use cases of one case."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    def open_case(
        self,
        caller: Caller,
        identity: Mapping[str, Any],
        profile: Mapping[str, Any],
        retention_class: str,
        team: UUID | None = None,
    ) -> CaseView:
        """Record a new case: keys first, then documents and entry in one transaction."""
        new = NewCase(identity, profile, retention_class)
        return self.open_cases(caller, [new], team)[0]

    def open_cases(
        self,
        caller: Caller,
        new: Sequence[NewCase],
        team: UUID | None = None,
    ) -> list[CaseView]:
        """Record up to 50 cases of one incident, all or none; each is linked to the first.

        Of a repeated request only the first case is given again.
        """
        owner = _team_of(caller, team)
        self._gate.require(caller, Permission.CASE_OPEN, Subject(kind="case", team=owner))
        if not 1 <= len(new) <= MAX_BATCH:
            raise Invalid("Send between 1 and 50 cases.", code="batch.size")
        checked = [
            _checked(self._stores.dictionary, one, place, len(new) > 1)
            for place, one in enumerate(new)
        ]
        schedule = schedules.current(self._stores)
        if (earlier := self._repeated(caller)) is not None:
            return [earlier]
        opened = self._stores.clock.now().date()
        region = self._stores.counting.region_of(self._stores.keyring, owner)
        births = [_birth(one, owner, opened, region, schedule) for one in checked]
        births = _linked(caller, births, self._stores.now())
        try:
            bear(self._stores, caller, births)
        except Conflict:
            # The same request came twice at once: the other one made the case.
            earlier = self._repeated(caller)
            if earlier is None:
                raise
            return [earlier]
        return [CaseView(birth.case, tuple(sorted(birth.keys))) for birth in births]

    def _repeated(self, caller: Caller) -> CaseView | None:
        if caller.repeat is None:
            return None
        stores = self._stores
        with stores.data.reading() as connection:
            earlier = idempotency.find(connection, stores.roots, caller.repeat, stores.now())
        return None if earlier is None else self.read_case(caller, earlier)

    def list_cases(self, caller: Caller, cursor: str | None = None) -> Page:
        """Return a page of the caller's caseload in the order of random ids. Never a total."""
        stores = self._stores
        self._gate.require(caller, Permission.CASE_LIST, Subject(kind="case"))
        purpose, after = "caseload/" + caller.staff.hex, None
        if cursor is not None:
            after = UUID(stamps.open_cursor(stores.roots, purpose, cursor)[0])
        with stores.keyring.reading() as tx:
            ids = caseload.reach_after(tx, caller, after)
        page = caseload.page(
            stores,
            caller,
            ids,
            _view,
            reads={_IDENTITY: [DocumentKind.IDENTITY.value]},
            after=after,
        )
        fields = ("identity.name_to_use",)
        stores.ledger.record(*caseload.acts(caller, "case.list", page.items, fields=fields))
        last = [] if page.after is None else [str(page.after)]
        return Page(
            items=tuple(one.found for one in page.items if one.found is not None),
            cursor=stamps.seal_cursor(stores.roots, purpose, last) if last else None,
            unreadable=tuple(one.id for one in page.items if one.found is None),
        )

    def read_case(self, caller: Caller, case_id: UUID) -> CaseView:
        """Return the plain metadata of a case that the caller holds any key of."""
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_READ)
        self._record_read(caller, held.case, ("case.metadata",), ())
        return CaseView(held.case, tuple(sorted(held.keys)))

    def read_document(self, caller: Caller, case_id: UUID, kind: DocumentKind) -> Opened:
        """Return one document of a case; the entry is durable before this returns."""
        compartment = casefile.compartment_of(kind).value
        held, manifest, found = self._desk.read(
            caller, case_id, Permission.CASE_READ, compartment, [kind.value]
        )
        if not found:
            raise NotFound(code="document")
        document = found[0]
        fields = tuple(f"{kind.value}.{name}" for name in sorted(document.content))
        self._record_read(caller, held.case, fields, ((compartment, manifest.revision),))
        return Opened(dictionary.shown(kind, document.content), document.version)

    def amend_document(
        self,
        caller: Caller,
        case_id: UUID,
        kind: DocumentKind,
        content: Mapping[str, Any],
        version: int,
    ) -> int:
        """Replace a document whose version is still `version`; return the new version."""
        own = casefile.compartment_of(kind).value
        try:
            return self._amend(caller, case_id, kind, content, version, [own])
        except _ToBeListed:
            # A card is made from the identity, which this writer must hold then.
            return self._amend(caller, case_id, kind, content, version, [own, _IDENTITY])

    def _amend(
        self,
        caller: Caller,
        case_id: UUID,
        kind: DocumentKind,
        content: Mapping[str, Any],
        version: int,
        wanted: Sequence[str],
    ) -> int:
        words, fresh = self._stores.dictionary, list[Fresh]()

        def work(change: Change) -> tuple[int, Done]:
            document = change.document(wanted[0], kind.value)
            amended = words.amended(kind, document.content, content)
            if change.case.restriction and not restricting.is_for_safety(document.content, amended):
                raise restricting.frozen()
            change.amend(wanted[0], document.row, amended, version)
            fresh.extend(self._listed(caller, change, kind, document.content, amended, wanted))
            # Past the dictionary, so these are names of fields and nothing that somebody typed.
            fields = tuple(f"{kind.value}.{name}" for name in sorted(content))
            return version + 1, Done("case.amend", fields)

        done = self._desk.change(
            caller,
            case_id,
            Permission.CASE_AMEND,
            wanted,
            work,
            frozen_too=kind is DocumentKind.IDENTITY,
        )
        if fresh:
            cards.settle(self._stores, *fresh)
        return done

    def _listed(
        self,
        caller: Caller,
        change: Change,
        kind: DocumentKind,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        held: Sequence[str],
    ) -> Iterable[Fresh]:
        """Keep the search card in step with what was just changed; yield the key it got."""
        stores, opened = self._stores, int(change.case.opened_month[:4])
        if kind is DocumentKind.IDENTITY:
            if any(before.get(name) != after.get(name) for name in listing.ON_CARDS):
                aged = before.get("age") != after.get("age")
                year = stores.clock.now().year if aged else opened
                made = listing.refresh(stores, caller, change, after, year)
                yield from () if made is None else (made,)
        elif kind is DocumentKind.PROFILE:
            if after.get("unlisted") and not before.get("unlisted"):
                listing.delist(stores, change)
            elif before.get("unlisted") and not after.get("unlisted"):
                if _IDENTITY not in held:
                    raise _ToBeListed()
                identity = change.document(_IDENTITY, DocumentKind.IDENTITY.value).content
                yield listing.enlist(stores, caller, change, identity, opened)

    def review(self, caller: Caller, case_id: UUID) -> CaseMetadata:
        """Note that the caller has looked through the case: the next review is set anew."""
        schedule = schedules.current(self._stores)

        def work(change: Change) -> tuple[CaseMetadata, Done]:
            today = self._stores.clock.now().date()
            looked_at = casefile.reviewed(change.case, today)
            change.case = keeping.contacted(schedule, looked_at, today)
            return casefile.next_version(change.case), Done("case.review", ("case.next_review",))

        return self._desk.change(caller, case_id, Permission.CASE_AMEND, [_NARRATIVE], work)

    def _record_read(
        self,
        caller: Caller,
        case: CaseMetadata,
        fields: tuple[str, ...],
        versions: tuple[tuple[str, int], ...],
    ) -> None:
        self._stores.ledger.record(
            Act(
                "case.read",
                caller.on_ledger,
                rule="permit:caseload",
                purpose="treatment",
                touched=(Touched("case", case.id, versions),),
                fields=fields,
            )
        )


def _checked(words: Dictionary, new: NewCase, place: int, of_many: bool) -> NewCase:
    at = f"/cases/{place}" if of_many else ""
    faults: list[FieldError] = []
    checked: dict[DocumentKind, dict[str, Any]] = {}
    given = ((DocumentKind.IDENTITY, new.identity), (DocumentKind.PROFILE, new.profile))
    for kind, content in given:
        try:
            checked[kind] = words.validate(kind, content)
        except Invalid as error:
            faults += [FieldError(f"{at}/{kind.value}{e.pointer}", e.code) for e in error.errors]
    if faults:
        raise Invalid("Some fields cannot be taken as they are.", errors=tuple(faults[:50]))
    return NewCase(
        checked[DocumentKind.IDENTITY], checked[DocumentKind.PROFILE], new.retention_class
    )


def _birth(
    new: NewCase, team: TeamId, opened: date, region: Mapping[str, str], schedule: Schedule
) -> Birth:
    case = casefile.new_case(
        case_id=CaseId(new_id()),
        reference=new_reference(),
        team=team,
        retention_class=new.retention_class,
        opened=opened,
        of_age=facts.of_age(new.identity, opened),
        schedule=schedule,
    )
    coded = facts.first_facts(new.identity, new.profile, opened)
    contents = (
        (DocumentKind.IDENTITY, new.identity),
        (DocumentKind.PROFILE, new.profile),
        (DocumentKind.FACTS, {"case": case.id.hex, "pid": new_id().hex, **region, **coded}),
    )
    fields = tuple(f"{k.value}.{name}" for k, c in contents[:2] for name in sorted(c))
    return Birth(case, contents, fields)


def _linked(caller: Caller, births: list[Birth], now: int) -> list[Birth]:
    """Link the cases of one incident to the first of them, from both sides."""
    first, *others = births
    content = {"type": "same_incident"}

    def link(birth: Birth, to: list[Birth]) -> Birth:
        records = (Record.new(content, caller.staff, now, other.case.id) for other in to)
        more = tuple((DocumentKind.LINK, record.encode()) for record in records)
        return replace(birth, contents=(*birth.contents, *more))

    return [link(first, others), *(link(birth, [first]) for birth in others)]


def _team_of(caller: Caller, team: UUID | None) -> TeamId:
    if team is not None:
        return TeamId(team)
    if len(caller.actor.teams) == 1:
        return next(iter(caller.actor.teams))
    # Nobody's team: the gate will say no, and put it on the ledger.
    return TeamId(UUID(int=0))


def _view(glance: Glance) -> CaseView:
    name = glance.documents[0].content.get("name_to_use") if glance.documents else None
    return CaseView(glance.case, glance.open_compartments, name)
