"""A case in the hands of somebody who holds a key of it.

The one way from a case id to its documents: the plain row (its stamp checked), the caller's keys,
the gate, then manifests and documents. What is unknown and what is not theirs cost the same work
and give the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from casevault.crypto.sealing import Key
from casevault.domain.case import casefile, keeping, restricting
from casevault.domain.case.casefile import CaseMetadata, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import KeyUnavailable, NotFound, Tampered
from casevault.ids import NO_TEAM, TeamId
from casevault.store.case import cases, documents, first_look
from casevault.store.case.documents import Document
from casevault.store.case.held_case import HeldCase, Look
from casevault.store.case.manifests import Manifest
from casevault.store.casework import failing, reach, rekeying
from casevault.store.casework.reach import Wish
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import idempotency
from casevault.store.keys.grants import Object
from casevault.store.log.ledger import Act, Touched
from casevault.store.log.unit_of_work import unit_of_work

T = TypeVar("T")


class Change:
    """A case whose row is locked while a use case changes its documents."""

    def __init__(self, connection: Connection, held: HeldCase, compartments: Iterable[str]) -> None:
        self.connection = connection
        self.held = held
        self.case = held.case
        self._before = {name: held.manifest(connection, name) for name in compartments}
        self._manifests = dict(self._before)

    def documents(self, compartment: str, kinds: Iterable[str]) -> list[Document]:
        """Return the documents of these kinds."""
        return self.held.documents(self.connection, self._manifests[compartment], kinds)

    def document(self, compartment: str, kind: str, row: UUID | None = None) -> Document:
        """Return one document of a kind: the only one, or the one in a row; else `NotFound`."""
        manifest = self._manifests[compartment]
        listed = manifest.of_kind(kind) if row is None else manifest.of_row(row)
        if listed is None or listed.kind != kind:
            raise NotFound(code="document")
        return self.held.documents(self.connection, manifest, rows=[listed.row])[0]

    def add(self, compartment: str, kind: str, content: Mapping[str, Any]) -> UUID:
        """Add a document; return its row."""
        row, self._manifests[compartment] = documents.add_document(
            *self._at(compartment), kind, content
        )
        return row

    def amend(self, compartment: str, row: UUID, content: Mapping[str, Any], version: int) -> None:
        """Replace a document that still has this version, else `Stale`."""
        self._manifests[compartment] = documents.amend_document(
            *self._at(compartment), row, content, version
        )

    def remove(self, compartment: str, row: UUID, *, answered: bool = False) -> None:
        """Delete a document; `Conflict` if a legal hold keeps the case.

        `answered`: it was a question, and what answers it is written in the same transaction.
        """
        if not answered:
            keeping.check_free(self.case)
        self._manifests[compartment] = documents.remove_document(*self._at(compartment), row)

    @property
    def is_changed(self) -> bool:
        """Whether anything was changed: a repeated request leaves the case as it is."""
        return self.case != self.held.case or self._manifests != self._before

    @property
    def versions(self) -> tuple[tuple[str, int], ...]:
        """The revisions of the manifests that this changed, for the ledger."""
        return tuple(
            (name, manifest.revision)
            for name, manifest in sorted(self._manifests.items())
            if manifest != self._before[name]
        )

    def _at(self, compartment: str) -> tuple[Connection, UUID, CaseMetadata, Manifest, Key]:
        held, manifest = self.held, self._manifests[compartment]
        return self.connection, held.organisation, held.case, manifest, held.key(compartment)


@dataclass(frozen=True, slots=True)
class Done:
    """What a change did, for the ledger: code, names of fields, other records, rule."""

    code: str
    fields: tuple[str, ...] = ()
    also: tuple[Touched, ...] = ()
    rule: str = "permit:caseload"
    links: tuple[tuple[str, str], ...] = ()


class Desk:
    """Brings cases to callers."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def hold(
        self,
        caller: Caller,
        connection: Connection,
        case_id: UUID,
        permission: Permission,
        compartment: str | None = None,
        *,
        of_team: UUID | None = None,
        frozen_too: bool = False,
        also: str | None = None,
    ) -> HeldCase:
        """Return a case with the caller's keys, or answer as if there were no such case.

        `of_team`: the team that the caller must be of, where that is not the case's (yet).
        `frozen_too`: the act goes on although the case is restricted (`domain.case.restricting`).
        `also`: a compartment whose key comes along if the caller holds it.
        """
        stores = self._stores
        named = () if compartment is None else tuple({compartment: 0, also or compartment: 0})
        stops = restricting.is_stopped(permission) and not frozen_too
        find = partial(cases.find_case, connection, stores.roots, case_id)
        return self._held(caller, case_id, find, permission, named, of_team, stops)

    def read(
        self,
        caller: Caller,
        case_id: UUID,
        permission: Permission,
        compartment: str,
        kinds: Collection[str],
    ) -> tuple[HeldCase, Manifest, list[Document]]:
        """Return a case as `hold`, with a manifest and documents of these kinds, of one moment."""
        stores = self._stores
        with stores.data.reading_at_once() as connection:
            look = first_look.at(connection, case_id, compartment)
            find = partial(look.case, stores.roots)
            held = self._held(caller, case_id, find, permission, (compartment,), None, stops=False)
            with suppress(Tampered, KeyUnavailable):
                return held, *look.opened(connection, held, kinds)
        # Either somebody wrote between two statements, or what is stored does not hold.
        with stores.data.reading() as connection:
            held = self.hold(caller, connection, case_id, permission, compartment)
            with self.recording_failure(caller, case_id):
                manifest = held.manifest(connection, compartment)
                return held, manifest, held.documents(connection, manifest, kinds)

    def _held(
        self,
        caller: Caller,
        case_id: UUID,
        find: Callable[[], CaseMetadata | None],
        permission: Permission,
        named: Sequence[str],
        of_team: UUID | None,
        stops: bool,
    ) -> HeldCase:
        stores, touched = self._stores, (Touched("case", case_id),)
        with self.recording_failure(caller, case_id):
            case = find()
            team = NO_TEAM if case is None else case.team
            target = Object(ObjectKind.CASE, case_id, team)
            version = None if case is None else case.key_version
            within = reach.of(stores, caller.keys, Wish(target, version, named, stops, of_team))
        keys = within.keys
        holds = named[0] in keys if named else bool(keys)
        asked = team if of_team is None else TeamId(of_team)
        subject = Subject(kind="case", team=asked, holds_grant=holds and case is not None)
        self._gate.require(caller, permission, subject, touched, hide=True)
        if case is None:
            raise NotFound()
        if not keys:
            raise KeyUnavailable()
        if within.is_frozen or (stops and case.restriction):
            with self.recording_failure(caller, case_id):
                raise restricting.frozen()
        held = HeldCase(stores.organisation, case, keys, within.versions)
        if held.is_behind and not within.is_under_way:
            self._report_behind(caller, held)
        return held

    def locked(self, held: HeldCase, connection: Connection) -> HeldCase:
        """Return the case as it is now, its row locked for the caller's write transaction."""
        case = cases.find_case(connection, self._stores.roots, held.case.id, lock=True)
        if case is None:
            raise NotFound()
        if case.key_version != held.case.key_version or case.team != held.case.team:
            raise rekeying.rekeyed()
        if case.restriction and not held.case.restriction:
            raise restricting.frozen()
        return replace(held, case=case)

    def require_not_own(
        self, caller: Caller, case_id: UUID, permission: Permission, compartment: str, row: UUID
    ) -> None:
        """Refuse whoever wrote a record; before a transaction, so that it is recorded."""
        with self._stores.data.reading() as connection:
            held = self.hold(caller, connection, case_id, permission, compartment)
            with self.recording_failure(caller, case_id):
                manifest = held.manifest(connection, compartment)
                found = held.documents(connection, manifest, rows=[row])
        own = any(Record.decode(one.content).first.by == caller.staff for one in found)
        subject = Subject("case", held.case.team, holds_grant=True, self_act=own)
        self._gate.require(caller, permission, subject, (Touched("case", case_id),))

    def change(
        self,
        caller: Caller,
        case_id: UUID,
        permission: Permission,
        compartments: Iterable[str],
        work: Callable[[Change], tuple[T, Done]],
        *,
        frozen_too: bool = False,
        look: Look | None = None,
    ) -> T:
        """Let `work` change documents of these compartments; change and entry commit together."""
        return self.change_all(
            caller,
            [case_id],
            permission,
            compartments,
            lambda changes: work(changes[case_id]),
            frozen_too=frozen_too,
            look=look,
        )

    def change_all(
        self,
        caller: Caller,
        case_ids: Iterable[UUID],
        permission: Permission,
        compartments: Iterable[str],
        work: Callable[[Mapping[UUID, Change]], tuple[T, Done]],
        *,
        frozen_too: bool = False,
        look: Look | None = None,
    ) -> T:
        """As `change`, for several cases in one transaction with one entry."""
        # Everybody locks in the same order, or two could wait for each other.
        wanted, names = sorted(set(case_ids)), tuple(compartments)
        return rekeying.tried_twice(
            lambda: self._change_all(caller, wanted, permission, names, work, frozen_too, look)
        )

    def make(
        self,
        caller: Caller,
        case_ids: Iterable[UUID],
        permission: Permission,
        compartments: Iterable[str],
        kind: DocumentKind,
        work: Callable[[Mapping[UUID, Change]], tuple[UUID, Done]],
        again: str = "case.repeat",
        *,
        frozen_too: bool = False,
        look: Look | None = None,
    ) -> UUID:
        """As `change_all`, for work that makes a record: once, however often the request is sent.

        `again` is the ledger's code of a request that came before.
        """
        stores = self._stores

        def once(changes: Mapping[UUID, Change]) -> tuple[UUID, Done]:
            connection = next(iter(changes.values())).connection
            # Under the lock of the case: the second of two at once finds the first.
            row = idempotency.find(connection, stores.roots, caller.repeat, stores.now())
            if row is not None:
                return row, Done(again, (), (Touched(kind.value, row),))
            row, done = work(changes)
            idempotency.keep(connection, stores.roots, caller.repeat, row, stores.now())
            return row, done

        return self.change_all(
            caller, case_ids, permission, compartments, once, frozen_too=frozen_too, look=look
        )

    def _change_all(
        self,
        caller: Caller,
        wanted: Sequence[UUID],
        permission: Permission,
        names: Sequence[str],
        work: Callable[[Mapping[UUID, Change]], tuple[T, Done]],
        frozen_too: bool,
        look: Look | None,
    ) -> T:
        stores = self._stores
        one = names[0] if len(names) == 1 else None
        also = None if look is None else look.compartment
        with stores.data.reading() as connection:
            first = [
                self.hold(caller, connection, it, permission, one, frozen_too=frozen_too, also=also)
                for it in wanted
            ]
            if look is not None:
                for held in first:
                    look.see(connection, held)
        found = [self._renewed(caller, each, permission, one, frozen_too) for each in first]
        with ExitStack() as stack:
            for each in wanted:
                stack.enter_context(self.recording_failure(caller, each))
            for held in found:
                for name in names:
                    held.key(name)
            uow = stack.enter_context(unit_of_work(stores.data, stores.ledger))
            changes: dict[UUID, Change] = {
                held.case.id: Change(uow.connection, self.locked(held, uow.connection), names)
                for held in found
            }
            outcome, done = work(changes)
            for change in (one for one in changes.values() if one.is_changed):
                grown = casefile.next_version(change.case)
                cases.change_case(uow.connection, stores.roots, grown)
            touched = [Touched("case", each, changes[each].versions) for each in wanted]
            uow.record(
                Act(
                    done.code,
                    caller.on_ledger,
                    rule=done.rule,
                    purpose="treatment",
                    touched=(*touched, *done.also),
                    fields=done.fields,
                    links=done.links,
                )
            )
            uow.commit()
        return outcome

    def _renewed(
        self,
        caller: Caller,
        held: HeldCase,
        permission: Permission,
        compartment: str | None,
        frozen_too: bool,
    ) -> HeldCase:
        """Bring a case under its newest keys, or give it new ones if that is due, before a write.

        Who does not hold every compartment cannot, and leaves it to a colleague who does.
        """
        if not held.is_behind and not held.case.rekey_due:
            return held
        stores, case_id = self._stores, held.case.id
        with stores.data.reading() as connection:
            whole = self.hold(caller, connection, case_id, permission, frozen_too=frozen_too)
            if whole.keys.keys() != whole.versions.keys():
                return held
            with self.recording_failure(caller, case_id):
                manifests = {name: whole.manifest(connection, name) for name in whole.keys}
        with self.recording_failure(caller, case_id):
            if whole.is_behind:
                rekeying.finish(stores, caller, whole)
            else:
                rekeying.renew(stores, caller, whole, manifests)
        with stores.data.reading() as connection:
            return self.hold(
                caller, connection, case_id, permission, compartment, frozen_too=frozen_too
            )

    def _report_behind(self, caller: Caller, held: HeldCase) -> None:
        """Record that data lies under older keys although nobody is about to change that.

        So it is after a restore, and after somebody put old rows back.
        """
        with self._stores.data.reading() as connection:
            case = cases.find_case(connection, self._stores.roots, held.case.id)
        # Otherwise it was finished between our look at the data and our look at the keys.
        if case is not None and case.key_version == held.case.key_version:
            failing.record(self._stores.ledger, caller, case.id, "key-version-behind")

    def recording_failure(self, caller: Caller, case_id: UUID) -> AbstractContextManager[None]:
        """Record that something stored did not open or was refused (`store.casework.failing`)."""
        return failing.recording(self._stores.ledger, caller, case_id)
