"""Links between cases, and members of staff whom a survivor refuses.

A link is a sealed record in both cases: who holds one of them sees that there is another, not
what is in it. Deciding "the same person" or "not the same person" is a person's act, reversible;
the same person is counted once, so the coded facts of both cases say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.staff.access import Permission
from casevault.errors import Conflict, FieldError, Invalid, NotFound
from casevault.store.case.documents import Document
from casevault.store.case.records import POSSIBLE, Kept, kept
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.keys import grants, people
from casevault.store.log.ledger import Act, Touched

_NARRATIVE, _FACTS = Compartment.NARRATIVE.value, Compartment.FACTS.value
_LINK, _REFUSED = DocumentKind.LINK, DocumentKind.REFUSED_STAFF
# How the other case sees a link; all others look the same from both sides.
_SEEN_FROM_THERE = {"dependant": "guardian", "guardian": "dependant"}
_SAME = "same_person"
_CONTRADICTS = {"same_person": "not_same_person", "not_same_person": "same_person"}


@dataclass(frozen=True, slots=True)
class RefusedPerson:
    """A member of staff whom the survivor does not want, and whether they hold keys today."""

    record: Kept
    holds_keys: bool


class Links:
    """The use cases of links and refusals."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)

    def link(
        self, caller: Caller, case_id: UUID, other_id: UUID, content: Mapping[str, Any]
    ) -> UUID:
        """Link two cases whose narrative the caller holds; return the record's id here."""
        checked = self._stores.dictionary.validate(_LINK, content)
        if case_id == other_id:
            raise Invalid(
                "A case cannot be linked to itself.",
                code="link.itself",
                errors=(FieldError("/case_id", "link.itself"),),
            )
        mirrored = {**checked, "type": _SEEN_FROM_THERE.get(checked["type"], checked["type"])}
        now = self._stores.now()
        wanted = _compartments(checked["type"])

        def work(changes: Mapping[UUID, Change]) -> tuple[UUID, Done]:
            here, there = changes[case_id], changes[other_id]
            _check_new(here, other_id, checked["type"])
            if checked["type"] in _CONTRADICTS:
                _close_question(here, other_id)
                _close_question(there, case_id)
            there.add(
                _NARRATIVE, _LINK.value, Record.new(mirrored, caller.staff, now, case_id).encode()
            )
            row = here.add(
                _NARRATIVE, _LINK.value, Record.new(checked, caller.staff, now, other_id).encode()
            )
            if checked["type"] == _SAME:
                _count_once(here, there)
            fields = tuple(f"link.{name}" for name in sorted(checked))
            return row, Done("case.link", fields)

        both = [case_id, other_id]
        return self._desk.make(caller, both, Permission.CASE_AMEND, wanted, _LINK, work)

    def unlink(self, caller: Caller, case_id: UUID, row: UUID) -> None:
        """Take a link back in both cases."""
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_AMEND, _NARRATIVE)
            with self._desk.recording_failure(caller, case_id):
                manifest = held.manifest(connection, _NARRATIVE)
                record, other = _link_in(held.documents(connection, manifest, rows=[row]))
        kind = record.current.content["type"]

        def work(changes: Mapping[UUID, Change]) -> tuple[None, Done]:
            changes[case_id].document(_NARRATIVE, _LINK.value, row)
            changes[case_id].remove(_NARRATIVE, row)
            for mirror in _links(changes[other]):
                same = mirror.record.current.content["type"] == _SEEN_FROM_THERE.get(kind, kind)
                if mirror.record.about == case_id and same:
                    changes[other].remove(_NARRATIVE, mirror.id)
            if kind == _SAME:
                _count_apart(changes[case_id], changes[other])
            return None, Done("case.unlink", ("link.type",))

        both = [case_id, other]
        self._desk.change_all(caller, both, Permission.CASE_AMEND, _compartments(kind), work)

    def links(self, caller: Caller, case_id: UUID) -> list[Kept]:
        """Return the links of a case."""
        return self._read(caller, case_id, _LINK)

    def refuse(
        self, caller: Caller, case_id: UUID, staff: UUID, content: Mapping[str, Any]
    ) -> UUID:
        """Note that the survivor does not want this member of staff: no grant to them from now."""
        checked = self._stores.dictionary.validate(_REFUSED, content)

        def work(changes: Mapping[UUID, Change]) -> tuple[UUID, Done]:
            change = changes[case_id]
            with self._stores.keyring.reading() as tx:
                people.known_staff(tx, staff)
            if staff in refused(change):
                raise Conflict("This person is refused already.", code="refused-staff.exists")
            record = Record.new(checked, caller.staff, self._stores.now(), staff)
            row = change.add(_NARRATIVE, _REFUSED.value, record.encode())
            return row, Done("case.refuse_staff", (), (Touched("staff", staff),))

        amend, one = Permission.CASE_AMEND, [case_id]
        return self._desk.make(caller, one, amend, [_NARRATIVE], _REFUSED, work, frozen_too=True)

    def accept_again(self, caller: Caller, case_id: UUID, row: UUID) -> None:
        """Take a refusal back, as the survivor wishes."""

        def work(change: Change) -> tuple[None, Done]:
            record = kept(change.document(_NARRATIVE, _REFUSED.value, row)).record
            change.remove(_NARRATIVE, row)
            also = () if record.about is None else (Touched("staff", record.about),)
            return None, Done("case.accept_staff", (), also)

        self._desk.change(caller, case_id, Permission.CASE_AMEND, [_NARRATIVE], work)

    def refusals(self, caller: Caller, case_id: UUID) -> list[RefusedPerson]:
        """Return whom the survivor refuses, and whether keys are still to be taken from them."""
        found = self._read(caller, case_id, _REFUSED)
        with self._stores.keyring.reading() as tx:
            holders = grants.holders_of(tx, case_id)
        return [RefusedPerson(one, one.record.about in holders) for one in found]

    def _read(self, caller: Caller, case_id: UUID, kind: DocumentKind) -> list[Kept]:
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_READ, _NARRATIVE)
            with self._desk.recording_failure(caller, case_id):
                manifest = held.manifest(connection, _NARRATIVE)
                found = held.documents(connection, manifest, [kind.value])
        self._stores.ledger.record(
            Act(
                f"{kind.value}.list",
                caller.on_ledger,
                rule="permit:caseload",
                purpose="treatment",
                touched=(Touched("case", case_id),),
                count=len(found),
            )
        )
        return sorted((kept(document) for document in found), key=lambda one: one.record.first.at)


