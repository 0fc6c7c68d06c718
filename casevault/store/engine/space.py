"""How much room the disks of the stores have left, asked at most once a second.

The smallest counts. A folder that cannot be asked has none: fail closed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from casevault.config import Settings, sqlite_path
from casevault.domain.recovery.room import Room, room
from casevault.errors import Busy

_FRESH_SECONDS = 1.0
_ENDLESS = 1 << 62


def free_bytes(folder: Path) -> int:
    """Return what an ordinary account may still write on the disk of a folder."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


class Space:
    """The disks that hold the stores, as far as this host sees them."""

    def __init__(self, folders: Iterable[Path], ask: Callable[[Path], int] = free_bytes) -> None:
        self._folders = tuple(folders)
        self._ask = ask
        self._found = Room.PLENTY
        self._until = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the disks of the stores; a database server's own disk only if it is named."""
        files = [sqlite_path(settings.data_url), sqlite_path(settings.keyring_url)]
        folders = [file.parent for file in files if file is not None]
        return cls(folders if settings.watched_disk is None else [*folders, settings.watched_disk])

    def room(self) -> Room:
        """Return the present rung of the ladder."""
        now = time.monotonic()
        if now >= self._until:
            self._found = room(min(map(self._ask, self._folders), default=_ENDLESS))
            self._until = now + _FRESH_SECONDS
        return self._found

    def require_exports(self) -> None:
        """Refuse an export when the disk is nearly full."""
        if self.room() <= Room.NO_EXPORTS:
            raise refused()


def refused() -> Busy:
    """Return why nothing is given out for now."""
    return Busy(
        "The disk is nearly full. Nothing is given out until there is room again.",
        code="disk.full",
        hint="Make room on the disk of the stores; nothing was lost. Erasure and the access log"
        " still work.",
    )
