"""Checkpoints: signed notes over the tree's head, by a signer with a memory of its own.

The vault shows the signer its head and the proof from what was signed last; a restored old backup,
a rollback or a fork has no such proof and is refused. Who signs, and where, is the signer's affair
(`signing`, `spool`); here is only what the database says.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from casevault.crypto.roots import RootProvider
from casevault.errors import Conflict, Misconfigured, Tampered
from casevault.ledger.asking import Ask
from casevault.ledger.note import Checkpoint, VerifierKey
from casevault.ledger.tree import root_at
from casevault.store.engine import tables
from casevault.store.engine.database import Database
from casevault.store.log import incidents, tile_rows, tree
from casevault.store.log.signing import STATE_FILE as STATE_FILE
from casevault.store.log.signing import LocalSigner, Signer, opened, root_signers

_ATTEMPTS = 3


class Checkpoints:
    """The checkpoints of one origin. Without a `signer` the key and memory of this host sign."""

    def __init__(
        self,
        data: Database,
        roots: RootProvider,
        origin: str,
        folder: Path,
        signer: Signer | None = None,
    ) -> None:
        self._data = data
        self.origin = origin
        self.signer = signer or LocalSigner(origin, partial(root_signers, roots), folder)

    @property
    def verifier_key(self) -> VerifierKey:
        """The public key with which outsiders check our notes (C2SP signed-note)."""
        return self.signer.keys[-1]

    def sign(self) -> bytes:
        """Return a note over the present head; unchanged heads give the note that is there.

        :raises Tampered: the head does not extend what was signed before.
        """
        with self.signer.locked():
            for _ in range(_ATTEMPTS):
                try:
                    log, head, note = self._signed()
                except Conflict:
                    continue
                self._keep(log, head, note)
                return note
        raise Conflict("The signer signed another head since.", code="ledger-signer-behind")

    def opened(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a note of this log's key."""
        return opened(note, self.signer.keys)

    def _signed(self) -> tuple[int, Checkpoint, bytes]:
        note = self.signer.last()
        with self._data.reading() as connection:
            at = tree.current(connection)
            last = self._opened(note)
            if last is None and known(connection, at.log):
                # The memory is gone although there was one: never a first start.
                raise Tampered(code="ledger-signer-state")
            self._require_origin(connection, at.log)
            head = Checkpoint(self.origin, at.frontier.size, at.frontier.root())
            old = 0 if last is None else last.size
            proof: Sequence[bytes] = ()
            if 0 < old < head.size:
                proof = tree.consistency(connection, old, head.size, at.log)
        return at.log, head, self.signer.sign(Ask(old, tuple(proof), head))

    def _require_origin(self, connection: Connection, log: int) -> None:
        wanted = incidents.origin_of(connection, log)
        if wanted not in (None, self.origin):
            raise Misconfigured(
                f"The log that is written now is {wanted}. Set ledger_origin to this name.",
                code="ledger.origin",
            )

    def _opened(self, note: bytes | None) -> Checkpoint | None:
        if note is None:
            return None
        local = self.signer
        return local.opened(note) if isinstance(local, LocalSigner) else self.opened(note)

    def _keep(self, log: int, head: Checkpoint, note: bytes) -> None:
        table, at = tables.ledger_checkpoint, tile_rows.start_of(log) + head.size
        with self._data.reading() as connection:
            found = connection.execute(select(table.c.note).where(table.c.size == at)).scalar()
        if found is not None and bytes(found) == note:
            return
        with self._data.writing() as connection:
            connection.execute(delete(table).where(table.c.size == at))
            connection.execute(insert(table).values(size=at, note=note))


def known(connection: Connection, log: int) -> list[int]:
    """Return the sizes at which checkpoints of a log are kept, oldest first."""
    first = tile_rows.start_of(log)
    size = tables.ledger_checkpoint.c.size
    rows = connection.execute(
        select(size).where(size.between(first, first + tile_rows.LOG_SPAN - 1)).order_by(size)
    ).scalars()
    return [found - first for found in rows]


def covering(connection: Connection, log: int, index: int) -> bytes | None:
    """Return the oldest kept note of a log under which entry `index` stands; None if none does."""
    table, first = tables.ledger_checkpoint, tile_rows.start_of(log)
    found = connection.execute(
        select(table.c.note)
        .where(table.c.size > first + index, table.c.size < first + tile_rows.LOG_SPAN)
        .order_by(table.c.size)
        .limit(1)
    ).scalar()
    return None if found is None else bytes(found)


def newest(connection: Connection) -> bytes | None:
    """Return the newest kept note of the open log, None if none was signed."""
    table, first = tables.ledger_checkpoint, tile_rows.start_of(tree.current(connection).log)
    found = connection.execute(
        select(table.c.note).where(table.c.size >= first).order_by(table.c.size.desc()).limit(1)
    ).scalar()
    return None if found is None else bytes(found)


def remembered(folder: Path, origin: str, roots: RootProvider) -> Checkpoint | None:
    """Return what the signer of this host signed last, None if it has no memory."""
    local = LocalSigner(origin, partial(root_signers, roots), folder)
    note = local.last()
    return None if note is None else local.opened(note)


def is_cut(connection: Connection, folder: Path, origin: str, roots: RootProvider) -> bool:
    """Say whether the log lacks entries that this host signed last, as after a restore."""
    try:
        last = remembered(folder, origin, roots)
    except Tampered:
        # A note that does not open says nothing; whoever signs next raises the alarm.
        return False
    if last is None:
        return False
    at = tree.current(connection)
    if at.frontier.size < last.size:
        return True
    return root_at(last.size, tile_rows.reader(connection, at.log, last.size)) != last.root


def signed_size(folder: Path, origin: str, roots: RootProvider) -> int | None:
    """Return how long the log was when it was last signed here, None if nothing here knows."""
    try:
        last = remembered(folder, origin, roots)
    except Tampered:
        # A note that does not open says nothing; whoever signs next raises the alarm.
        return None
    return None if last is None else last.size
