"""The signer: the key of a log, and the memory of what it signed last.

The memory is a file of the signer's own, outside of every database: whoever restores, rolls back or
forks the log does not change it, and the signer refuses what does not extend it. It is durable
before a note is released. The same class serves the in-process default and the process of another
account; `spool` stands for one that is elsewhere.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from casevault.crypto import macs
from casevault.crypto.principals import PrincipalSecret, is_raw_signature
from casevault.crypto.roots import RootMaterial, RootProvider, write_private
from casevault.errors import Conflict, Misconfigured, Tampered
from casevault.ledger import signer
from casevault.ledger.asking import Ask
from casevault.ledger.note import (
    Checkpoint,
    VerifierKey,
    add_signature,
    has_signature,
    open_note,
    sign_note,
    unverified_checkpoint,
)

STATE_FILE = "ledger-signer.note"
_CLOSED = "ledger-signer-closed-"
HANDOVER = "casevault/1/ledger-key"


class Signer(Protocol):
    """Who signs the heads of one origin, wherever it runs."""

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """With what its notes are checked; the first is the one that holds now."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """Let nobody else of this host ask meanwhile."""
        ...

    def last(self) -> bytes | None:
        """Return the last note that it released, None if there never was one."""
        ...

    def sign(self, ask: Ask) -> bytes:
        """Return a note over the head that extends the last one."""
        ...


def remember(folder: Path, note: bytes) -> None:
    """Give a signer back what it signed last, unless it remembers something itself."""
    if not (folder / STATE_FILE).exists():
        write_private(folder / STATE_FILE, note)


class LocalSigner:
    """A signer whose keys are in this process: all that `secrets` gives at the moment sign.

    They are asked for anew each time, because another process may have replaced them.
    """

    def __init__(
        self, origin: str, secrets: Callable[[], Sequence[PrincipalSecret]], folder: Path
    ) -> None:
        self.origin = origin
        self._ask_secrets = secrets
        self._state = folder / STATE_FILE

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """With what its notes are checked."""
        return tuple(VerifierKey(self.origin, secret.public.sign) for secret in self.secrets)

    def locked(self) -> AbstractContextManager[None]:
        """Let no other process sign meanwhile."""
        return file_lock(self._state.with_suffix(".lock"))

    def last(self) -> bytes | None:
        """Return the last note, as it stands in the memory."""
        try:
            return self._state.read_bytes()
        except FileNotFoundError:
            return None

    def sign(self, ask: Ask) -> bytes:
        """Sign what extends the last note; the caller holds the lock.

        :raises Conflict: the proof begins at another head than the last one (compare and swap).
        :raises Tampered: the head does not extend the last one, or belongs to another origin.
        """
        note = self.last()
        before = None if note is None else self.opened(note)
        signed = 0 if before is None else before.size
        if before is None and self.closed():
            raise Tampered("This origin was closed for good.", code="ledger-signer-closed")
        if ask.head.origin != self.origin:
            raise Tampered(code="ledger-signer-origin")
        if ask.old != signed and not (before is not None and ask.head.size < signed):
            raise Conflict("The signer signed another head since.", code="ledger-signer-behind")
        signer.decide(before, ask.head, ask.proof)
        if note is not None and before == ask.head and self._has_all(note):
            return note
        made = self._signed(ask.head.encode())
        write_private(self._state, made)
        return made

    def has_both(self) -> bool:
        """Say whether the last note is signed by two keys, both of them ours."""
        note = self.last()
        return note is not None and len(self.secrets) > 1 and self._has_all(note)

    def handover(self) -> bytes:
        """Return a note, signed by both keys, that names the newer one.

        Its first line is no origin, so that it cannot be taken for a checkpoint.
        """
        text = f"{HANDOVER}\n{self.keys[-1].encode()}\n"
        return self._signed(text.encode())

    def opened(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a note of ours; one of another origin has a code of its own."""
        if unverified_checkpoint(note).origin != self.origin:
            raise Tampered(
                "The signer's memory is that of another origin.",
                code="ledger-signer-origin",
                hint="To close an origin and begin the next, follow 'The log lost entries' in the"
                " runbook.",
            )
        return opened(note, self.keys)

    @property
    def secrets(self) -> tuple[PrincipalSecret, ...]:
        """The keys themselves, oldest first."""
        return tuple(self._ask_secrets())

    def archive(self) -> None:
        """Put the memory of an origin aside; it is kept for good, and never begun again."""
        note = self.last()
        if note is not None:
            mark = macs.b64(macs.sha256(note))[:12]
            self._state.rename(self._state.with_name(f"{_CLOSED}{mark}.note"))

    def closed(self) -> bool:
        """Say whether this signer remembers that its origin was closed."""
        notes = self._state.parent.glob(f"{_CLOSED}*.note")
        return any(unverified_checkpoint(n.read_bytes()).origin == self.origin for n in notes)

    def _has_all(self, note: bytes) -> bool:
        return all(has_signature(note, key) for key in self.keys)

    def _signed(self, text: bytes) -> bytes:
        first, *others = self.secrets
        note = sign_note(text, self.origin, first.public.sign, first.sign_raw)
        for secret in others:
            note = add_signature(note, self.origin, secret.public.sign, secret.sign_raw)
        return note


def root_signers(roots: RootProvider) -> list[PrincipalSecret]:
    """Return who signs with this host's root material: the log's key, and its successor if any."""
    versions = sorted(roots.principal_versions("ledger"))
    return [roots.principal("ledger", version) for version in versions]


def add_root_successor(roots: RootProvider) -> None:
    """Make the log's next key in the root material; it signs beside the present one from now on."""

    def add(material: RootMaterial) -> None:
        found = material.principals["ledger"]
        if len(found) > 1:
            raise Misconfigured(
                "The log's key is being replaced already. End that first.", code="signer.twice"
            )
        found[max(found) + 1] = PrincipalSecret.generate().seed

    roots.change(add)


def forget_root_key(roots: RootProvider) -> None:
    """Put an unused key in the place of the log's: it signs elsewhere from now on."""

    def replace(material: RootMaterial) -> None:
        material.principals["ledger"] = {1: PrincipalSecret.generate().seed}

    roots.change(replace)


def drop_root_predecessor(roots: RootProvider) -> None:
    """Destroy the older of two keys of the log in the root material."""

    def drop(material: RootMaterial) -> None:
        found = material.principals["ledger"]
        if len(found) < 2:
            raise Misconfigured("The log's key has no successor.", code="signer.successor")
        for old in sorted(found)[:-1]:
            del found[old]

    roots.change(drop)


def opened(note: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Return the checkpoint of a note that carries a good signature of one of these keys."""
    for key in keys:
        if has_signature(note, key):
            return open_note(note, key.name, key.public, is_raw_signature)
    return open_note(note, keys[0].name, keys[0].public, is_raw_signature)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file of this host."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
