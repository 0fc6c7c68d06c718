"""A signer elsewhere: another account or another machine, reached through two folders of files.

`ask/head` is written by the vault and read by the signer; `answer/note` and `answer/refused` the
other way round. Neither side writes where the other does, and files are replaced whole, so any way
of carrying files will do: a folder shared by two accounts, or a copy by ssh or on a stick. What is
read was written by somebody else: it is bounded, parsed strictly, and a note counts only if its
signature holds.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from casevault.crypto import macs
from casevault.errors import Busy, CaseVaultError, Conflict, Misconfigured, Tampered
from casevault.ledger.asking import MAX_ASK_BYTES, Ask, encode_ask, parse_ask
from casevault.ledger.note import MAX_NOTE_BYTES, VerifierKey
from casevault.store.log.signing import LocalSigner, file_lock, opened

ASK: Final = "ask/head"
NOTE: Final = "answer/note"
REFUSED: Final = "answer/refused"
_POLL_SECONDS: Final = 0.05
_REFUSAL = re.compile(rb"([A-Za-z0-9_-]{43}) ([a-z0-9.-]{1,60})\n")
_BEHIND = "ledger-signer-behind"


class SpoolSigner:
    """The vault's side: asks, and waits for the answer for `patience` seconds."""

    def __init__(self, keys: Sequence[VerifierKey], folder: Path, patience: float = 5.0) -> None:
        self.keys = tuple(keys)
        self._folder = folder
        self._patience = patience

    def locked(self) -> AbstractContextManager[None]:
        """Let only one process of the vault ask at a time."""
        return file_lock(self._folder / "ask" / ".lock")

    def last(self) -> bytes | None:
        """Return the last note that the signer released; one that is not its own is `Tampered`."""
        note = read_bounded(self._folder / NOTE, MAX_NOTE_BYTES)
        if note is not None:
            opened(note, self.keys)
        return note

    def sign(self, ask: Ask) -> bytes:
        """Ask, and return the note.

        :raises Busy: no answer yet; the question stays, and its answer is found the next time.
        :raises Conflict: the signer signed another head meanwhile.
        :raises Tampered: the signer refused, or what lies there is not its note.
        """
        data = encode_ask(ask)
        write_shared(self._folder / ASK, data)
        until = time.monotonic() + self._patience
        while True:
            note = self.last()
            if note is not None and opened(note, self.keys) == ask.head:
                return note
            self._check_refusal(data)
            if time.monotonic() > until:
                raise Busy("The signer does not answer.", code="ledger-signer-silent")
            time.sleep(_POLL_SECONDS)

    def _check_refusal(self, asked: bytes) -> None:
        found = _REFUSAL.fullmatch(read_bounded(self._folder / REFUSED, 200) or b"")
        if found is None or found[1] != _digest(asked):
            return
        code = found[2].decode("ascii")
        if code == _BEHIND:
            raise Conflict("The signer signed another head since.", code=_BEHIND)
        raise Tampered("The signer refused this head.", code=code)


def signer(origin: str, keys: Sequence[str], folder: Path | None) -> SpoolSigner | None:
    """Return the signer elsewhere that the settings name; None when this host signs."""
    if folder is None:
        return None
    try:
        found = [VerifierKey.parse(key) for key in keys]
    except Tampered:
        found = []
    if not found or any(key.name != origin for key in found):
        raise Misconfigured(
            "ledger_keys holds something else than keys of ledger_origin. Copy them as `casevault"
            " ledger signer-key` printed them.",
            code="signer.keys",
        )
    return SpoolSigner(found, folder)


class SpoolService:
    """The signer's side: answers each question once. `begin` allows it to have no memory yet."""

    def __init__(self, signer: LocalSigner, folder: Path, *, begin: bool = False) -> None:
        self._signer = signer
        self._folder = folder
        self._answered: bytes | None = None
        last = signer.last()
        if last is None and not begin:
            raise Tampered(
                "This signer has no memory of what it signed.",
                code="ledger-signer-state",
                hint="Only the very first start of an origin may say --begin. If there was a"
                " memory, keep everything as it is and call for help.",
            )
        if last is not None:
            signer.opened(last)
            write_shared(folder / NOTE, last)

    def answer(self) -> str | None:
        """Answer what is asked, if it was not answered yet; return what was decided, for the log.

        A question that cannot be read is refused like any other.
        """
        asked = read_bounded(self._folder / ASK, MAX_ASK_BYTES)
        if asked is None or asked == self._answered:
            return None
        self._answered = asked
        try:
            with self._signer.locked():
                note = self._signer.sign(parse_ask(asked))
        except (Tampered, Conflict) as error:
            write_shared(self._folder / REFUSED, _digest(asked) + f" {error.code}\n".encode())
            return error.code
        write_shared(self._folder / NOTE, note)
        return "signed"

    def run(self, stopped: Callable[[float], bool], tell: Callable[[str], None]) -> None:
        """Answer until `stopped` (which waits the given seconds) says so."""
        while not stopped(_POLL_SECONDS):
            try:
                decided = self.answer()
            except (CaseVaultError, OSError):
                # A full disk or a folder that is away comes back; nothing was released meanwhile.
                self._answered = None
                decided = "files.unavailable"
            if decided is not None:
                tell(decided)


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Return the bytes of a plain file of somebody else; None if there is none.

    A link, a device or a file above `limit` bytes is `Tampered`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        raise Tampered(code="ledger-spool") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Tampered(code="ledger-spool")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Tampered(code="ledger-spool")
    return data


def write_shared(path: Path, data: bytes) -> None:
    """Replace a file whole, readable for the folder's group."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _digest(asked: bytes) -> bytes:
    return macs.b64(macs.sha256(asked)).encode("ascii")
