"""Root material sealed in its file: what opens it is a passphrase that is nowhere on the machine.

A random file key seals the material; Argon2id over the passphrase seals the file key. Whoever
starts the service gives the passphrase once (or systemd does, from a credential), and the service
hands the file key to its workers. Must never keep or return the passphrase.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from casevault.crypto import canonical
from casevault.crypto.credentials import (
    SALT_BYTES,
    Envelope,
    KdfProfile,
    fresh_salt,
    stretch,
)
from casevault.crypto.macs import b64
from casevault.crypto.roots import files, material, outer
from casevault.crypto.roots.material import RootMaterial
from casevault.crypto.roots.vessels import RootsKey, RootsPlace, Shredding, Stamp, file_stamp
from casevault.crypto.sealing import KEY_BYTES, Key, Place, header, seal, unseal
from casevault.errors import Locked, Tampered

SEALED = "sealed"
# There is no pepper yet: it is part of what this envelope protects.
_NO_PEPPER = 0


class SealedVessel:
    """`keys/root.json` under a file key. Serves one host."""

    shredding: Shredding = "best effort"

    def __init__(self, place: RootsPlace, key: RootsKey) -> None:
        if len(key.secret) != KEY_BYTES:
            raise Locked(
                "The root material is sealed, and nobody gave the passphrase that opens it.",
                code="roots.sealed",
            )
        self._path = place.file
        self._key = Key(key.secret)

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from changing the file meanwhile."""
        return files.locked_folder(self._path.parent)

    def read(self) -> RootMaterial:
        """Return what the file holds, if it was made for this machine."""
        raw = outer.read_outer(self._path, SEALED)
        held = material.decode(outer.open_body(self._key, raw))
        files.require_this_host(held.host_id)
        return held

    def write(self, held: RootMaterial) -> None:
        """Replace the body; the envelope of the file key stays as it is."""
        raw = outer.read_outer(self._path, SEALED)
        self._put(held, str(raw.get("envelope")), outer.revision_of(raw) + 1)

    def begin(self, held: RootMaterial, passphrase: str, profile: KdfProfile) -> None:
        """Write the file with an envelope for this passphrase."""
        keyring, salt = held.keyring_id, fresh_salt()
        kek = _kek(profile, passphrase, salt)
        sealed = seal(kek, _place(keyring, profile), self._key.material)
        envelope = Envelope(profile, salt, _NO_PEPPER, sealed)
        self._put(held, b64(envelope.encode()), 1)

    def stamp(self) -> Stamp:
        """Return the file's identity: every write makes a new one."""
        return file_stamp(self._path)

    def abandon(self, keyring: UUID) -> None:
        """There is nothing besides the file."""

    def _put(self, held: RootMaterial, envelope: str, revision: int) -> None:
        keyring, content = held.keyring_id, material.encode(held)
        body = outer.close_body(self._key, SEALED, keyring, content, revision)
        outer.write_outer(self._path, SEALED, keyring, envelope=envelope, body=body)


def seal_roots(
    place: RootsPlace, held: RootMaterial, passphrase: str, profile: KdfProfile
) -> RootsKey:
    """Put material under a new passphrase and a new file key; return what opens it."""
    key = RootsKey(Key.random().material)
    SealedVessel(place, key).begin(held, passphrase, profile)
    return key


def file_key(place: RootsPlace, passphrase: str) -> RootsKey:
    """Return what the passphrase opens.

    :raises Locked: it is another passphrase.
    :raises Tampered: it is this one, and the file was changed.
    """
    raw = outer.read_outer(place.file, SEALED)
    keyring = outer.keyring_of(raw)
    envelope = Envelope.decode(outer.binary(raw, "envelope"))
    # A weakened file must not make guessing cheap, so the floor is checked before use.
    if (
        not envelope.profile.is_acceptable()
        or envelope.pepper_version != _NO_PEPPER
        or len(envelope.salt) != SALT_BYTES
    ):
        raise Tampered(code="roots")
    kek = _kek(envelope.profile, passphrase, envelope.salt)
    if header(envelope.sealed).key_id != kek.id:
        raise Locked("This is not the passphrase of the root material.", code="roots.passphrase")
    return RootsKey(unseal(kek, _place(keyring, envelope.profile), envelope.sealed).content)


def _kek(profile: KdfProfile, passphrase: str, salt: bytes) -> Key:
    info = canonical.encode("casevault/1/roots-kek")
    return Key(HKDF(SHA256(), KEY_BYTES, None, info).derive(stretch(profile, passphrase, salt)))


def _place(keyring: UUID, profile: KdfProfile) -> Place:
    parameters = f"argon2id m={profile.memory} t={profile.passes} p={profile.lanes}"
    return Place(keyring, "roots/envelope", keyring, None, parameters)
