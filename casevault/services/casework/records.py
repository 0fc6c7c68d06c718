"""Notes, services and tasks of a case: written, listed, read, corrected, redacted.

A service also becomes a coded row of the facts, which is all that counts are made from. Every
read is on the ledger before a byte leaves, with the record's id and the names of its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from casevault.domain.case import casefile, dictionary, keeping, restricting
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record, coded_services
from casevault.domain.staff.access import Permission
from casevault.errors import Invalid, NotFound
from casevault.store.case.held_case import Look
from casevault.store.case.records import Kept, kept
from casevault.store.casework import feeds
from casevault.store.casework.advising import IDENTITY_COMPARED, Advice, Adviser
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import stamps
from casevault.store.keys import people
from casevault.store.log.ledger import Act, Touched
from casevault.store.sharing import recipients

PAGE = 25
TIMELINE = (
    DocumentKind.NOTE,
    DocumentKind.SERVICE,
    DocumentKind.TASK,
    DocumentKind.LINK,
    DocumentKind.TRANSITION,
    DocumentKind.CONSENT,
    DocumentKind.BASIS,
    DocumentKind.REFERRAL,
)
NARRATIVE, FACTS = Compartment.NARRATIVE.value, Compartment.FACTS.value


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of records, newest date first; `cursor` asks for the next."""

    items: tuple[Kept, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Written:
    """A record that was written, and what is to be remarked about its words."""

    id: UUID
    version: int
    advice: Advice


class Records:
    """The use cases of records."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)

    def add(
        self,
        caller: Caller,
        case_id: UUID,
        kind: DocumentKind,
        content: Mapping[str, Any],
        about: UUID | None = None,
    ) -> Written:
        """Add a record in the caller's name. `about`: whose task it is.

        A repeated request adds nothing and returns the id that it got before.
        """
        stores = self._stores
        checked = stores.dictionary.validate(kind, content)
        adviser = Adviser(stores, self._desk, caller, kind, checked)
        record = Record.new(checked, caller.staff, self._stores.now(), about)

        def work(changes: Mapping[UUID, Change]) -> tuple[UUID, Done]:
            change = changes[case_id]
            if about is not None:
                with stores.keyring.reading() as tx:
                    people.known_staff(tx, about)
            row = change.add(NARRATIVE, kind.value, record.encode())
            _recount(change, kind)
            return row, _done(kind, "add", row, checked, adviser.advice)

        again = f"{kind.value}.repeat"
        added = self._desk.make(
            caller,
            [case_id],
            Permission.CASE_AMEND,
            _compartments(kind),
            kind,
            work,
            again,
            look=adviser.look,
        )
        self._follow(caller, Kept(added, kind, 1, record))
        return Written(added, 1, adviser.advice)

    def correct(
        self,
        caller: Caller,
        case_id: UUID,
        kind: DocumentKind,
        row: UUID,
        content: Mapping[str, Any],
        reason: str,
        version: int,
    ) -> Written:
        """Write a new version; the old one stays readable. A note's correction needs a reason."""
        if kind is DocumentKind.NOTE:
            self._check_reason(reason)
        words, now = self._stores.dictionary, self._stores.now()
        adviser = Adviser(self._stores, self._desk, caller, kind, content)
        changed = self._amend(
            caller,
            case_id,
            kind,
            row,
            version,
            lambda record: record.corrected(
                words.amended(kind, record.current.content, content), caller.staff, now, reason
            ),
            lambda: _done(kind, "amend", row, content, adviser.advice),
            adviser.look,
        )
        return Written(row, changed, adviser.advice)

    def redact(
        self,
        caller: Caller,
        case_id: UUID,
        kind: DocumentKind,
        row: UUID,
        passage: str,
        reason: str,
        version: int,
    ) -> int:
        """Take a passage out of every version for good; a trace says who did it and why."""
        texts = dictionary.texts_of(kind)
        self._check_reason(reason)
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_AMEND, NARRATIVE)
        with self._desk.recording_failure(caller, case_id):
            keeping.check_free(held.case)
        return self._amend(
            caller,
            case_id,
            kind,
            row,
            version,
            lambda r: r.redacted(passage, texts, caller.staff, self._stores.now(), reason),
            lambda: _done(kind, "redact", row, dict.fromkeys(texts)),
        )

    def read(self, caller: Caller, case_id: UUID, kind: DocumentKind, row: UUID) -> Kept:
        """Return one record with all its versions."""
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_READ, NARRATIVE)
            with self._desk.recording_failure(caller, case_id):
                manifest = held.manifest(connection, NARRATIVE)
                listed = manifest.of_row(row)
                known = listed is not None and listed.kind == kind.value
                found = held.documents(connection, manifest, rows=[row]) if known else []
        opened = [kept(document) for document in found]
        self._record_read(caller, case_id, f"{kind.value}.read", opened)
        if not opened:
            raise NotFound(code="document")
        return opened[0]

    def timeline(self, caller: Caller, case_id: UUID, cursor: str | None = None) -> RecordPage:
        """Return a page of everything that happened in a case."""
        return self.list_(caller, case_id, TIMELINE, cursor)

    def list_(
        self,
        caller: Caller,
        case_id: UUID,
        kinds: tuple[DocumentKind, ...],
        cursor: str | None = None,
    ) -> RecordPage:
        """Return a page of the records of these kinds: newest date first, 25 at a time."""
        purpose = f"records/{caller.staff.hex}/{case_id.hex}/{'+'.join(kinds)}"
        after = None if cursor is None else stamps.open_cursor(self._stores.roots, purpose, cursor)
        names = [kind.value for kind in kinds]
        _, _, found = self._desk.read(caller, case_id, Permission.CASE_READ, NARRATIVE, names)
        listed = sorted((kept(document) for document in found), key=_position, reverse=True)
        if after is not None:
            listed = [one for one in listed if list(_position(one)) < after]
        page, more = listed[:PAGE], len(listed) > PAGE
        code = f"{kinds[0].value}.list" if len(kinds) == 1 else "case.timeline"
        self._record_read(caller, case_id, code, page)
        last = list(_position(page[-1])) if more else None
        cursor = None if last is None else stamps.seal_cursor(self._stores.roots, purpose, last)
        return RecordPage(tuple(page), cursor)

    def _amend(
        self,
        caller: Caller,
        case_id: UUID,
        kind: DocumentKind,
        row: UUID,
        version: int,
        grow: Callable[[Record], Record],
        done: Callable[[], Done],
        look: Look | None = None,
    ) -> int:
        def work(change: Change) -> tuple[Kept, Done]:
            document = change.document(NARRATIVE, kind.value, row)
            present = Record.decode(document.content)
            if change.case.restriction and recipients.RIGHT not in present.marks:
                raise restricting.frozen()
            grown = grow(present)
            change.amend(NARRATIVE, row, grown.encode(), version)
            _recount(change, kind)
            return Kept(row, kind, version + 1, grown), done()

        changed = self._desk.change(
            caller,
            case_id,
            Permission.CASE_AMEND,
            _compartments(kind),
            work,
            frozen_too=kind is DocumentKind.TASK,
            look=look,
        )
        self._follow(caller, changed)
        return changed.version

    def _follow(self, caller: Caller, changed: Kept) -> None:
        if changed.kind is DocumentKind.TASK:
            feeds.follow(self._stores, caller, changed)

    def _record_read(self, caller: Caller, case_id: UUID, code: str, read: list[Kept]) -> None:
        fields = {f"{one.kind.value}.{name}" for one in read for name in one.record.current.content}
        self._stores.ledger.record(
            Act(
                code,
                caller.on_ledger,
                rule="permit:caseload",
                purpose="treatment",
                touched=(
                    Touched("case", case_id),
                    *(Touched(one.kind.value, one.id) for one in read),
                ),
                fields=tuple(sorted(fields)),
                count=len(read),
            )
        )

    @staticmethod
    def _check_reason(reason: str) -> None:
        if not reason.strip():
            raise Invalid("A correction needs a reason.", code="record.reason")


def _compartments(kind: DocumentKind) -> tuple[str, ...]:
    narrative = casefile.compartment_of(kind).value
    return (narrative, FACTS) if kind is DocumentKind.SERVICE else (narrative,)


def _recount(change: Change, kind: DocumentKind) -> None:
    """Make the coded facts follow the services of the case."""
    if kind is not DocumentKind.SERVICE:
        return
    services = change.documents(NARRATIVE, [DocumentKind.SERVICE.value])
    coded = coded_services(Record.decode(document.content) for document in services)
    facts = change.document(FACTS, DocumentKind.FACTS.value)
    change.amend(FACTS, facts.row, {**facts.content, "services": coded}, facts.version)


def _done(
    kind: DocumentKind,
    act: str,
    row: UUID,
    content: Mapping[str, Any],
    advice: Advice | None = None,
) -> Done:
    # Whoever compares words with the identity has looked at it: so it is on the log.
    compared = IDENTITY_COMPARED if advice is not None and advice.compared else ()
    return Done(
        f"{kind.value}.{act}",
        (*compared, *(f"{kind.value}.{name}" for name in sorted(content))),
        (Touched(kind.value, row),),
    )


def _position(kept: Kept) -> tuple[str, str]:
    return kept.date, kept.id.hex
