"""Checkpoints: signed notes over the tree's head, by a signer with a memory of its own.

The signer's state file is what finds a restored old backup, a rollback or a fork: it refuses to
sign what does not extend its last checkpoint. The state is durable before a note is released.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, insert, select

from casevault.crypto.principals import is_raw_signature
from casevault.crypto.roots import RootProvider, write_private
from casevault.errors import Tampered
from casevault.ledger import signer
from casevault.ledger.export import Stored, export_files
from casevault.ledger.note import Checkpoint, VerifierKey, open_note, sign_note
from casevault.store import ledger_reading, tables, tree
from casevault.store.database import Database

STATE_FILE = "ledger-signer.note"


class Checkpoints:
    """The signer of one origin, on this host."""

    def __init__(self, data: Database, roots: RootProvider, origin: str, folder: Path) -> None:
        self._data = data
        self._origin = origin
        self._state = folder / STATE_FILE
        self._secret = roots.principal("ledger")

    @property
    def verifier_key(self) -> VerifierKey:
        """The public key with which outsiders check our notes (C2SP signed-note)."""
        return VerifierKey(self._origin, self._secret.public.sign)

    def sign(self) -> bytes:
        """Return a note over the present head; unchanged heads give the note that is there."""
        with self._locked(), self._data.writing() as connection:
            last = self._last(connection)
            frontier = tree.head(connection)
            head = Checkpoint(self._origin, frontier.size, frontier.root())
            if last == head:
                return self._state.read_bytes()
            old = 0 if last is None else last.size
            proof = tree.consistency(connection, old, head.size) if 0 < old < head.size else ()
            signer.decide(last, head, proof)
            note = sign_note(
                head.encode(), self._origin, self._secret.public.sign, self._secret.sign_raw
            )
            write_private(self._state, note)
            connection.execute(insert(tables.ledger_checkpoint).values(size=head.size, note=note))
            return note

    def export(self) -> Iterator[tuple[str, bytes]]:
        """Give the files of a static export (C2SP tlog-tiles) under a fresh checkpoint."""
        note = self.sign()
        head = self._open(note)
        with self._data.reading() as connection:
            leaves: list[Stored] = list(ledger_reading.stored_leaves(connection, head.size))
        return export_files(leaves, note)

    def _last(self, connection: Connection) -> Checkpoint | None:
        try:
            return self._open(self._state.read_bytes())
        except FileNotFoundError:
            known = connection.execute(select(tables.ledger_checkpoint.c.size)).first()
        if known is not None:
            # The memory is gone although there was one: never a first start.
            raise Tampered(code="ledger-signer-state")
        return None

    def _open(self, note: bytes) -> Checkpoint:
        return open_note(note, self._origin, self._secret.public.sign, is_raw_signature)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(
            self._state.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def remembered(folder: Path, origin: str, roots: RootProvider) -> Checkpoint | None:
    """Return what the signer of this host signed last, None if it has no memory."""
    try:
        note = (folder / STATE_FILE).read_bytes()
    except FileNotFoundError:
        return None
    return open_note(note, origin, roots.principal("ledger").public.sign, is_raw_signature)