def refused(change: Change) -> set[UUID]:
    """Return the members of staff whom the survivor of a case refuses."""
    found = change.documents(_NARRATIVE, [_REFUSED.value])
    about = (kept(document).record.about for document in found)
    return {staff for staff in about if staff is not None}


def _compartments(kind: str) -> tuple[str, ...]:
    """Return what a link of a kind changes: of one person, who is counted once, the facts too."""
    return (_NARRATIVE, _FACTS) if kind == _SAME else (_NARRATIVE,)


def _count_once(here: Change, there: Change) -> None:
    """Let both cases count as one person from the next release on."""
    mine, theirs = (one.document(_FACTS, DocumentKind.FACTS.value) for one in (here, there))
    for change, own, other in ((here, mine, theirs), (there, theirs, mine)):
        same = {*own.content.get("same_as", ()), other.content["pid"]}
        change.amend(_FACTS, own.row, {**own.content, "same_as": sorted(same)}, own.version)


def _count_apart(here: Change, there: Change) -> None:
    """Let both cases count as two people again, unless others still tie them."""
    mine, theirs = (one.document(_FACTS, DocumentKind.FACTS.value) for one in (here, there))
    for change, own, other in ((here, mine, theirs), (there, theirs, mine)):
        same = [pid for pid in own.content.get("same_as", ()) if pid != other.content["pid"]]
        change.amend(_FACTS, own.row, {**own.content, "same_as": same}, own.version)


def _link_in(found: list[Document]) -> tuple[Record, UUID]:
    """Return the link in a row and the case at its other end."""
    if found and found[0].kind == _LINK.value:
        record = Record.decode(found[0].content)
        if record.about is not None:
            return record, record.about
    raise NotFound(code="document")


def _links(change: Change) -> list[Kept]:
    return [kept(document) for document in change.documents(_NARRATIVE, [_LINK.value])]


def _close_question(change: Change, other: UUID) -> None:
    """Take the question away that this decision answers."""
    for one in _links(change):
        if one.record.about == other and one.record.current.content["type"] == POSSIBLE:
            change.remove(_NARRATIVE, one.id, answered=True)


def _check_new(change: Change, other: UUID, kind: str) -> None:
    present = {
        one.record.current.content["type"] for one in _links(change) if one.record.about == other
    }
    if kind in present:
        raise Conflict("These cases are linked like this already.", code="link.exists")
    if _CONTRADICTS.get(kind) in present:
        raise Conflict(
            "It was decided otherwise before. Take that link back first.",
            code="link.contradiction",
        )
