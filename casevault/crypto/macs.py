"""Keyed digests: for looking something up without storing it, and for finding a changed row.

Each purpose has its own derived key, so a digest made for one is useless for another.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from casevault.crypto import canonical
from casevault.crypto.sealing import Key

PSEUDONYM_BYTES = 16


def mac(key: Key, purpose: str, *parts: canonical.Part) -> bytes:
    """Return the 32-byte HMAC-SHA256 of canonical `parts` under the key for `purpose`."""
    return mac_bytes(key, purpose, canonical.encode(*parts))


def mac_bytes(key: Key, purpose: str, message: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA256 of `message` under the key for `purpose`."""
    return mac_with(purpose_key(key, purpose), message)


def purpose_key(key: Key, purpose: str) -> bytes:
    """Return the 32 bytes with which digests for one purpose are made, and no others."""
    return key.subkey(_purpose_label(purpose))


def mac_with(derived: bytes, message: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA256 of `message` under what `purpose_key` gave."""
    return hmac.digest(derived, message, hashlib.sha256)


@functools.lru_cache(maxsize=256)
def _purpose_label(purpose: str) -> bytes:
    return canonical.encode("casevault/1/mac", purpose)


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def pseudonym(key: Key, kind: str, value: canonical.Part) -> str:
    """Return 22 characters that stand for `value` among values of one kind under this key."""
    return b64(mac(key, "pseudonym/" + kind, value)[:PSEUDONYM_BYTES])


def digest(*parts: canonical.Part) -> bytes:
    """Return the plain SHA-256 of canonical parts: for random values only, never for a name."""
    return hashlib.sha256(canonical.encode(*parts)).digest()


def sha256(data: bytes) -> bytes:
    """Return the plain SHA-256 of bytes that are sealed or public already."""
    return hashlib.sha256(data).digest()


def salt() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(32)


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes | None:
    """Read base64url without padding; None when it is not exactly that."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if b64(data) == text else None


def words(entries: Sequence[str], count: int) -> str:
    """Return `count` words chosen at random, with single spaces between them."""
    return " ".join(secrets.choice(entries) for _ in range(count))
