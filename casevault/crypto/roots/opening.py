"""Root material is made, found, opened, put back, moved and discarded: one folder per vault.

Which vessel a folder holds is written in its file; here alone that decides anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

from casevault.crypto.credentials import KdfProfile, check_strength
from casevault.crypto.roots import files, outer, sealed, token_vessel
from casevault.crypto.roots.material import RootMaterial, decode
from casevault.crypto.roots.provider import RootProvider
from casevault.crypto.roots.sealed import SEALED, SealedVessel
from casevault.crypto.roots.token_vessel import TOKEN, TokenVessel
from casevault.crypto.roots.vessels import (
    NO_KEY,
    Asks,
    PlainVessel,
    RootsKey,
    RootsPlace,
    Vessel,
)
from casevault.errors import Misconfigured, Tampered

# Writes material into a place, in one kind of vessel; returns what opens it.
Seal = Callable[[RootsPlace, RootMaterial], RootsKey]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of vessel: what it asks for, how that becomes its key, and how it opens."""

    asks: Asks | None
    key: Callable[[RootsPlace, str], RootsKey]
    vessel: Callable[[RootsPlace, RootsKey], Vessel]


_KINDS = MappingProxyType(
    {
        outer.PLAIN: _Kind(None, lambda _place, _secret: NO_KEY, lambda at, _key: PlainVessel(at)),
        SEALED: _Kind("passphrase", sealed.file_key, SealedVessel),
        TOKEN: _Kind("pin", token_vessel.check_pin, TokenVessel),
    }
)


def asked_by(place: RootsPlace) -> Asks | None:
    """Return what somebody must give before the material opens, None for a plain file."""
    return _kind(place).asks


def roots_key(place: RootsPlace, secret: str) -> RootsKey:
    """Return what opens the material, from the passphrase or PIN that it asks for.

    :raises Locked: it is another one.
    """
    return _kind(place).key(place, secret)


def open_roots(at: RootsPlace | Path, key: RootsKey = NO_KEY) -> RootProvider:
    """Return the provider of the material in a folder.

    :raises Locked: the material is sealed, and `key` does not come from its passphrase or PIN.
    """
    place = _place(at)
    return RootProvider(_kind(place).vessel(place, key))


def plainly(place: RootsPlace, held: RootMaterial) -> RootsKey:
    """Put material into a plain file."""
    PlainVessel(place).write(held)
    return NO_KEY


def under_passphrase(passphrase: str, profile: KdfProfile) -> Seal:
    """Return what puts material under a passphrase.

    :raises Invalid: it is too weak for something that is attacked offline.
    """
    check_strength(passphrase)
    return lambda place, held: sealed.seal_roots(place, held, passphrase, profile)


def under_token(pin: str) -> Seal:
    """Return what puts material under keys of a hardware token."""
    return lambda place, held: token_vessel.move_to_token(place, held, pin)


def create_roots(at: RootsPlace | Path, keyring_id: UUID, seal: Seal = plainly) -> RootProvider:
    """Make fresh root material in an empty folder; refuse to replace any.

    Sealed, it is at no moment on the disk in plain.
    """
    return _put(_place(at), RootMaterial.fresh(keyring_id, files.host_id()), seal)


def adopt_roots(folder: Path, exported: bytes) -> RootProvider:
    """Put what `RootProvider.export` returned into an empty folder of this machine."""
    return _put(_place(folder), replace(decode(exported), host_id=files.host_id()), plainly)


def discard_roots(folder: Path, keyring_id: UUID) -> None:
    """Remove root material that was made for this keyring; leave any other alone."""
    path = _place(folder).file
    if path.exists() and outer.keyring_named(path) == keyring_id:
        path.unlink()


def move_roots(roots: RootProvider, place: RootsPlace, seal: Seal) -> RootsKey:
    """Move material into another vessel, or under another secret; return what opens it now.

    When it fails, everything is as it was.
    """
    before, keys = files.read_private(place.file), []

    def into(held: RootMaterial) -> Vessel:
        keys.append(seal(place, held))
        return _kind(place).vessel(place, keys[0])

    try:
        old = roots.move(into)
    except BaseException:
        files.write_private(place.file, before)
        raise
    old.abandon(roots.keyring_id)
    return keys[0]


def _put(place: RootsPlace, material: RootMaterial, seal: Seal) -> RootProvider:
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place.file.exists():
        raise Misconfigured(
            "The keys folder already holds root material; replacing it would lose every case."
            " Choose another folder.",
            code="roots.exist",
        )
    place.folder.chmod(0o700)
    return open_roots(place, seal(place, material))


def _place(at: RootsPlace | Path) -> RootsPlace:
    return at if isinstance(at, RootsPlace) else RootsPlace(at)


def _kind(place: RootsPlace) -> _Kind:
    found = _KINDS.get(outer.kind_of(place.file))
    if found is None:
        raise Tampered(code="roots")
    return found
