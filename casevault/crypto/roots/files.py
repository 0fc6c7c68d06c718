"""Files that only their owner reads, and the name of the machine they lie on.

Decides that such a file is written whole or not at all, durable on return, private from its first
byte, and not believed when others could have read it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from casevault.errors import Misconfigured, Tampered


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read: whole or not at all, durable on return."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_private(path: Path) -> bytes:
    """Return the root file's bytes; refuse one that is missing or that other accounts can read."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Misconfigured(
                "keys/root.json can be read by other accounts. Run: chmod 600 on it.",
                code="roots.mode",
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise Misconfigured(
            "There is no root material in the keys folder. Run `casevault init` first, or point"
            " `keys_dir` at the right folder.",
            code="roots.missing",
        ) from None
    except OSError:
        raise Tampered(code="roots") from None


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keep other processes from changing the folder's files meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def host_id() -> str:
    """Return what names this machine: a file provider serves one host."""
    for path in (Path("/etc/machine-id"), Path("/proc/sys/kernel/hostname")):
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text:
            return text
    return "unknown-host"


def require_this_host(named: str) -> None:
    """Refuse material that was made for another machine."""
    if named != host_id():
        raise Misconfigured(
            "This keys folder belongs to another machine. If you moved the vault on purpose, follow"
            " 'a new machine' in keys/README.md.",
            code="roots.host",
        )
