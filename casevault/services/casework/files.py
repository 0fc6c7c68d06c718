"""Files of a case: brought, listed, given out, taken away.

A file goes through the cleaning before it is sealed. On the ledger before its first byte comes or
goes and again after the last, so that what was cut off is seen. Must never keep a part of a file
that was refused, and never give out one that its case's keys do not open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from casevault.cleaning import TYPES
from casevault.cleaning.apart import Cleaner, refusal
from casevault.domain.case.records import Record
from casevault.domain.staff.access import Permission
from casevault.domain.texts import filenames
from casevault.errors import CaseVaultError, Conflict, Tampered
from casevault.store.case import files
from casevault.store.case.files import Address, Attached
from casevault.store.case.records import Kept, kept
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import idempotency
from casevault.store.log.ledger import FAILED, REFUSED, Act, Touched

_KIND = files.KIND
_FIELDS = ("file.bytes", "file.media_type", "file.name")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody is about to send; silent when printed."""

    case: UUID
    compartment: str
    media_type: str
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is being given out: `pieces` has to be read to its end, or closed."""

    media_type: str
    size: int
    name: str = field(repr=False)
    pieces: Generator[bytes, None, None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A file as it is listed, and in which compartment it lies."""

    record: Kept
    compartment: str


class Files:
    """The use cases of files. `quota` is in bytes and per case, padding counted."""

    def __init__(self, stores: Stores, gate: Gate, cleaner: Cleaner, quota: int) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)
        self._cleaner = cleaner
        self._quota = quota

    def begin(
        self, caller: Caller, case_id: UUID, compartment: str, name: str, media_type: str
    ) -> Upload:
        """Say that a file is about to come: refused before a byte is read, or on the ledger."""
        with self._stores.data.reading() as connection:
            self._desk.hold(caller, connection, case_id, Permission.CASE_AMEND, compartment)
            with self._desk.recording_failure(caller, case_id):
                upload = Upload(case_id, compartment, media_type, _named(name, media_type))
                self._require_room(files.used_bytes(connection, case_id))
        self._stores.ledger.record(_look(caller, "file.add_start", (Touched("case", case_id),)))
        return upload

    def add(
        self,
        caller: Caller,
        upload: Upload,
        content: bytes,
        repeat: idempotency.Repeat | None = None,
    ) -> UUID:
        """Keep a file that has come whole; return its id. A repeated request keeps nothing.

        :raises Invalid: it cannot be taken, and why; that is on the ledger too.
        """
        try:
            clean = self._cleaner.cleaned(content, upload.media_type)
        except CaseVaultError as error:
            self.abandon(caller, upload, error)
            raise
        stores = self._stores

        def work(change: Change) -> tuple[UUID, Done]:
            connection = change.connection
            if repeat is not None:
                earlier = idempotency.find(connection, stores.roots, repeat, stores.now())
                if earlier is not None:
                    return earlier, _done("file.repeat", earlier)
            address = Address.fresh(stores.organisation, upload.case, upload.compartment)
            files.write(connection, address, clean)
            self._require_room(files.used_bytes(connection, upload.case) - 1)
            record = Record.new(_content(upload, clean, address), caller.staff, stores.now())
            row = change.add(upload.compartment, _KIND, record.encode())
            if repeat is not None:
                idempotency.keep(connection, stores.roots, repeat, row, stores.now())
            return row, _done("file.add_end", row)

        return self._desk.change(
            caller, upload.case, Permission.CASE_AMEND, (upload.compartment,), work
        )

    def abandon(self, caller: Caller, upload: Upload, error: CaseVaultError | None = None) -> None:
        """Record that a file did not come whole (`error`: that it was refused). Nothing is kept."""
        rule = "failed:cut-off" if error is None else "refused:" + error.code
        outcome = FAILED if error is None else REFUSED
        touched = (Touched("case", upload.case),)
        self._stores.ledger.record(_look(caller, "file.add_end", touched, rule, outcome))

    def list_(self, caller: Caller, case_id: UUID) -> list[CaseFile]:
        """Return the files that lie in the compartments which the caller can open, newest first."""
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_READ)
            with self._desk.recording_failure(caller, case_id):
                found = [
                    CaseFile(kept(document), name)
                    for name in files.opened_by(held)
                    for document in held.documents(
                        connection, held.manifest(connection, name), [_KIND]
                    )
                ]
        touched = (Touched("case", case_id), *(Touched("file", one.record.id) for one in found))
        self._stores.ledger.record(_look(caller, "file.list", touched, count=len(found)))
        order = sorted(found, key=lambda one: (one.record.record.first.at, one.record.id))
        return order[::-1]

    def read(self, caller: Caller, case_id: UUID, row: UUID) -> Download:
        """Begin to give out a file; the entry is durable before this returns."""
        found = self._found(caller, case_id, row, Permission.CASE_READ)
        touched = (Touched("case", case_id), Touched("file", row))
        started = _look(caller, "file.read", touched)
        self._stores.ledger.record(started)
        pieces = self._given(caller, touched, found)
        return Download(found.media_type, found.size, found.name, pieces)

    def remove(self, caller: Caller, case_id: UUID, row: UUID) -> None:
        """Take a file away, its bytes included."""
        address = self._found(caller, case_id, row, Permission.CASE_AMEND).address
        name = address.compartment

        def work(change: Change) -> tuple[None, Done]:
            change.document(name, _KIND, row)
            change.remove(name, row)
            files.remove(change.connection, address)
            return None, _done("file.remove", row)

        self._desk.change(caller, case_id, Permission.CASE_AMEND, (name,), work)

    def _found(self, caller: Caller, case_id: UUID, row: UUID, permission: Permission) -> Attached:
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, permission)
            with self._desk.recording_failure(caller, case_id):
                return files.find(held, connection, row)

    def _given(
        self, caller: Caller, touched: tuple[Touched, ...], found: Attached
    ) -> Generator[bytes, None, None]:
        sent, rule, outcome = 0, "failed:cut-off", FAILED
        try:
            for piece in files.whole(self._stores.data, found):
                sent += len(piece)
                yield piece
            rule, outcome = "permit:caseload", 0
        except Tampered:
            rule = "failed:tampered"
            raise
        finally:
            end = _look(caller, "file.read_end", touched, rule, outcome, sent)
            self._stores.ledger.record(end)

    def _require_room(self, used: int) -> None:
        if used >= self._quota:
            raise Conflict(
                "The files of this case take all the room that a case may have. Remove some that"
                " are not needed any more.",
                code="file.quota",
            )


def _named(name: str, media_type: str) -> str:
    checked = filenames.checked(name)
    kind = filenames.type_of(checked)
    if kind not in TYPES:
        raise filenames.not_taken("/name")
    if kind != media_type:
        raise refusal("file.type")
    return checked


def _content(upload: Upload, clean: bytes, address: Address) -> dict[str, Any]:
    about = {"name": upload.name, "media_type": upload.media_type, "bytes": len(clean)}
    return {**about, **address.kept, "sha256": hashlib.sha256(clean).hexdigest()}


def _done(code: str, row: UUID) -> Done:
    return Done(code, _FIELDS, (Touched("file", row),))


def _look(
    caller: Caller,
    code: str,
    touched: tuple[Touched, ...],
    rule: str = "permit:caseload",
    outcome: int = 0,
    count: int | None = None,
) -> Act:
    return Act(
        code,
        caller.on_ledger,
        rule=rule,
        outcome=outcome,
        purpose="treatment",
        touched=touched,
        fields=_FIELDS,
        count=count,
    )
