"""Session tokens and one-time codes: random strings that the keyring never stores as they are.

Token = base64url(sid 16 ‖ secret 32 ‖ host tag 4). The keyring keeps SHA-256(sid) and the
person's seed sealed under HKDF(secret ‖ boot secret); the boot secret lives in memory-backed
storage only, so a powered-off disk opens no session.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from casevault.crypto import canonical
from casevault.crypto.macs import b64, unb64
from casevault.crypto.sealing import Key

HOST_TAG_BYTES = 4
_TOKEN_BYTES = 16 + 32 + HOST_TAG_BYTES
_CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_CHARACTERS = 20


@dataclass(frozen=True, slots=True)
class Token:
    """What the person's client holds."""

    sid: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    host_tag: bytes = field(repr=False)

    @classmethod
    def new(cls, host_tag: bytes) -> Token:
        """Return a fresh token for sessions of this host."""
        return cls(secrets.token_bytes(16), secrets.token_bytes(32), host_tag)

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """Read a token; None when it is not one."""
        data = unb64(text) if len(text) < 100 and text.isascii() else None
        if data is None or len(data) != _TOKEN_BYTES:
            return None
        return cls(data[:16], data[16:48], data[48:])

    def text(self) -> str:
        """Return the token as it is sent."""
        return b64(self.sid + self.secret + self.host_tag)

    @property
    def sid_digest(self) -> bytes:
        """SHA-256(sid): the session's name in the keyring."""
        return hashlib.sha256(self.sid).digest()

    def session_key(self, boot_secret: bytes, session: UUID) -> Key:
        """Return the key under which this session's seed is sealed."""
        info = canonical.encode("casevault/1/session", session)
        return Key(HKDF(SHA256(), 32, None, info).derive(self.secret + boot_secret))


def host_tag_of(boot_secret: bytes) -> bytes:
    """Return the four bytes by which a proxy finds the host that holds this boot secret."""
    return hashlib.sha256(b"casevault/1/host-tag" + boot_secret).digest()[:HOST_TAG_BYTES]


def new_code() -> str:
    """Return a one-time code of 100 bits as people read it: ``7K3M-9QXP-…``."""
    characters = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_CHARACTERS))
    return "-".join(characters[at : at + 4] for at in range(0, _CODE_CHARACTERS, 4))


def code_digest(code: str) -> bytes:
    """Return the SHA-256 under which the keyring looks a code up; spelling does not matter."""
    folded = code.upper().replace("-", "").replace(" ", "")
    folded = folded.translate(str.maketrans("ILO", "110"))
    return hashlib.sha256(b"casevault/1/code" + folded.encode()).digest()
