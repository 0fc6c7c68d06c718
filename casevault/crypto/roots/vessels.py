"""Vessels: where root material lies. One kind each for a plain file, a seal and a token.

A vessel decides how the material is kept and how well it is destroyed; what is in it and how it
changes is `RootProvider`'s. So nothing above ever asks which vessel there is.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

from casevault.crypto.roots import files, material
from casevault.crypto.roots.material import RootMaterial

Shredding = Literal["best effort", "destroyed in hardware"]
Asks = Literal["passphrase", "pin"]
Stamp = tuple[int, int] | None

ROOT_FILE = "root.json"


@dataclass(frozen=True, slots=True)
class RootsKey:
    """What opens a vessel without asking anybody: handed from the service to its workers."""

    secret: bytes = field(repr=False)


NO_KEY = RootsKey(b"")


@dataclass(frozen=True, slots=True)
class RootsPlace:
    """Where root material is: its folder and, if one is used, the token with its library."""

    folder: Path
    module: Path | None = None
    token: str = ""

    @property
    def file(self) -> Path:
        """The file of the material, whatever vessel it is in."""
        return self.folder / ROOT_FILE


class Vessel(Protocol):
    """Keeps root material between processes."""

    @property
    def shredding(self) -> Shredding:
        """How surely a destroyed epoch is gone, in the words of a certificate."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from changing the material meanwhile."""
        ...

    def read(self) -> RootMaterial:
        """Return the material as it is now; `Busy` while the vessel is out of reach."""
        ...

    def write(self, held: RootMaterial) -> None:
        """Keep this material instead, durable on return; what is no longer in it is destroyed."""
        ...

    def stamp(self) -> Stamp:
        """Return what differs after another process wrote, None while there is no file.

        `Busy` while the vessel is out of reach: then nobody may go on with what was read earlier.
        """
        ...

    def abandon(self, keyring: UUID) -> None:
        """Remove what this vessel keeps outside its file, after the material went elsewhere."""
        ...


class PlainVessel:
    """`keys/root.json` (0600): readable by whoever has the machine. Serves one host."""

    shredding: Shredding = "best effort"

    def __init__(self, place: RootsPlace) -> None:
        self._path = place.file

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from changing the file meanwhile."""
        return files.locked_folder(self._path.parent)

    def read(self) -> RootMaterial:
        """Return what the file holds, if it was made for this machine."""
        held = material.decode(files.read_private(self._path))
        files.require_this_host(held.host_id)
        return held

    def write(self, held: RootMaterial) -> None:
        """Replace the file."""
        files.write_private(self._path, material.encode(held))

    def stamp(self) -> Stamp:
        """Return the file's identity: every write makes a new one."""
        return file_stamp(self._path)

    def abandon(self, keyring: UUID) -> None:
        """There is nothing besides the file."""


def file_stamp(path: Path) -> Stamp:
    """Return what differs when a file was replaced, None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
