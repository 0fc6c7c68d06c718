"""The file of a vessel that seals: plain outside, the material in a sealed body.

    {"format": 1, "kind": …, "keyring_id": …, "body": …, and what opens the file key}

Decides that a malformed or changed file is `Tampered`, and that the body is bound to its keyring
and to the kind of its vessel.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from casevault.crypto.macs import b64, unb64
from casevault.crypto.roots import files
from casevault.crypto.sealing import Key, Place, header, seal, unseal
from casevault.errors import Tampered

PLAIN = "plain"
_FORMAT = 1

Outer = dict[str, Any]


def kind_of(path: Path) -> str:
    """Return which kind of vessel a root file is; the plain one does not say."""
    kind = _parse(files.read_private(path)).get("kind", PLAIN)
    if not isinstance(kind, str):
        raise Tampered(code="roots")
    return kind


def keyring_named(path: Path) -> UUID:
    """Return the keyring that a file of any kind names, without opening it."""
    return keyring_of(_parse(files.read_private(path)))


def read_outer(path: Path, kind: str) -> Outer:
    """Return the file of one kind of vessel."""
    raw = _parse(files.read_private(path))
    if raw.get("format") != _FORMAT or raw.get("kind") != kind:
        raise Tampered(code="roots")
    return raw


def write_outer(path: Path, kind: str, keyring: UUID, **parts: object) -> None:
    """Write such a file: whole or not at all."""
    raw = {"format": _FORMAT, "kind": kind, "keyring_id": str(keyring), **parts}
    files.write_private(path, json.dumps(raw, indent=1).encode())


def keyring_of(raw: Outer) -> UUID:
    """Return the keyring that a file names: believed when the body opens."""
    try:
        return UUID(raw["keyring_id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Tampered(code="roots") from None


def binary(raw: Outer, name: str) -> bytes:
    """Return one part of a file as bytes."""
    text = raw.get(name)
    data = unb64(text) if isinstance(text, str) else None
    if data is None:
        raise Tampered(code="roots")
    return data


def close_body(key: Key, kind: str, keyring: UUID, content: bytes, revision: int) -> str:
    """Return sealed content, as it stands in the file."""
    return b64(seal(key, _place(kind, keyring), content, revision))


def open_body(key: Key, raw: Outer) -> bytes:
    """Return what the body holds, else `Tampered`."""
    return unseal(key, _place(raw["kind"], keyring_of(raw)), binary(raw, "body")).content


def revision_of(raw: Outer) -> int:
    """Return how often the body was written."""
    return header(binary(raw, "body")).revision


def _place(kind: str, keyring: UUID) -> Place:
    return Place(keyring, "roots/" + kind, keyring)


def _parse(data: bytes) -> Outer:
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise Tampered(code="roots")
    return raw
