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
    key = roots.service(version)
    return key.version.to_bytes(4, "big") + macs.mac_bytes(key, purpose, message)


def stamps(roots: RootProvider, purpose: str, message: bytes) -> list[bytes]:
    """Return every stamp of `message` that may be stored: one for each service key there is."""
    return [stamp(roots, purpose, message, version) for version in roots.service_versions()]


def check(roots: RootProvider, purpose: str, message: bytes, found: bytes) -> None:
    """Return if `found` stamps `message`, else `Tampered`."""
    try:
        key = roots.service(int.from_bytes(found[:4], "big"))
    except KeyUnavailable:
        raise Tampered(code="stamp") from None
    if not macs.same(macs.mac_bytes(key, purpose, message), found[4:]):
        raise Tampered(code="stamp")


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
