"""Passphrases: from what a person remembers to the key of their envelope.

Opening the envelope *is* the verification: no verifier is stored, and without the pepper (root
material) a stolen keyring permits no guessing. Must never log, return or echo a passphrase.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.domain.staff.passphrases import is_common
from casevault.errors import Busy, FieldError, Invalid, Tampered

MIN_CHARACTERS = 15
MAX_CHARACTERS = 256
_ARGON2_BYTES = 64
SALT_BYTES = 16
_WAIT_SECONDS = 10.0
# How many may wait or be at work for each that is at work.
_PLACES_PER_SLOT = 3


@dataclass(frozen=True, slots=True)
class KdfProfile:
    """Argon2id cost: memory in KiB, passes, lanes (RFC 9106)."""

    memory: int
    passes: int
    lanes: int

    def is_acceptable(self) -> bool:
        """Say whether no cost is below the floor or beyond what we ever chose."""
        return (
            FLOOR.memory <= self.memory <= _CEILING.memory
            and FLOOR.passes <= self.passes <= _CEILING.passes
            and FLOOR.lanes <= self.lanes <= _CEILING.lanes
        )


STANDARD = KdfProfile(memory=64 * 1024, passes=3, lanes=4)
# OWASP's second choice for Argon2id: for machines that cannot spare 64 MiB a sign-in.
SMALL = KdfProfile(memory=19 * 1024, passes=2, lanes=1)
PROFILES = MappingProxyType({"standard": STANDARD, "small": SMALL})
FLOOR = SMALL
# A changed row must not make one sign-in cost a machine its memory either.
_CEILING = KdfProfile(memory=1024 * 1024, passes=16, lanes=16)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A person's 64 secret bytes, sealed under their passphrase."""

    profile: KdfProfile
    salt: bytes = field(repr=False)
    pepper_version: int
    sealed: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the bytes that the keyring keeps."""
        p = self.profile
        return canonical.encode(
            p.memory, p.passes, p.lanes, self.salt, self.pepper_version, self.sealed
        )

    @classmethod
    def decode(cls, data: bytes) -> Envelope:
        """Read what `encode` wrote, else `Tampered`."""
        reader = Reader.of(data)
        profile = KdfProfile(reader.number(), reader.number(), reader.number())
        envelope = cls(profile, reader.bytes_(), reader.number(), reader.bytes_())
        reader.end()
        return envelope


class PassphraseKdf:
    """Derives envelope keys, no more than `concurrency` at a time (memory stays bounded)."""

    def __init__(self, profile: KdfProfile, concurrency: int) -> None:
        self.profile = profile
        self._slots = threading.BoundedSemaphore(concurrency)
        self._places = threading.BoundedSemaphore(concurrency * _PLACES_PER_SLOT)
        self._reserved = threading.BoundedSemaphore(concurrency)

    @contextmanager
    def queued(self, *, reserved: bool = False) -> Iterator[None]:
        """Take a place in the queue, or be told `Busy` at once: a flood must not hold threads.

        Some places are reserved for devices that are known.
        """
        places = self._places
        if not places.acquire(blocking=False):
            places = self._reserved
            if not reserved or not places.acquire(blocking=False):
                raise _busy()
        try:
            yield
        finally:
            places.release()

    def close(
        self, organisation: UUID, staff: UUID, secret: PrincipalSecret, passphrase: str, pepper: Key
    ) -> Envelope:
        """Seal a person's secret under a new passphrase."""
        salt = fresh_salt()
        key = self._kek(self.profile, passphrase, salt, staff, pepper)
        place = _place(organisation, staff, self.profile, pepper.version)
        return Envelope(self.profile, salt, pepper.version, seal(key, place, secret.seed))

    def open(
        self, organisation: UUID, staff: UUID, envelope: Envelope, passphrase: str, pepper: Key
    ) -> PrincipalSecret:
        """Return the secret; a wrong passphrase and a changed envelope are both `Tampered`."""
        # A weakened row must not make guessing cheap, so the floor is checked before use.
        if (
            not envelope.profile.is_acceptable()
            or envelope.pepper_version != pepper.version
            or len(envelope.salt) != SALT_BYTES
        ):
            raise Tampered(code="envelope")
        key = self._kek(envelope.profile, passphrase, envelope.salt, staff, pepper)
        place = _place(organisation, staff, envelope.profile, envelope.pepper_version)
        return PrincipalSecret(unseal(key, place, envelope.sealed).content)

    def is_outdated(self, envelope: Envelope, pepper: Key) -> bool:
        """Say whether an envelope was sealed with parameters that are not those of today."""
        return (envelope.profile, envelope.pepper_version) != (self.profile, pepper.version)

    def waste(self, passphrase: str, pepper: Key) -> None:
        """Spend what `open` spends, for a name that does not exist."""
        self._kek(self.profile, passphrase, bytes(SALT_BYTES), UUID(int=0), pepper)

    def stretched(self, profile: KdfProfile, text: str, salt: bytes) -> bytes:
        """Return what Argon2id makes of a passphrase or code, when it is its turn."""
        if not self._slots.acquire(timeout=_WAIT_SECONDS):
            raise _busy()
        try:
            return stretch(profile, text, salt)
        finally:
            self._slots.release()

    def _kek(
        self, profile: KdfProfile, passphrase: str, salt: bytes, staff: UUID, pepper: Key
    ) -> Key:
        raw = self.stretched(profile, passphrase, salt)
        info = canonical.encode("casevault/1/kek", staff, pepper.version)
        return Key(HKDF(SHA256(), 32, pepper.material, info).derive(raw))


def stretch(profile: KdfProfile, passphrase: str, salt: bytes) -> bytes:
    """Return the 64 bytes that Argon2id makes of a passphrase."""
    return hash_secret_raw(
        # A lone surrogate is no text; it is as wrong as any other wrong passphrase.
        normalise(passphrase).encode(errors="replace"),
        salt,
        time_cost=profile.passes,
        memory_cost=profile.memory,
        parallelism=profile.lanes,
        hash_len=_ARGON2_BYTES,
        type=Type.ID,
    )


def fresh_salt() -> bytes:
    """Return a random salt for `stretch`."""
    return secrets.token_bytes(SALT_BYTES)


def normalise(passphrase: str) -> str:
    """Fold what keyboards do differently: NFKC and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", passphrase).split())


def check_strength(passphrase: str, pointer: str = "/passphrase") -> None:
    """Refuse a passphrase below 15 characters, above 256, without variety, or a common one."""
    text = normalise(passphrase)
    if len(text) < MIN_CHARACTERS:
        code = "passphrase.short"
    elif len(text) > MAX_CHARACTERS:
        code = "passphrase.long"
    elif len(set(text.casefold())) < 6:
        code = "passphrase.simple"
    elif any("\ud800" <= character <= "\udfff" for character in text):
        code = "passphrase.text"
    elif is_common(text):
        code = "passphrase.common"
    else:
        return
    raise Invalid(
        "Choose six generated words, or at least 15 characters that are not a common phrase.",
        code=code,
        errors=(FieldError(pointer, code),),
    )


def _busy() -> Busy:
    return Busy("Too many people are signing in at this moment.", code="busy.sign-in")


def _place(organisation: UUID, staff: UUID, profile: KdfProfile, pepper_version: int) -> Place:
    parameters = f"argon2id m={profile.memory} t={profile.passes} p={profile.lanes}"
    return Place(organisation, "envelope", staff, None, f"{parameters} pepper={pepper_version}")
