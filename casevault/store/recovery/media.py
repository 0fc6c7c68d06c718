"""The second medium: a folder elsewhere that holds the newest copies, and only the newest.

Decides when a copy counts as made: written beside the old one, flushed, read back from the medium
byte for byte, then put in its place. A disk that is not mounted looks like an empty folder, so a
medium is known by a mark. Must never leave a place empty between an old copy and a new one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from casevault.crypto import sealed_files
from casevault.crypto.sealed_files import Written
from casevault.errors import MediumFault, Tampered

CAPSULE, KEYRING, BACKUP_KEY = "capsule.cv", "keyring-backup.cv", "backup-key.cv"
_MARK = "casevault-medium"


class Medium:
    """The folder that `second_medium` names, as the medium of one keyring."""

    def __init__(self, folder: Path | None, keyring_id: UUID) -> None:
        self._folder = folder
        self._keyring_id = keyring_id

    @property
    def folder(self) -> Path:
        """Where the copies lie, else `MediumFault`."""
        if self._folder is None:
            raise MediumFault(
                "No second medium is configured. Set second_medium to a folder on another disk,"
                " then run `casevault keys roll --new-medium`.",
                code="medium.unset",
            )
        return self._folder

    def require(self) -> None:
        """Return if the medium is there and belongs to this keyring, else `MediumFault`."""
        try:
            found = (self.folder / _MARK).read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise MediumFault(
                "The second medium is not there: its folder does not hold the mark"
                f" {_MARK}. Mount it and run this again; a new, empty medium is taken with"
                " --new-medium.",
                code="medium.missing",
            ) from None
        if found != str(self._keyring_id):
            raise MediumFault(
                "The second medium belongs to another vault. Attach the right one, or name another"
                " folder as second_medium.",
                code="medium.foreign",
            )

    def take(self) -> None:
        """Make a new medium this keyring's; one that belongs to another keyring is refused."""
        mark = self.folder / _MARK
        if not mark.exists():
            try:
                self.folder.mkdir(mode=0o700, parents=False, exist_ok=True)
                descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(f"{self._keyring_id}\n")
                    file.flush()
                    os.fsync(file.fileno())
                _flush_folder(self.folder)
            except OSError:
                raise _not_written() from None
        self.require()

    def replace(self, name: str, write: Callable[[BinaryIO], Written]) -> Written:
        """Write a copy, read it back, then put it in the place of the last one."""
        self.require()
        return replace(self.folder / name, write)


def replace(path: Path, write: Callable[[BinaryIO], Written]) -> Written:
    """Write a sealed file beside `path`, read it back, then put it in its place.

    :raises MediumFault: it could not be written, or came back different; the old one is untouched.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        written = _written(temporary, write)
        _read_back(temporary, written)
        temporary.replace(path)
        _flush_folder(path.parent)
        _drop_left_behind(path)
    except Tampered:
        raise MediumFault(
            "What was written to the second medium came back different. Replace the medium: it is"
            " failing.",
            code="medium.read-back",
        ) from None
    except OSError:
        raise _not_written() from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return written


def _written(path: Path, write: Callable[[BinaryIO], Written]) -> Written:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        written = write(file)
        file.flush()
        os.fsync(file.fileno())
        # What is read back must come from the medium, not from this machine's memory.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return written


def _read_back(path: Path, written: Written) -> None:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        sealed_files.check(file, written)


def _drop_left_behind(path: Path) -> None:
    # A copy that a killed process left could hold what has been erased since.
    for old in path.parent.glob(f".{path.name}.*"):
        old.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written() -> MediumFault:
    return MediumFault(
        "The second medium cannot be written: it is full, read-only or gone. Make room or mount it,"
        " then run this again.",
        code="medium.write",
    )
