"""The one sealed format: documents, manifests, envelopes, sessions and keyring rows.

Decides how content becomes bytes that reveal neither content nor exact size nor equality, and
that open only in the place where they were put. Must never return bytes that did not pass every
check, and never says which check failed. The format is written down in docs/formats/sealed.md.

    2  'CV'   1 format = 1   1 suite = 1 (HKDF-SHA256-Expand, AES-256-GCM, key commitment)
    16 key id   4 key version   4 revision   24 salt   32 key commitment
    n  AES-256-GCM(u32 length, content, zeros up to the bucket)   16 tag
"""

from __future__ import annotations

import functools
import hmac
import os
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from casevault.crypto import canonical
from casevault.errors import Invalid, Tampered

MAGIC = b"CV\x01\x01"
KEY_BYTES = 32
HEADER_BYTES = 84
OVERHEAD = HEADER_BYTES + 16
SMALLEST_BUCKET = 256
LARGEST_BUCKET = 1 << 25
_SUITE = b"\x01"
_SHA256 = SHA256()
_MESSAGE = b"casevault/1/message" + _SUITE
# The message key is used for one message only (a fresh 24-byte salt each time), so the nonce
# carries no information and is fixed.
_NONCE = bytes(12)
# What the library, and a place that is none, may answer.
_FAULTS = (InvalidTag, TypeError, ValueError, OverflowError, AttributeError)


