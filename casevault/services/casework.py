"""A case: opened, listed, read, amended, explained.

Every read is on the ledger before a byte leaves. A case that is unknown and a case that is not
yours give the same answer. Must never answer from anything but unsealed, checked documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from casevault.crypto.sealing import Key
from casevault.domain import casefile, dictionary
from casevault.domain.access import Permission, Subject
from casevault.domain.casefile import CaseMetadata, Compartment, DocumentKind
from casevault.domain.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, NotFound, Tampered
from casevault.ids import CaseId, TeamId, new_id, new_reference
from casevault.store import case_keys, cases, documents, grants, idempotency, stamps
from casevault.store.caller import Caller, Gate
from casevault.store.documents import Document
from casevault.store.grants import Grantee, Object
from casevault.store.held import Change, Desk, Done, HeldCase
from casevault.store.keyring import KeyringTransaction
from casevault.store.ledger import Act, Touched
from casevault.store.stores import Stores
from casevault.store.unit_of_work import unit_of_work

PAGE = 25
_ALL = frozenset(c.value for c in Compartment)


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


@dataclass(frozen=True, slots=True)
class Opened:
    """A document as it leaves: content by field, and the version for ETag."""

    content: Mapping[str, Any] = field(repr=False)
    version: int


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
        repeat: idempotency.Repeat | None = None,
    ) -> CaseView:
        """Record a new case: keys first, then documents and entry in one transaction."""
        stores = self._stores
        owner = _team_of(caller, team)
        self._gate.require(caller, Permission.CASE_OPEN, Subject(kind="case", team=owner))
        documents = {
            DocumentKind.IDENTITY: dictionary.validate(DocumentKind.IDENTITY, identity),
            DocumentKind.PROFILE: dictionary.validate(DocumentKind.PROFILE, profile),
        }
        if (earlier := self._repeated(caller, repeat)) is not None:
            return earlier
        case = casefile.new_case(
            case_id=CaseId(new_id()),
            reference=new_reference(),
            team=owner,
            retention_class=retention_class,
            opened=stores.clock.now().date(),
        )
        facts = {"case": case.id.hex, "pid": new_id().hex}
        contents = _by_compartment({**documents, DocumentKind.FACTS: facts})
        keys = {name: Key.random() for name in sorted(_ALL)}
        with stores.keyring.writing() as tx:
            case_keys.add(tx, case.id, keys)
            self._grant_at_birth(tx, caller, case, keys)
        fields = tuple(f"{k.value}.{name}" for k, c in documents.items() for name in sorted(c))
        try:
            self._insert(caller, case, keys, contents, fields, repeat)
        except Conflict:
            # The same request came twice at once: the other one made the case.
            earlier = self._repeated(caller, repeat)
            if earlier is None:
                raise
            return earlier
        return CaseView(case, tuple(sorted(_ALL)))

    def _repeated(self, caller: Caller, repeat: idempotency.Repeat | None) -> CaseView | None:
        if repeat is None:
            return None
        stores = self._stores
        with stores.data.reading() as connection:
            earlier = idempotency.find(connection, stores.roots, repeat, stores.now())
        return None if earlier is None else self.read_case(caller, earlier)

    def _insert(
        self,
        caller: Caller,
        case: CaseMetadata,
        keys: Mapping[str, Key],
        contents: Mapping[str, Mapping[str, Mapping[str, Any]]],
        fields: tuple[str, ...],
        repeat: idempotency.Repeat | None,
    ) -> None:
        stores = self._stores
        # Sealed before the write lock is taken: the lock is everybody's.
        sealed = [
            documents.seal_compartment(stores.organisation, case, name, keys[name], inside)
            for name, inside in contents.items()
        ]
        versions = tuple((one.manifest.compartment, one.manifest.revision) for one in sealed)
        with unit_of_work(stores.data, stores.ledger) as uow:
            cases.insert_case(uow.connection, stores.roots, case, sealed)
            if repeat is not None:
                idempotency.keep(uow.connection, stores.roots, repeat, case.id, stores.now())
            uow.record(
                Act(
                    "case.open",
                    caller.on_ledger,
                    rule="permit:team",
                    purpose="treatment",
                    touched=(Touched("case", case.id, versions),),
                    fields=fields,
                )
            )
            uow.commit()

    def list_cases(self, caller: Caller, cursor: str | None = None) -> Page:
        """Return a page of the caller's caseload in the order of random ids. Never a total."""
        stores = self._stores
        self._gate.require(caller, Permission.CASE_LIST, Subject(kind="case"))
        purpose = "caseload/" + caller.staff.hex
        after = None
        if cursor is not None:
            after = UUID(stamps.open_cursor(stores.roots, purpose, cursor)[0])
        with stores.keyring.reading() as tx, stores.data.reading() as connection:
            reach = {caller.staff, *caller.keys.group_ids(tx)}
            ids = grants.objects_of(tx, ObjectKind.CASE, reach)
            found = cases.cases_after(connection, stores.roots, ids, after, PAGE + 1)
            page, more = found[:PAGE], len(found) > PAGE
            views = tuple(_view(*self._desk.preview(tx, connection, caller, case)) for case in page)
        stores.ledger.record(
            Act(
                "case.list",
                caller.on_ledger,
                rule="permit:caseload",
                purpose="treatment",
                touched=tuple(Touched("case", case.id) for case in page),
                fields=("identity.name_to_use",) if page else (),
                count=len(page),
            )
        )
        last = [str(page[-1].id)] if more else None
        return Page(views, stamps.seal_cursor(stores.roots, purpose, last) if last else None)

    def read_case(self, caller: Caller, case_id: UUID) -> CaseView:
        """Return the plain metadata of a case that the caller holds any key of."""
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_READ)
        self._record_read(caller, held.case, ("case.metadata",), ())
        return CaseView(held.case, tuple(sorted(held.keys)))

    def read_document(self, caller: Caller, case_id: UUID, kind: DocumentKind) -> Opened:
        """Return one document of a case; the entry is durable before this returns."""
        stores = self._stores
        compartment = casefile.compartment_of(kind).value
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_READ, compartment)
            with self._desk.recording_failure(caller, case_id):
                manifest = held.manifest(connection, compartment)
                found = held.documents(connection, manifest, [kind.value])
        if not found:
            raise NotFound(code="document")
        document = found[0]
        fields = tuple(f"{kind.value}.{name}" for name in sorted(document.content))
        self._record_read(caller, held.case, fields, ((compartment, manifest.revision),))
        return Opened(document.content, document.version)

    def amend_document(
        self,
        caller: Caller,
        case_id: UUID,
        kind: DocumentKind,
        content: Mapping[str, Any],
        version: int,
    ) -> int:
        """Replace a document whose version is still `version`; return the new version."""
        compartment = casefile.compartment_of(kind).value
        checked = dictionary.validate(kind, content)
        fields = tuple(f"{kind.value}.{name}" for name in sorted(checked))

        def work(change: Change) -> tuple[int, Done]:
            document = change.document(compartment, kind.value)
            change.amend(compartment, document.row, checked, version)
            return version + 1, Done("case.amend", fields)

        return self._desk.change(caller, case_id, Permission.CASE_AMEND, [compartment], work)

    def _grant_at_birth(
        self,
        tx: KeyringTransaction,
        caller: Caller,
        case: CaseMetadata,
        keys: Mapping[str, Key],
    ) -> None:
        trust = self._stores.trust
        facts = frozenset({Compartment.FACTS.value})
        wanted = [
            (trust.groups(tx, PrincipalKind.OVERSIGHT, case.team), _ALL),
            (trust.groups(tx, PrincipalKind.RECOVERY), _ALL),
            (trust.groups(tx, PrincipalKind.COUNTING), facts),
        ]
        grantees = [(Grantee(caller.staff, caller.keys.secret.public), _ALL)]
        for groups, names in wanted:
            if not groups:
                raise Tampered(code="principal.missing")
            grantees += [(group, names) for group in groups]
        grants.give(
            tx,
            Object(ObjectKind.CASE, case.id, case.team),
            keys,
            caller.keys.granter,
            grantees,
            purpose="birth",
            issued_at=self._stores.now(),
        )

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


def _by_compartment(
    documents: Mapping[DocumentKind, Mapping[str, Any]],
) -> dict[str, dict[str, Mapping[str, Any]]]:
    contents: dict[str, dict[str, Mapping[str, Any]]] = {name: {} for name in sorted(_ALL)}
    for kind, content in documents.items():
        contents[casefile.compartment_of(kind)][kind.value] = content
    return contents


def _team_of(caller: Caller, team: UUID | None) -> TeamId:
    if team is not None:
        return TeamId(team)
    if len(caller.actor.teams) == 1:
        return next(iter(caller.actor.teams))
    # Nobody's team: the gate will say no, and put it on the ledger.
    return TeamId(UUID(int=0))


def _view(held: HeldCase, identity: Document | None) -> CaseView:
    name = None if identity is None else identity.content.get("name_to_use")
    return CaseView(held.case, tuple(sorted(held.keys)), name)
