"""The folder in memory in which the service's boot secret lies.

Decides whether a folder is fit for it: on no disk, and writable by this account only.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from casevault.errors import Misconfigured


def prepare(parent: Path, folder: Path) -> None:
    """Make a private folder below `parent`, or refuse one that is on a disk or not our own."""
    if not _is_memory_backed(folder.resolve()):
        raise Misconfigured(
            "runtime_dir lies on a disk, where a stolen machine would keep the boot secret. Choose"
            " a folder in memory, such as one below /dev/shm or /run.",
            code="boot.disk",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place in (parent, folder):
        found = place.lstat()
        ours = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
        if not ours or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Misconfigured(
                "runtime_dir belongs to another account or can be written by others, who could"
                " plant a boot secret. Choose a folder that only this account can write.",
                code="boot.owner",
            )
    folder.chmod(0o700)


def _is_memory_backed(folder: Path) -> bool:
    best, kind = Path("/"), ""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mounted, found, *_ = line.split(" ")
        point = Path(mounted.replace("\\040", " "))
        if (folder == point or point in folder.parents) and len(point.parts) >= len(best.parts):
            best, kind = point, found
    return kind in ("tmpfs", "ramfs")
