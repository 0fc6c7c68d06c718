"""What a vault has on this host while it runs: its folder in memory, its boot secret, its right.

Decides that one service serves a vault on a host, that the folder is in memory and nobody else's,
and that processes which hold keys leave no core dump. Must never put a secret on a disk.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from casevault.config import Settings
from casevault.crypto.roots import write_private
from casevault.errors import Misconfigured
from casevault.store.engine.hardening import harden_process as harden_process

BOOT_SECRET = "boot-secret"  # noqa: S105 - the name of a file
_BOOT_BYTES = 32
# glibc's names for what `mallopt` sets (malloc.h).
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE_BLOCK = 1 << 20


@contextmanager
def sole_service(settings: Settings) -> Iterator[None]:
    """Hold the right to serve this vault on this host: a second service would end all sessions."""
    named(settings)
    folder = open_runtime_folder(settings)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                "This vault is being served on this host already. Stop that service first.",
                code="boot.running",
            ) from None
        yield
    finally:
        os.close(descriptor)


def new_boot_secret(settings: Settings) -> bytes:
    """Make the secret without which no session of this host opens; memory-backed, mode 0600."""
    secret = secrets.token_bytes(_BOOT_BYTES)
    write_private(open_runtime_folder(settings) / BOOT_SECRET, secret)
    return secret


def drop_boot_secret(settings: Settings) -> None:
    """Remove the boot secret: every session of this host is over."""
    folder = runtime_folder(settings)
    (folder / BOOT_SECRET).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def read_boot_secret(settings: Settings) -> bytes:
    """Return the boot secret that the service's parent process made."""
    try:
        secret = (runtime_folder(settings) / BOOT_SECRET).read_bytes()
    except OSError:
        secret = b""
    if len(secret) != _BOOT_BYTES:
        raise Misconfigured(
            "The service's boot secret is missing. Start it with `casevault serve`.",
            code="boot.secret",
        )
    return secret


def settle_memory() -> None:
    """Keep the collector away from what lives as long as the process; share freed memory.

    By default every thread keeps a heap of its own, and with it what others could use again. And
    the first large block that is freed raises the size from which blocks are given back at once:
    what Argon2 worked in, or somebody's file, would stay with the process.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_ARENA_MAX, 2)
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
    gc.collect()
    gc.freeze()
    # A request makes some thousand short-lived objects; the default looks at them every 700.
    gc.set_threshold(20_000, 20, 50)


def named(settings: Settings) -> tuple[UUID, str]:
    """Return organisation and root of a vault whose set-up is finished."""
    if settings.unfinished is not None:
        raise Misconfigured(
            "The set-up is not finished: nobody has confirmed that the recovery shares are on"
            " paper. Run `casevault init` again with this configuration file.",
            code="config.unfinished",
        )
    return ids_of(settings)


def ids_of(settings: Settings) -> tuple[UUID, str]:
    """Return organisation and root, of an unfinished vault too."""
    if settings.organisation_id is None or settings.root_fingerprint is None:
        raise Misconfigured(
            "The configuration names no organisation and no root. Run `casevault init` first.",
            code="config.uninitialised",
        )
    return settings.organisation_id, settings.root_fingerprint


def runtime_folder(settings: Settings) -> Path:
    """Return where this vault's folder in memory is, whether or not it is there."""
    # Two vaults of one account must not end each other's sessions.
    return settings.runtime_dir / str(settings.organisation_id)


def open_runtime_folder(settings: Settings) -> Path:
    """Return this vault's private folder in memory, or refuse one that is not."""
    folder = runtime_folder(settings)
    if not _is_memory_backed(folder.resolve()):
        raise Misconfigured(
            "runtime_dir lies on a disk, where a stolen machine would keep the boot secret. Choose"
            " a folder in memory, such as one below /dev/shm or /run.",
            code="boot.disk",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place in (settings.runtime_dir, folder):
        found = place.lstat()
        ours = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
        if not ours or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Misconfigured(
                "runtime_dir belongs to another account or can be written by others, who could"
                " plant a boot secret. Choose a folder that only this account can write.",
                code="boot.owner",
            )
    folder.chmod(0o700)
    return folder


def _is_memory_backed(folder: Path) -> bool:
    best, kind = Path("/"), ""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mounted, found, *_ = line.split(" ")
        point = Path(mounted.replace("\\040", " "))
        if (folder == point or point in folder.parents) and len(point.parts) >= len(best.parts):
            best, kind = point, found
    return kind in ("tmpfs", "ramfs")
