"""The survivor's copy of their own file: shown to whoever holds the case, then given as shown.

Two halves: the content, which a holder of every part makes, and who looked, if an auditor released
it. Nothing of a copy is stored: it leaves as a file once its entry is durable. Must never leave
without a preview of the same bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from casevault.domain.case import dictionary, keeping
from casevault.domain.case.casefile import DocumentKind, compartment_of
from casevault.domain.case.records import Record
from casevault.domain.rights import copies, copy_archive, portability
from casevault.domain.rights.copies import Attachment, Edition, Part, Place, Withheld
from casevault.domain.sharing.packing import PackedFile
from casevault.domain.staff.access import Permission
from casevault.errors import Conflict, NotFound
from casevault.store.audit import audit_records
from casevault.store.audit.audit_records import LOOKS
from casevault.store.case import files
from casevault.store.case.documents import Document
from casevault.store.case.files import Attached
from casevault.store.case.held_case import HeldCase
from casevault.store.casework.held import Desk
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched

# One document of a case that is no record with versions.
_WHOLE = frozenset({DocumentKind.IDENTITY, DocumentKind.PROFILE, DocumentKind.FACTS})
# The form of a copy in which its files lie beside it.
WITH_FILES = "zip"
# What a record's marks say that is about the survivor, and not about who decided.
_TOLD = ("state", "stage", "outcome_on", "answer")


@dataclass(frozen=True, slots=True)
class Preview:
    """A copy as it would leave, the word that confirms it, and what to look at first."""

    copy: dict[str, Any] = field(repr=False)
    digest: str
    review: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A copy, and the files that go with it under the names that it gives them."""

    copy: dict[str, Any] = field(repr=False)
    files: tuple[PackedFile, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Made:
    """A copy that nobody has got yet, and where the bytes of the files are, by their parts."""

    parts: list[Part] = field(repr=False)
    copy: dict[str, Any] = field(repr=False)
    files: Mapping[str, Attached]


class Copying:
    """The use cases of the survivor's copy."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    def preview(self, caller: Caller, case_id: UUID, withheld: Sequence[Withheld]) -> Preview:
        """Return the copy as it would leave; the entry is durable before this returns."""
        made = self._made(caller, case_id, withheld)
        self._record(caller, "case.read", case_id, made.parts, ("copy",))
        return Preview(made.copy, copies.digest(made.copy), tuple(copies.to_review(made.parts)))

    def give(
        self,
        caller: Caller,
        case_id: UUID,
        withheld: Sequence[Withheld],
        digest: str,
        form: str,
        language: str,
    ) -> Given:
        """Return the copy that was previewed; the entry is durable before this returns.

        :raises Conflict: the file, or who looked at it, changed since.
        :raises Invalid: its files are too large to go with it.
        """
        made = self._made(caller, case_id, withheld)
        with self._desk.recording_failure(caller, case_id):
            if not hmac.compare_digest(copies.digest(made.copy), digest):
                raise Conflict(
                    "The copy is not what you were shown any more. Look at it again.",
                    code="copy.changed",
                )
            beside = self._beside(made) if form == WITH_FILES else {}
        said = (form, language, *sorted({f"kept-back:{one.reason}" for one in withheld}))
        touched = tuple(Touched("file", row) for row in beside)
        self._record(caller, "case.export", case_id, made.parts, said, touched)
        return Given(made.copy, tuple(beside.values()))

    def carry(self, caller: Caller, case_id: UUID) -> dict[str, Any]:
        """Return the person's data under the names of HTCDS; the entry is durable before."""
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_EXPORT)
            with self._desk.recording_failure(caller, case_id):
                _check_whole(held)
                found: dict[str, Any] = {}
                for kind in (DocumentKind.IDENTITY, DocumentKind.PROFILE):
                    name = compartment_of(kind).value
                    if name in held.versions:
                        manifest = held.manifest(connection, name)
                        for document in held.documents(connection, manifest, [kind.value]):
                            found[kind.value] = document.content
        identity, profile = (found.get(one, {}) for one in ("identity", "profile"))
        case = held.case
        record = portability.carried(case.reference, case.status.value, identity, profile)
        self._stores.ledger.record(
            Act(
                "case.export",
                caller.on_ledger,
                rule="permit:caseload",
                purpose="treatment",
                touched=(Touched("case", case_id),),
                fields=portability.field_names(record),
                filters=("portability",),
            )
        )
        return record

    def _made(self, caller: Caller, case_id: UUID, withheld: Sequence[Withheld]) -> _Made:
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_EXPORT)
            with self._desk.recording_failure(caller, case_id):
                _check_whole(held)
                opened = {
                    name: held.documents(connection, held.manifest(connection, name))
                    for name in sorted(held.versions)
                }
        with self._desk.recording_failure(caller, case_id):
            attached = {
                document.row.hex: files.attached(held.organisation, case_id, name, document)
                for name, found in opened.items()
                for document in found
                if document.kind == files.KIND
            }
            parts = [
                self._part(document, held.case.opened_month, attached)
                for found in opened.values()
                for document in found
            ]
            looks = self._looks(caller, held)
            about = self._about(held)
            return _Made(parts, copies.made(about, parts, withheld, looks), attached)

    def _part(self, document: Document, month: str, attached: Mapping[str, Attached]) -> Part:
        part, one = _part(document, month), attached.get(document.row.hex)
        if one is None:
            return part
        digest = files.digest_of(self._stores.data, one)
        return replace(part, file=Attachment(one.media_type, digest))

    def _beside(self, made: _Made) -> dict[UUID, PackedFile]:
        """Return the files that go with a copy, each the one whose SHA-256 it names."""
        listed = copies.enclosed(made.copy)
        copy_archive.check_size(made.files[id_].size for id_, _, _ in listed)
        return {
            made.files[id_].row: replace(
                files.packed(self._stores.data, made.files[id_], digest), name=path
            )
            for id_, path, digest in listed
        }

    def _about(self, held: HeldCase) -> dict[str, Any]:
        case = held.case
        return {
            "reference": case.reference,
            "made_on": self._stores.clock.now().date().isoformat(),
            "status": case.status.value,
            "opened": case.opened_month,
            "kept_until": keeping.due_of(case),
        }

    def _looks(self, caller: Caller, held: HeldCase) -> dict[str, Any] | None:
        """Return who looked, as an auditor released it, or None."""
        stores, case = self._stores, held.case
        record_id = audit_records.id_for(stores, LOOKS, str(case.id))
        try:
            return dict(
                audit_records.read(stores, caller.keys, LOOKS, record_id, case.team).content
            )
        except NotFound:
            return None

    def _record(
        self,
        caller: Caller,
        code: str,
        case_id: UUID,
        parts: Iterable[Part],
        filters: tuple[str, ...],
        also: tuple[Touched, ...] = (),
    ) -> None:
        shown = list(parts)
        self._stores.ledger.record(
            Act(
                code,
                caller.on_ledger,
                rule="permit:caseload",
                purpose="treatment",
                touched=(Touched("case", case_id), *also),
                fields=copies.field_names(shown),
                filters=filters,
                count=len(shown),
            )
        )


def _check_whole(held: HeldCase) -> None:
    if held.keys.keys() != held.versions.keys():
        raise Conflict(
            "A copy is made by somebody who can open every part of the case.", code="copy.parts"
        )


def _part(document: Document, opened_month: str) -> Part:
    kind = DocumentKind(document.kind)
    if kind in _WHOLE:
        content = _plain(kind, document.content)
        return Part(kind.value, document.row.hex, (Edition(opened_month, content),))
    record = Record.decode(document.content)
    editions = tuple(
        Edition(_day(one.at), _plain(kind, one.content), one.reason) for one in record.versions
    )
    marks = {name: record.marks[name] for name in _TOLD if record.marks.get(name)}
    return Part(kind.value, document.row.hex, editions, marks, len(record.redactions))


def _plain(kind: DocumentKind, content: Any) -> dict[str, Any]:  # noqa: ANN401 - a document's
    # What ties rows together inside the vault is about nobody.
    hidden = {"case", "pid", "same_as"} if kind is DocumentKind.FACTS else set()
    shown = dictionary.shown(kind, content)
    return {name: value for name, value in shown.items() if name not in hidden}


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
