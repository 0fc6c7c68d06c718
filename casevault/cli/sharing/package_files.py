"""Files of ``casevault package`` on a disk: keys, packages, what comes out of them.

Everything is written whole or not at all, for its owner only. Must never replace a file, nor read
a source that is larger than a package may be.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import typer

from casevault.cli import unlocking
from casevault.cli.ceremony.sealing import chosen_passphrase
from casevault.crypto import age_packages, key_files, packages
from casevault.crypto.credentials import check_strength
from casevault.crypto.packages import Package
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.crypto.roots import write_private
from casevault.domain.sharing import packing
from casevault.domain.sharing.packing import PackedFile
from casevault.errors import Invalid, Refused, Tampered

_MOST_KEY_BYTES = 1 << 16
_START = 64


def require_new(*places: Path) -> None:
    """Refuse places where something is already."""
    if any(place.exists() or place.is_symlink() for place in places):
        raise Invalid("There is something in that place already.", code="package.place")


def write(place: Path, data: bytes) -> None:
    """Write a new file for its owner only."""
    require_new(place)
    write_private(place.absolute(), data)


def write_folder(place: Path, held: Iterable[PackedFile]) -> None:
    """Write files into a new folder: all of them, or there is no folder."""
    fresh = place.absolute().with_name(f".{place.absolute().name}.{secrets.token_hex(6)}")
    fresh.mkdir(0o700, parents=True)
    try:
        for one in held:
            write_private(fresh / one.name, one.content)
        require_new(place)
        fresh.rename(place.absolute())
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def sources(places: Iterable[Path]) -> Iterator[PackedFile]:
    """Give the files that go into a package, under their own names."""
    left = packing.MAX_BYTES
    for place in places:
        content = _read(place, left + 1)
        left = max(0, left - len(content))
        yield PackedFile(place.name, content)


def public(place: Path) -> PublicKeys:
    """Return the public keys that a file holds."""
    try:
        text = _read(place, _MOST_KEY_BYTES).decode("ascii")
    except UnicodeDecodeError:
        text = ""
    return key_files.read(text)


def secret(place: Path, descriptor: int | None) -> PrincipalSecret:
    """Return the key of a key file; asks for its passphrase."""
    data = _read(place, _MOST_KEY_BYTES)
    try:
        key_files.public_of(data)
    except Tampered:
        raise Invalid("This is no key file.", code="package.key-file") from None
    return key_files.opened(data, _passphrase("Passphrase of the key file", descriptor))


def new_passphrase(descriptor: int | None) -> str:
    """Return a passphrase for a new key: typed twice, made here, or from a descriptor."""
    if descriptor is None:
        return chosen_passphrase()
    given = unlocking.from_descriptor(descriptor)
    check_strength(given)
    return given


def sender(given: str) -> str:
    """Return what a sender calls themselves, else `Invalid`."""
    text = " ".join(given.split())
    if len(text) > packing.MAX_SENDER or not text.isprintable():
        raise Invalid("Choose a shorter and plain name for yourself.", code="package.as")
    return text


def is_age(place: Path) -> bool:
    """Say whether a file is an age file."""
    return age_packages.is_age(_read(place, _START, whole=False))


def outside(place: Path) -> dict[str, object]:
    """Return what a package shows to everybody."""
    with place.open("rb") as source:
        package_id, key_id = packages.read_outside(source)
    return {"id": str(package_id), "sealed to": key_id.hex()}


def opened(place: Path, key: Path | None, descriptor: int | None) -> Package:
    """Return what a package of either kind holds; asks for a passphrase."""
    try:
        if is_age(place):
            words = _passphrase("Passphrase of the package", descriptor)
            return age_packages.open_package(_read(place, 4 * packing.MAX_BYTES), words)
        if key is None:
            raise Refused("Name your key with --key.", code="package.no-key")
        held = secret(key, descriptor)
        with place.open("rb") as source:
            return packages.open_package(source, held)
    except Tampered as error:
        if error.code == "key-file":
            raise
        raise Tampered(
            "This package was cut off, damaged or changed on its way; nothing was written. Ask for"
            " it again.",
            code="package",
        ) from None


def require_first(key: Path, package: UUID) -> None:
    """Refuse a package that was opened with this key before."""
    place = _opened_before(key)
    lines = place.read_text().splitlines() if place.exists() else []
    day_before = dict(line.split() for line in lines if len(line.split()) == 2).get(package.hex)
    if day_before is not None:
        raise Refused(
            "This very package was opened here before: somebody sent it twice, or somebody copied"
            " it. Add --again if that is what you want.",
            code="package.again",
        )


def remember(key: Path, package: UUID, now: datetime) -> None:
    """Keep that a package was opened with this key: its random id and the day, nothing else."""
    descriptor = os.open(_opened_before(key), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{package.hex} {now:%Y-%m-%d}\n")


def day(seconds: int) -> str:
    """Return the day of a time, for people."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def _opened_before(key: Path) -> Path:
    return key.with_name(key.name + ".opened")


def _passphrase(text: str, descriptor: int | None) -> str:
    if descriptor is not None:
        return unlocking.from_descriptor(descriptor)
    typed: str = typer.prompt(text, hide_input=True, err=True)
    return typed


def _read(place: Path, most: int, *, whole: bool = True) -> bytes:
    with place.open("rb") as file:
        found = file.read(most)
        if whole and file.read(1):
            raise Invalid("This file is too large.", code="package.size")
    return found
