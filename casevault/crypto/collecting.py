"""The lock of a collect page: opens with a spoken code and a secret of the keyring, both at once.

    stretched = Argon2id(code, salt)                                             64 bytes
    page key  = HKDF-SHA256(ikm = stretched ‖ secret, info = (casevault/1/collect, page))
    check     = HKDF-SHA256(ikm = stretched, info = (casevault/1/collect-check, page))

Without the secret the code opens nothing, so deleting it ends the page wherever a copy of its bytes
lies. The check says whether a code was right without opening anything; it outlives the secret, so
that a recipient can still answer. Must never keep, log or return a code it was given.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from casevault.crypto import canonical
from casevault.crypto.credentials import KdfProfile, PassphraseKdf, fresh_salt
from casevault.crypto.sealing import KEY_BYTES, Key, Place, seal, unseal
from casevault.errors import Tampered


@dataclass(frozen=True, slots=True)
class Lock:
    """What the keyring keeps of a code; without its secret it opens nothing any more."""

    profile: KdfProfile
    salt: bytes = field(repr=False)
    check: bytes = field(repr=False)
    secret: bytes | None = field(repr=False)


def new_code(digits: int) -> str:
    """Return random decimal digits."""
    return f"{secrets.randbelow(10**digits):0{digits}}"


def close(kdf: PassphraseKdf, place: Place, code: str, content: bytes) -> tuple[Lock, bytes]:
    """Seal a page under a code and a fresh secret; return the lock and the sealed bytes."""
    salt, secret = fresh_salt(), secrets.token_bytes(KEY_BYTES)
    stretched = kdf.stretched(kdf.profile, code, salt)
    lock = Lock(kdf.profile, salt, _check(stretched, place.row), secret)
    return lock, seal(_page_key(stretched, secret, place.row), place, content)


def stretched(kdf: PassphraseKdf, lock: Lock, code: str) -> bytes:
    """Return what Argon2id makes of a code; a lock whose cost was changed is `Tampered`."""
    if not lock.profile.is_acceptable():
        raise Tampered(code="collect-page")
    return kdf.stretched(lock.profile, code, lock.salt)


def is_right(lock: Lock, page: UUID, found: bytes) -> bool:
    """Say whether this came from the code of the lock, in constant time."""
    return hmac.compare_digest(_check(found, page), lock.check)


def open_(lock: Lock, place: Place, found: bytes, sealed: bytes) -> bytes:
    """Return the content of a page to a code that was right; anything else is `Tampered`."""
    if lock.secret is None:
        raise Tampered(code="collect-page")
    return unseal(_page_key(found, lock.secret, place.row), place, sealed).content


def _page_key(found: bytes, secret: bytes, page: UUID) -> Key:
    return Key(_derived(found + secret, "casevault/1/collect", page))


def _check(found: bytes, page: UUID) -> bytes:
    return _derived(found, "casevault/1/collect-check", page)


def _derived(material: bytes, label: str, page: UUID) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, None, canonical.encode(label, page)).derive(material)
