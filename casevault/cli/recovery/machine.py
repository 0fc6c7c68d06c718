"""What this machine tells a doctor without opening the vault: folders, disks, swap, dumps.

Reads `/proc`, `/sys` and modes of files. Must never open what is in a folder of the vault.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from casevault import bootstrap
from casevault.config import Settings, sqlite_path
from casevault.crypto.roots import asked_by
from casevault.domain.recovery.doctor import Machine, Place
from casevault.errors import CaseVaultError
from casevault.store.engine import postgres_tools

_SWAPS, _DUMPS = Path("/proc/swaps"), Path("/proc/sys/fs/suid_dumpable")
# Longer than this no folder of a vault is looked through for modes.
_MOST_FILES = 1000


def machine(settings: Settings) -> Machine:
    """Return what can be seen of the installation from outside."""
    folders = _folders(settings)
    return Machine(
        places=tuple(_place(name, folder) for name, folder in folders.items()),
        in_machine_backups=tuple(_taken(settings, folders)),
        has_plain_swap=has_plain_swap(_SWAPS.read_text()),
        dumps_protected_processes=_dumps(),
        sealed_roots=_sealed(settings),
        medium_set=settings.second_medium is not None,
        backup_set=settings.backup_dir is not None,
        programs=_programs(settings),
    )


def has_plain_swap(table: str, blocks: Path = Path("/sys/class/block")) -> bool:
    """Say whether swap lies on anything that is not encrypted or in memory (`/proc/swaps`)."""
    for line in table.splitlines()[1:]:
        device = Path(line.split()[0]).name
        if device.startswith("zram"):
            continue
        uuid = blocks / device / "dm" / "uuid"
        if not uuid.exists() or not uuid.read_text().startswith("CRYPT-"):
            return True
    return False


def _folders(settings: Settings) -> dict[str, Path]:
    found = {"keys": settings.keys_dir}
    for name, url in (("data", settings.data_url), ("keyring", settings.keyring_url)):
        file = sqlite_path(url)
        if file is not None:
            found[name] = file.parent
    for name, folder in (("medium", settings.second_medium), ("backups", settings.backup_dir)):
        if folder is not None:
            found[name] = folder
    return found


def _place(name: str, folder: Path) -> Place:
    try:
        status = folder.stat()
        return Place(
            name,
            exists=True,
            is_open=_is_open(folder),
            free=shutil.disk_usage(folder).free,
            device=status.st_dev,
        )
    except OSError:
        return Place(name, exists=False)


def _is_open(folder: Path) -> bool:
    inside = [one for _, one in zip(range(_MOST_FILES), folder.iterdir(), strict=False)]
    found = [folder.stat(), *(one.lstat() for one in inside)]
    # A medium with a file system of its own may not know owners; root owns what root mounts.
    return any(one.st_mode & 0o077 or one.st_uid not in (os.getuid(), 0) for one in found)


def _taken(settings: Settings, folders: dict[str, Path]) -> list[str]:
    taken = [Path(one).resolve() for one in settings.machine_backups]
    return [
        name
        for name in ("keys", "keyring")
        if name in folders
        for place in [folders[name].resolve()]
        if any(place == one or one in place.parents for one in taken)
    ]


def _dumps() -> bool:
    try:
        return _DUMPS.read_text().strip() != "0"
    except OSError:
        return False


def _sealed(settings: Settings) -> bool:
    try:
        return asked_by(bootstrap.roots_place(settings)) is not None
    except CaseVaultError:
        # What is wrong with the keys folder is said by whoever opens the vault.
        return True


def _programs(settings: Settings) -> bool | None:
    if sqlite_path(settings.data_url) is not None:
        return None
    try:
        server = postgres_tools.server_version(settings.data_url)
        postgres_tools.programs_for(server, settings.postgres_programs)
    except CaseVaultError as error:
        return None if error.code == "store.unavailable" else False
    return True
