"""Keys of search cards, wrapped under a team's directory key, and cards opened by the thousand.

A card is an ordinary sealed object under a key of its own; here that key is wrapped in 96 bytes,
so that it can be deleted alone and without the directory key. `Opener` makes the same checks as
`sealing.unseal` and differs only in doing once per directory what is the same for every card.

    16  card id     16  key id     4  made at (Unix seconds)     12  nonce
    48  AES-256-GCM(card key) under a subkey of the directory key; AAD = directory, first 36 bytes
"""

from __future__ import annotations

import hmac
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from casevault.crypto import canonical, sealing
from casevault.crypto.sealing import KEY_BYTES, Key, Place, expand
from casevault.errors import Tampered

KIND = "search-card"
ID_BYTES = 16
ENTRY_BYTES = 96
_NAMED = 36
_WRAPPED_AT = _NAMED + 12
_LABEL = b"casevault/1/card-key"
_OBJECT = canonical.encode("casevault/1/object", KIND)
_MESSAGE = b"casevault/1/message\x01"
_NONCE = bytes(12)
_VERSION = (1).to_bytes(4, "big")


def wrapping_key(directory: Key) -> bytes:
    """Return the subkey of a directory key under which keys of cards are wrapped."""
    return directory.subkey(_LABEL)


def wrap(wrapping: bytes, directory: UUID, card: bytes, key: Key, made_at: int) -> bytes:
    """Return the 96 bytes by which members of a directory open a card."""
    if len(card) != ID_BYTES:
        raise ValueError("a card id has 16 bytes")
    named = card + key.id + made_at.to_bytes(4, "big")
    nonce = secrets.token_bytes(12)
    sealed = AESGCM(wrapping).encrypt(nonce, key.material, directory.bytes + named)
    return named + nonce + sealed


def unwrap(wrapping: bytes, directory: UUID, entry: bytes) -> Key:
    """Return the key of a card; an entry of another directory or card is `Tampered`."""
    material = _unwrapped(AESGCM(wrapping), directory.bytes, entry)
    key = Key(material)
    if not hmac.compare_digest(key.id, key_id(entry)):
        raise Tampered(code="card")
    return key


def card_id(entry: bytes) -> bytes:
    """Return which card an entry opens."""
    return entry[:16]


def key_id(entry: bytes) -> bytes:
    """Return the id of the key that an entry wraps."""
    return entry[16:32]


def made_at(entry: bytes) -> int:
    """Return when an entry was made, in Unix seconds."""
    return int.from_bytes(entry[32:36], "big")


def place(organisation: UUID, card: bytes) -> Place:
    """Return where a card belongs."""
    return Place(organisation, KIND, UUID(bytes=card))


class Opener:
    """Opens cards of one directory. Lives as long as one search."""

    def __init__(self, wrapping: bytes, directory: UUID, organisation: UUID) -> None:
        self._directory = directory.bytes
        self._unwrap = AESGCM(wrapping)
        self._aad_head = canonical.encode(bytes(sealing.HEADER_BYTES))[: -sealing.HEADER_BYTES]
        everywhere = canonical.encode(organisation, KIND, None, "", UUID(int=0))
        self._aad_tail = everywhere[:-16]

    def open(self, entry: bytes, sealed: bytes) -> bytes:
        """Return what a card holds; every fault is `Tampered` without further detail."""
        header = sealed[: sealing.HEADER_BYTES]
        try:
            if header[:4] != sealing.MAGIC or header[20:24] != _VERSION:
                raise Tampered(code="sealed")
            if not hmac.compare_digest(header[4:20], entry[16:32]):
                raise Tampered(code="sealed")
            key = _unwrapped(self._unwrap, self._directory, entry)
            # The id of the key is in what the directory key authenticates, so it is not made anew.
            block = expand(expand(key, _OBJECT), _MESSAGE + header[28:52], 2 * KEY_BYTES)
            if not hmac.compare_digest(block[KEY_BYTES:], header[52:84]):
                raise Tampered(code="sealed")
            aad = self._aad_head + header + self._aad_tail + entry[:16]
            plain = AESGCM(block[:KEY_BYTES]).decrypt(_NONCE, sealed[sealing.HEADER_BYTES :], aad)
        except (InvalidTag, TypeError, ValueError, OverflowError):
            raise Tampered(code="sealed") from None
        return _unpadded(plain)


def _unwrapped(cipher: AESGCM, directory: bytes, entry: bytes) -> bytes:
    try:
        return cipher.decrypt(
            entry[_NAMED:_WRAPPED_AT], entry[_WRAPPED_AT:ENTRY_BYTES], directory + entry[:_NAMED]
        )
    except (InvalidTag, ValueError):
        raise Tampered(code="card") from None


def _unpadded(plain: bytes) -> bytes:
    length = int.from_bytes(plain[:4], "big")
    content, padding = plain[4 : 4 + length], plain[4 + length :]
    if len(content) != length or padding.strip(b"\0"):
        raise Tampered(code="sealed")
    return content
