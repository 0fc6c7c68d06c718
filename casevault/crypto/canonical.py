"""The one way in which values become the bytes that are signed, authenticated or derived from.

Each part is a tag byte, a big-endian 32-bit length and a payload, so two different lists of
parts never give the same bytes. Nothing here knows what the parts mean.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias, TypeVar
from uuid import UUID

from casevault.errors import Tampered

Part: TypeAlias = "bytes | str | int | UUID | tuple[Part, ...] | None"

T = TypeVar("T")

_LENGTH = 4
_HEAD = struct.Struct(">cI").pack
_MAX_DEPTH = 8
_BYTES = ord("b")
# The heads of parts that always have one length.
_UUID, _NUMBER, _NOTHING = _HEAD(b"u", 16), _HEAD(b"i", 8), _HEAD(b"n", 0)


def encode(*parts: Part) -> bytes:
    """Return the canonical bytes of `parts` (integers are 0 ≤ n < 2**63)."""
    # Every sealed row passes here several times, so the usual parts are told by their very type,
    # without a call for each.
    pieces: list[bytes] = []
    add = pieces.append
    for part in parts:
        if type(part) is UUID:
            add(_UUID + part.int.to_bytes(16, "big"))
        elif type(part) is str:
            payload = part.encode()
            add(_HEAD(b"s", len(payload)))
            add(payload)
        elif type(part) is bytes:
            add(_HEAD(b"b", len(part)))
            add(part)
        else:
            add(_encode_other(part))
    return b"".join(pieces)


def _encode_other(part: Part) -> bytes:
    # A subclass (a quoted name is a str) counts as what it is, a boolean is no number.
    if part is None:
        return _NOTHING
    if isinstance(part, int) and not isinstance(part, bool) and 0 <= part < 1 << 63:
        return _NUMBER + part.to_bytes(8, "big")
    if isinstance(part, tuple):
        payload = encode(*part)
        return _HEAD(b"l", len(payload)) + payload
    if isinstance(part, str):
        return encode(part.encode().decode())
    if isinstance(part, bytes):
        return encode(bytes(part))
    if isinstance(part, UUID):
        return _UUID + part.bytes
    raise TypeError("this value has no canonical form")


def decode(data: bytes) -> tuple[Part, ...]:
    """Read what `encode` wrote. Anything else, trailing bytes included, is `Tampered`."""
    return _decode(data, 0)


def _decode(data: bytes, depth: int) -> tuple[Part, ...]:
    if depth > _MAX_DEPTH:
        raise Tampered(code="canonical.depth")
    parts: list[Part] = []
    at, length = 0, len(data)
    while at < length:
        start = at + 1 + _LENGTH
        end = start + int.from_bytes(data[at + 1 : start], "big")
        if start > length or end > length:
            raise Tampered(code="canonical.truncated")
        # Most parts are bytes, and every row that is read passes here.
        if data[at] == _BYTES:
            parts.append(data[start:end])
        else:
            parts.append(_decode_one(data[at : at + 1], data[start:end], depth))
        at = end
    return tuple(parts)


def _decode_one(tag: bytes, payload: bytes, depth: int) -> Part:
    if tag == b"s":
        try:
            return payload.decode()
        except UnicodeDecodeError:
            raise Tampered(code="canonical.text") from None
    if tag == b"l":
        return _decode(payload, depth + 1)
    if tag == b"u" and len(payload) == 16:
        return UUID(bytes=payload)
    if tag == b"i" and len(payload) == 8 and payload[0] < 0x80:
        return int.from_bytes(payload, "big")
    if tag == b"n" and not payload:
        return None
    raise Tampered(code="canonical.tag")


class Reader:
    """Reads decoded parts one by one; a missing, extra or wrongly typed part is `Tampered`."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._parts = parts
        self._at = 0

    @classmethod
    def of(cls, data: bytes) -> Reader:
        """Decode `data` and read from its first part."""
        return cls(decode(data))

    def bytes_(self) -> bytes:
        """Take a byte string."""
        part = self._take()
        if not isinstance(part, bytes):
            raise Tampered(code="canonical.type")
        return part

    def text(self) -> str:
        """Take a text."""
        part = self._take()
        if not isinstance(part, str):
            raise Tampered(code="canonical.type")
        return part

    def number(self) -> int:
        """Take a whole number."""
        part = self._take()
        if not isinstance(part, int):
            raise Tampered(code="canonical.type")
        return part

    def uuid(self) -> UUID:
        """Take a UUID."""
        part = self._take()
        if not isinstance(part, UUID):
            raise Tampered(code="canonical.type")
        return part

    def list_(self) -> tuple[Part, ...]:
        """Take a nested list."""
        part = self._take()
        if not isinstance(part, tuple):
            raise Tampered(code="canonical.type")
        return part

    def optional_uuid(self) -> UUID | None:
        """Take a UUID or nothing."""
        return self._none_or(self.uuid)

    def optional_number(self) -> int | None:
        """Take a whole number or nothing."""
        return self._none_or(self.number)

    def optional_bytes(self) -> bytes | None:
        """Take a byte string or nothing."""
        return self._none_or(self.bytes_)

    def optional_list(self) -> tuple[Part, ...] | None:
        """Take a nested list or nothing."""
        return self._none_or(self.list_)

    def is_over(self) -> bool:
        """Say whether every part was taken (rows from before a part was added are shorter)."""
        return self._at == len(self._parts)

    def end(self) -> None:
        """Refuse parts that nobody asked for."""
        if self._at != len(self._parts):
            raise Tampered(code="canonical.extra")

    def _none_or(self, take: Callable[[], T]) -> T | None:
        if self._at < len(self._parts) and self._parts[self._at] is None:
            self._at += 1
            return None
        return take()

    def _take(self) -> Part:
        if self._at >= len(self._parts):
            raise Tampered(code="canonical.short")
        self._at += 1
        return self._parts[self._at - 1]
