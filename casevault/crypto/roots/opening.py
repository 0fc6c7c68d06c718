"""Root material is made, found, opened, put back, moved and discarded: one folder per vault.

Which vessel a folder holds is written in its file; here alone that decides anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

from casevault.crypto.credentials import KdfProfile
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
from casevault.errors import Conflict, Misconfigured, Tampered


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


def create_roots(folder: Path, keyring_id: UUID) -> RootProvider:
    """Make fresh root material in an empty folder; refuse to replace any."""
    return _put(folder, RootMaterial.fresh(keyring_id, files.host_id()))


def adopt_roots(folder: Path, exported: bytes) -> RootProvider:
    """Put what `RootProvider.export` returned into an empty folder of this machine."""
    return _put(folder, replace(decode(exported), host_id=files.host_id()))


def discard_roots(folder: Path, keyring_id: UUID) -> None:
    """Remove plain root material that was made for this keyring; leave any other alone."""
    path = _place(folder).file
    if path.exists() and open_roots(folder).keyring_id == keyring_id:
        path.unlink()


def seal_roots(
    roots: RootProvider, place: RootsPlace, passphrase: str, profile: KdfProfile
) -> RootsKey:
    """Move material under a passphrase; return what opens it from now on."""
    return _move(roots, place, lambda held: sealed.seal_roots(place, held, passphrase, profile))


def tokenise_roots(roots: RootProvider, place: RootsPlace, pin: str) -> RootsKey:
    """Move material under keys of a hardware token; return what opens it from now on.

    :raises Conflict: it lies under a token already.
    """
    if _kind(place) is _KINDS[TOKEN]:
        raise Conflict(
            "The root material lies under a hardware token already. To change tokens, put it under"
            " a passphrase first.",
            code="roots.token-already",
        )
    return _move(roots, place, lambda held: token_vessel.move_to_token(place, held, pin))


def unseal_roots(roots: RootProvider, place: RootsPlace) -> RootsKey:
    """Move material into a plain file."""

    def write(held: RootMaterial) -> RootsKey:
        PlainVessel(place).write(held)
        return NO_KEY

    return _move(roots, place, write)


def _move(
    roots: RootProvider, place: RootsPlace, write: Callable[[RootMaterial], RootsKey]
) -> RootsKey:
    before, keys = files.read_private(place.file), []

    def into(held: RootMaterial) -> Vessel:
        keys.append(write(held))
        return _kind(place).vessel(place, keys[0])

    try:
        old = roots.move(into)
    except BaseException:
        files.write_private(place.file, before)
        raise
    old.abandon(roots.keyring_id)
    return keys[0]


def _put(folder: Path, material: RootMaterial) -> RootProvider:
    place = _place(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place.file.exists():
        raise Misconfigured(
            "The keys folder already holds root material; replacing it would lose every case."
            " Choose another folder.",
            code="roots.exist",
        )
    folder.chmod(0o700)
    vessel = PlainVessel(place)
    vessel.write(material)
    return RootProvider(vessel)


def _place(at: RootsPlace | Path) -> RootsPlace:
    return at if isinstance(at, RootsPlace) else RootsPlace(at)


def _kind(place: RootsPlace) -> _Kind:
    found = _KINDS.get(outer.kind_of(place.file))
    if found is None:
        raise Tampered(code="roots")
    return found