def expand(key: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """HKDF-Expand (RFC 5869) with SHA-256 from a uniformly random 32-byte key."""
    # The library accepts an empty key, which would make every derived key public.
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return HKDFExpand(_SHA256, length, info).derive(key)


@dataclass(frozen=True, slots=True)
class Key:
    """A random 32-byte key with its version; its id is derived from it, so ids name their key."""

    material: bytes = field(repr=False)
    version: int = 1
    id: bytes = field(init=False)
    _subkeys: dict[bytes, bytes] = field(
        init=False, repr=False, compare=False, hash=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", expand(self.material, b"casevault/1/key-id", 16))

    @classmethod
    def random(cls, version: int = 1) -> Key:
        """Return a fresh key from the operating system's generator."""
        return cls(secrets.token_bytes(KEY_BYTES), version)

    def subkey(self, label: bytes) -> bytes:
        """Return 32 bytes for one canonical label; they live as long as this object."""
        found = self._subkeys.get(label)
        if found is None:
            found = self._subkeys[label] = expand(self.material, label)
        return found

    def derive(self, *label: canonical.Part) -> Key:
        """Return the key for one purpose, named by canonical parts, with the same version."""
        return Key(
            expand(self.material, canonical.encode("casevault/1/derive", *label)), self.version
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where sealed bytes belong. They open nowhere else."""

    organisation: UUID
    kind: str
    row: UUID
    case: UUID | None = None
    compartment: str = ""


# How a header, and the id of a row, begin in canonical bytes: both always have one length.
_HEAD = canonical.encode(bytes(HEADER_BYTES))[:-HEADER_BYTES]
_ROW = canonical.encode(UUID(int=0))[:-16]
_NO_CASE = canonical.encode(None)


@dataclass(frozen=True, slots=True)
class Header:
    """The readable start of sealed bytes: not trusted until the whole has opened."""

    key_id: bytes
    version: int
    revision: int
    salt: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """Content together with the revision and commitment under which it was sealed."""

    content: bytes = field(repr=False)
    revision: int
    commitment: bytes


def seal(key: Key, place: Place, content: bytes, revision: int = 1) -> bytes:
    """Return sealed bytes of `content` for `place`: 100 bytes plus a power-of-two bucket."""
    return _sealed(key, place, _pad(content), revision)


def _sealed(key: Key, place: Place, plain: bytes, revision: int) -> bytes:
    salt = os.urandom(24)
    message_key, commitment = _derive(key, place.kind, salt)
    head = (
        MAGIC
        + key.id
        + key.version.to_bytes(4, "big")
        + revision.to_bytes(4, "big")
        + salt
        + commitment
    )
    return head + AESGCM(message_key).encrypt(_NONCE, plain, _aad(head, place))


def unseal(key: Key, place: Place, sealed: bytes, revision: int | None = None) -> Opened:
    """Return what was sealed under `key` in `place` (and, if given, in exactly that revision).

    Every other outcome, whatever its cause, is `Tampered` without further detail.
    """
    try:
        head, plain = _decrypted(key, place, sealed)
        if revision is not None and head.revision != revision:
            raise Tampered(code="sealed")
        return Opened(_unpad(plain), head.revision, head.commitment)
    except _FAULTS:
        raise Tampered(code="sealed") from None


def _decrypted(key: Key, place: Place, sealed: bytes) -> tuple[Header, bytes]:
    head = header(sealed)
    if not hmac.compare_digest(head.key_id, key.id) or head.version != key.version:
        raise Tampered(code="sealed")
    message_key, commitment = _derive(key, place.kind, head.salt)
    # AES-GCM does not commit to its key; without this comparison one ciphertext could be made to
    # open to two different contents under two keys.
    if not hmac.compare_digest(commitment, head.commitment):
        raise Tampered(code="sealed")
    plain = AESGCM(message_key).decrypt(
        _NONCE, sealed[HEADER_BYTES:], _aad(sealed[:HEADER_BYTES], place)
    )
    return head, plain


class Resealer:
    """Moves objects of one kind from one key to another without touching what they hold.

    For many at once: whatever is the same for all of them is worked out once.
    """

    def __init__(self, old: Key, new: Key, organisation: UUID, kind: str) -> None:
        label = _object_label(kind)
        self._old, self._new = old.subkey(label), new.subkey(label)
        self._from = old.id + old.version.to_bytes(4, "big")
        self._to = MAGIC + new.id + new.version.to_bytes(4, "big")
        self._middle = _of_kind(organisation, kind) + _NO_CASE

    def move(self, sealed: bytes, compartment: str, row: bytes) -> bytes:
        """Return the same content, padded as it was, in the same place and revision.

        `row` is the 16 bytes of the place's row id. What does not open there under the old key is
        `Tampered`, as in `unseal`.
        """
        place = self._middle + canonical.encode(compartment) + _ROW + row
        try:
            old_head = sealed[:HEADER_BYTES]
            _check_shape(sealed)
            if not hmac.compare_digest(sealed[4:24], self._from):
                raise Tampered(code="sealed")
            message_key, commitment = _message(self._old, sealed[28:52])
            if not hmac.compare_digest(commitment, sealed[52:HEADER_BYTES]):
                raise Tampered(code="sealed")
            cipher, aad = AESGCM(message_key), _HEAD + old_head + place
            plain = cipher.decrypt(_NONCE, sealed[HEADER_BYTES:], aad)
        except _FAULTS:
            raise Tampered(code="sealed") from None
        salt = os.urandom(24)
        message_key, commitment = _message(self._new, salt)
        head = self._to + sealed[24:28] + salt + commitment
        aad = _HEAD + head + place
        return head + AESGCM(message_key).encrypt(_NONCE, plain, aad)


def header(sealed: bytes) -> Header:
    """Read the header of sealed bytes; wrong magic or length is `Tampered`."""
    _check_shape(sealed)
    return Header(
        key_id=sealed[4:20],
        version=int.from_bytes(sealed[20:24], "big"),
        revision=int.from_bytes(sealed[24:28], "big"),
        salt=sealed[28:52],
        commitment=sealed[52:84],
    )


def _check_shape(sealed: bytes) -> None:
    bucket = len(sealed) - OVERHEAD
    if (
        sealed[:4] != MAGIC
        or not SMALLEST_BUCKET <= bucket <= LARGEST_BUCKET
        or bucket & (bucket - 1)
    ):
        raise Tampered(code="sealed")


@functools.cache
def _object_label(kind: str) -> bytes:
    return canonical.encode("casevault/1/object", kind)


def _derive(key: Key, kind: str, salt: bytes) -> tuple[bytes, bytes]:
    return _message(key.subkey(_object_label(kind)), salt)


def _message(object_key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    # As `expand`, which has checked the length of the key from which this one was derived.
    block = HKDFExpand(_SHA256, 2 * KEY_BYTES, _MESSAGE + salt).derive(object_key)
    return block[:KEY_BYTES], block[KEY_BYTES:]


def _aad(head: bytes, place: Place) -> bytes:
    """Return the canonical bytes of header, organisation, kind, case, compartment and row."""
    case = _NO_CASE if place.case is None else _ROW + place.case.bytes
    compartment = canonical.encode(place.compartment)
    middle = _of_kind(place.organisation, place.kind)
    return b"".join((_HEAD, head, middle, case, compartment, _ROW, place.row.bytes))


# Every row that is read or written passes here.
@functools.lru_cache(maxsize=256)
def _of_kind(organisation: UUID, kind: str) -> bytes:
    return canonical.encode(organisation, kind)


def _pad(content: bytes) -> bytes:
    counted = len(content) + 4
    if counted > LARGEST_BUCKET:
        raise Invalid("This is larger than one sealed object may be.", code="too-large")
    bucket = max(SMALLEST_BUCKET, 1 << (counted - 1).bit_length())
    return len(content).to_bytes(4, "big") + content + bytes(bucket - counted)


def _unpad(plain: bytes) -> bytes:
    length = int.from_bytes(plain[:4], "big")
    content, padding = plain[4 : 4 + length], plain[4 + length :]
    if len(content) != length or padding.strip(b"\0"):
        raise Tampered(code="sealed")
    return content
