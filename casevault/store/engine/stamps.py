"""Stamps: HMACs of the service key over what jobs without any other key must be able to trust.

Layout: 4 bytes key version, 32 bytes HMAC-SHA256. Also signs the cursors of list pages, which
come back from clients.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from casevault.crypto import macs
from casevault.crypto.roots import RootProvider
from casevault.errors import FieldError, Invalid, KeyUnavailable, Tampered

STAMP_BYTES = 36


def stamp(roots: RootProvider, purpose: str, message: bytes, version: int | None = None) -> bytes:
    """Return the 36-byte stamp of `message`, under the current service key by default."""
    number, derived = _stamping(roots, purpose, version)
    return number.to_bytes(4, "big") + macs.mac_with(derived, message)


def stamps(roots: RootProvider, purpose: str, message: bytes) -> list[bytes]:
    """Return every stamp of `message` that may be stored: one for each service key there was."""
    versions = (*roots.service_versions(), *roots.remnant_versions(purpose))
    return [stamp(roots, purpose, message, version) for version in versions]


def check(roots: RootProvider, purpose: str, message: bytes, found: bytes) -> None:
    """Return if `found` stamps `message`, else `Tampered`."""
    try:
        _, derived = _stamping(roots, purpose, version_of(found))
    except KeyUnavailable:
        raise Tampered(code="stamp") from None
    if not macs.same(macs.mac_with(derived, message), found[4:]):
        raise Tampered(code="stamp")


def version_of(found: bytes) -> int:
    """Return under which version of the service key a stamp was made."""
    return int.from_bytes(found[:4], "big")


def _stamping(roots: RootProvider, purpose: str, version: int | None) -> tuple[int, bytes]:
    try:
        key = roots.service(version)
    except KeyUnavailable:
        left = None if version is None else roots.remnant(version, purpose)
        if version is None or left is None:
            raise
        return version, left
    return key.version, macs.purpose_key(key, purpose)


def seal_cursor(roots: RootProvider, purpose: str, position: Sequence[str | int]) -> str:
    """Return an opaque cursor for a list of one purpose."""
    text = json.dumps(list(position), separators=(",", ":")).encode()
    return macs.b64(stamp(roots, "cursor/" + purpose, text) + text)


def open_cursor(roots: RootProvider, purpose: str, cursor: str) -> list[Any]:
    """Read a cursor of this purpose that we made; anything else is `Invalid`."""
    raw = macs.unb64(cursor) or b""
    try:
        check(roots, "cursor/" + purpose, raw[STAMP_BYTES:], raw[:STAMP_BYTES])
    except Tampered:
        raise Invalid(
            "This cursor is not one that we gave. Start again without it.",
            code="cursor",
            errors=(FieldError("/cursor", "cursor"),),
        ) from None
    position: list[Any] = json.loads(raw[STAMP_BYTES:])
    return position
