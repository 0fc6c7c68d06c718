"""Root material: the keys under which everything else lies, in one folder of one host.

Holds epoch keys, pepper, service keys and the principals that belong to no person. The file
provider keeps them in `keys/root.json` (0600), written whole or not at all, and serves one host.
Must never be in a backup or a machine snapshot. Nothing here knows what the keys are used for.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from casevault.crypto.macs import b64, unb64
from casevault.crypto.principals import SECRET_BYTES, PrincipalSecret
from casevault.crypto.sealing import Key
from casevault.errors import KeyUnavailable, Misconfigured, Tampered

T = TypeVar("T")

_FILE = "root.json"
_FORMAT = 1

# service: signs month-key grants; organisation: signs packages, releases and certificates;
# ledger: signs checkpoints; counting: opens facts for tables.
PRINCIPALS = ("service", "organisation", "ledger", "counting")


@dataclass(frozen=True, slots=True)
class RootMaterial:
    """Everything the provider holds; versioned keys by number, the highest is current."""

    keyring_id: UUID
    host_id: str
    epochs: dict[int, Key] = field(repr=False)
    peppers: dict[int, Key] = field(repr=False)
    services: dict[int, Key] = field(repr=False)
    principals: dict[str, bytes] = field(repr=False)


class FileRoots:
    """The root provider that keeps its material in a file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._lock = threading.Lock()
        self._material = _read(self._path)
        _check_host(self._material)

    @classmethod
    def create(cls, folder: Path, keyring_id: UUID) -> FileRoots:
        """Make fresh root material in an empty folder; refuse to replace any."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (folder / _FILE).exists():
            raise Misconfigured(
                "The keys folder already holds root material; replacing it would lose every case."
                " Choose another folder.",
                code="roots.exist",
            )
        folder.chmod(0o700)
        _write(
            folder / _FILE,
            RootMaterial(
                keyring_id=keyring_id,
                host_id=host_id(),
                epochs={1: Key.random()},
                peppers={1: Key.random()},
                services={1: Key.random()},
                principals={name: secrets.token_bytes(SECRET_BYTES) for name in PRINCIPALS},
            ),
        )
        return cls(folder)

    @classmethod
    def discard(cls, folder: Path, keyring_id: UUID) -> None:
        """Remove root material that was made for this keyring; leave any other alone."""
        if (folder / _FILE).exists() and cls(folder).keyring_id == keyring_id:
            (folder / _FILE).unlink()

    @property
    def keyring_id(self) -> UUID:
        """The keyring for which this material was made."""
        return self._material.keyring_id

    def epoch(self, number: int) -> Key:
        """Return the key of an epoch, or `KeyUnavailable` once it is destroyed."""
        key = self._material.epochs.get(number)
        if key is None:
            # Another process of this host may have rolled since this one read the file.
            self.reload()
            key = self._material.epochs.get(number)
        if key is None:
            raise KeyUnavailable(code="epoch.destroyed")
        return key

    def epochs(self) -> tuple[int, ...]:
        """Return the numbers of the epochs that can still be opened, oldest first."""
        return tuple(sorted(self._material.epochs))

    def new_epoch(self) -> int:
        """Make the next epoch key, durable before it is used; return its number."""

        def add(material: RootMaterial) -> int:
            number = max(material.epochs) + 1
            material.epochs[number] = Key.random(number)
            return number

        return self._change(add)

    def destroy_epochs_before(self, number: int) -> tuple[int, ...]:
        """Destroy the keys of all epochs below `number`, never the newest; return which."""

        def drop(material: RootMaterial) -> tuple[int, ...]:
            if number > max(material.epochs):
                raise ValueError("the newest epoch is in use")
            gone = tuple(sorted(n for n in material.epochs if n < number))
            for old in gone:
                del material.epochs[old]
            return gone

        return self._change(drop)

    def pepper(self, version: int | None = None) -> Key:
        """Return the pepper (the current one by default)."""
        return _versioned(self._material.peppers, version)

    def service(self, version: int | None = None) -> Key:
        """Return the service key (the current one by default)."""
        return _versioned(self._material.services, version)

    def service_versions(self) -> tuple[int, ...]:
        """Return the versions of the service key, newest first."""
        return tuple(sorted(self._material.services, reverse=True))

    def principal(self, name: str) -> PrincipalSecret:
        """Return one of `PRINCIPALS`. `counting` opens facts: for `services.reporting` only."""
        return PrincipalSecret(self._material.principals[name])

    def reload(self) -> None:
        """Read the file again."""
        with self._lock:
            self._material = _read(self._path)

    def _change(self, act: Callable[[RootMaterial], T]) -> T:
        # Two processes that change the file at once must not overwrite each other's keys.
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            with self._lock:
                material = _read(self._path)
                outcome = act(material)
                _write(self._path, material)
                self._material = material
                return outcome
        finally:
            os.close(folder)


def host_id() -> str:
    """Return what names this machine: the file provider serves one host."""
    for path in (Path("/etc/machine-id"), Path("/proc/sys/kernel/hostname")):
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text:
            return text
    return "unknown-host"


def _versioned(keys: dict[int, Key], version: int | None) -> Key:
    number = max(keys) if version is None else version
    if number not in keys:
        raise KeyUnavailable(code="roots.version")
    return keys[number]


def _check_host(material: RootMaterial) -> None:
    if material.host_id != host_id():
        raise Misconfigured(
            "This keys folder belongs to another machine. If you moved the vault on purpose, follow"
            " 'a new machine' in keys/README.md.",
            code="roots.host",
        )


def _read(path: Path) -> RootMaterial:
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise Misconfigured(
                "keys/root.json can be read by other accounts. Run: chmod 600 on it.",
                code="roots.mode",
            )
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Misconfigured(
            "There is no root material in the keys folder. Run `casevault init` first, or point"
            " `keys_dir` at the right folder.",
            code="roots.missing",
        ) from None
    except (OSError, ValueError):
        raise Tampered(code="roots") from None
    return _parse(raw)


def _parse(raw: object) -> RootMaterial:
    if not isinstance(raw, dict) or raw.get("format") != _FORMAT:
        raise Tampered(code="roots")
    try:
        return RootMaterial(
            keyring_id=UUID(raw["keyring_id"]),
            host_id=str(raw["host_id"]),
            epochs=_keys(raw["epochs"]),
            peppers=_keys(raw["peppers"]),
            services=_keys(raw["services"]),
            principals={name: _key(raw["principals"][name], SECRET_BYTES) for name in PRINCIPALS},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Tampered(code="roots") from None


def _keys(raw: dict[str, str]) -> dict[int, Key]:
    keys = {int(number): Key(_key(text, 32), int(number)) for number, text in raw.items()}
    if not keys:
        raise Tampered(code="roots")
    return keys


def _key(text: str, length: int) -> bytes:
    data = unb64(text)
    if data is None or len(data) != length:
        raise Tampered(code="roots")
    return data


def _write(path: Path, material: RootMaterial) -> None:
    raw = {
        "format": _FORMAT,
        "keyring_id": str(material.keyring_id),
        "host_id": material.host_id,
        "epochs": {str(n): b64(k.material) for n, k in material.epochs.items()},
        "peppers": {str(n): b64(k.material) for n, k in material.peppers.items()},
        "services": {str(n): b64(k.material) for n, k in material.services.items()},
        "principals": {name: b64(seed) for name, seed in material.principals.items()},
    }
    write_private(path, json.dumps(raw, indent=1).encode())


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
