"""Second factor: time-based codes (RFC 6238) and printed one-time codes.

Secret and codes are kept so that only their owner's seed opens or matches them: who steals the
keyring can neither make a code nor try the printed ones. Says which step a code belongs to; that
a step counts only once is the keyring's business. Must never return, log or echo a code it was
asked about.
"""

from __future__ import annotations

import base64
import secrets
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from casevault.crypto import macs
from casevault.crypto.sealing import Key

# What every authenticator application takes: six digits of HMAC-SHA1, every 30 seconds.
DIGITS = 6
STEP_SECONDS = 30
SECRET_BYTES = 20
PRINTED_CODES = 10
_DRIFT = (0, -1, 1)
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARACTERS = 12


def new_secret() -> bytes:
    """Return what phone and vault will share."""
    return secrets.token_bytes(SECRET_BYTES)


def base32(secret: bytes) -> str:
    """Return a secret as people type it into an authenticator."""
    return base64.b32encode(secret).decode()


def uri(secret: bytes, account: str, issuer: str) -> str:
    """Return the ``otpauth://`` address that an authenticator reads from a QR code."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    return f"otpauth://totp/{label}?secret={base32(secret)}&issuer={quote(issuer, safe='')}"


def step_at(seconds: int) -> int:
    """Return the number of the 30-second step of a moment (Unix seconds)."""
    return seconds // STEP_SECONDS


def code_of(secret: bytes, step: int) -> str:
    """Return the six digits of a step."""
    return _totp(secret).generate(step * STEP_SECONDS).decode()


def matching_step(secret: bytes, code: str, now: int, after: int) -> int | None:
    """Return the step whose code this is, among now and its two neighbours, if above `after`."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not digits.isascii() or not digits.isdigit():
        return None
    for drift in _DRIFT:
        step = step_at(now) + drift
        if step > max(after, 0) and _is_of(secret, digits, step):
            return step
    return None


def new_printed_code() -> str:
    """Return a one-time code for paper, 60 bits: ``7K3M-9QXP-0ABC``."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
    return "-".join(text[at : at + 4] for at in range(0, _CHARACTERS, 4))


def printed_digest(key: Key, code: str) -> bytes:
    """Return what is kept of a printed code, under its owner's key; spelling does not matter."""
    folded = "".join(code.upper().replace("-", "").split())
    folded = folded.translate(str.maketrans("ILO", "110"))
    return macs.mac(key, "printed-code", folded.encode(errors="replace"))


def _is_of(secret: bytes, digits: str, step: int) -> bool:
    try:
        _totp(secret).verify(digits.encode(), step * STEP_SECONDS)
    except InvalidToken:
        return False
    return True


def _totp(secret: bytes) -> TOTP:
    # SHA-1 is what authenticators implement; its collisions do not matter to HMAC (RFC 6238).
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303
