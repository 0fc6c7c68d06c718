"""Sealed streams: content of any length, sealed in chunks, read and written in little memory.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and
its Nonce-Reuse Misuse-Resistance", 2015): the nonce of every chunk holds its number and whether it
is the last one, so that chunks cannot be dropped, repeated, reordered or cut off at the end. Two
forms: under a key that the caller has (`seal_stream`), and to a principal (`seal_stream_to`), with
the wrapped key in front. Must never hand out a byte that was not authenticated in its place. **A
reader that stops early has authentic content, but not all of it**: nothing may be made final before
the iterator has ended. The format is written down in docs/formats/stream.md.

    84 header as of a sealed object, with format = 2   then chunks:
    65,536 (the last one 1 to 65,536) of content, 0x80, zeros up to the bucket   16 tag each
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from casevault.crypto import canonical
from casevault.crypto.principals import PrincipalSecret, PublicKeys, wrap
from casevault.crypto.sealing import (
    HEADER_BYTES,
    KEY_BYTES,
    SMALLEST_BUCKET,
    Header,
    Key,
    Place,
    expand,
)
from casevault.errors import Tampered

MAGIC = b"CV\x02\x01"
MAGIC_TO = b"CV\x03\x01"
CHUNK_BYTES = 1 << 16
TAG_BYTES = 16
# 32 bytes of key, its tag, and the two encapsulations of X-Wing.
WRAPPED_BYTES = 1168
HEADER_TO_BYTES = 4 + 16 + WRAPPED_BYTES
_SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES
_SUITE = b"\x01"
_MARK = b"\x80"

Bucket = Callable[[int], int]


class Source(Protocol):
    """Something that is read from front to end, such as an open file."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


def bucketed(size: int) -> int:
    """Pad to the buckets of sealed objects: 256, 512, 1 Ki … powers of two."""
    return max(SMALLEST_BUCKET, 1 << (size - 1).bit_length())


def unpadded(size: int) -> int:
    """Add nothing: for content whose size tells nothing that is not told anyway."""
    return size


def seal_stream(
    key: Key,
    place: Place,
    content: Iterable[bytes],
    revision: int = 1,
    bucket: Bucket = bucketed,
) -> Iterator[bytes]:
    """Give the sealed bytes of `content` for `place`, piece by piece, in pieces of any size.

    `bucket` says to how many bytes the content and its one byte of mark are padded.
    """
    salt = secrets.token_bytes(24)
    stream_key, commitment = _derive(key, place.kind, salt)
    head = (
        MAGIC
        + key.id
        + key.version.to_bytes(4, "big")
        + revision.to_bytes(4, "big")
        + salt
        + commitment
    )
    yield head
    cipher, aad = AESGCM(stream_key), _aad(head, place)
    for number, (chunk, is_last) in enumerate(_chunks(_padded(content, bucket))):
        yield cipher.encrypt(_nonce(number, is_last), chunk, aad)


def open_stream(
    key: Key, place: Place, source: Source, revision: int | None = None
) -> Iterator[bytes]:
    """Give what was sealed under `key` in `place` (and, if given, in exactly that revision).

    Every other outcome, an early end included, is `Tampered` without further detail.
    """
    raw = _exactly(source, HEADER_BYTES)
    head = stream_header(raw)
    if not hmac.compare_digest(head.key_id, key.id) or head.version != key.version:
        raise Tampered(code="stream")
    if revision is not None and head.revision != revision:
        raise Tampered(code="stream")
    stream_key, commitment = _derive(key, place.kind, head.salt)
    # As in a sealed object: AES-GCM does not commit to its key.
    if not hmac.compare_digest(commitment, head.commitment):
        raise Tampered(code="stream")
    yield from _unpadded(_opened_chunks(AESGCM(stream_key), _aad(raw, place), source))


def stream_header(raw: bytes) -> Header:
    """Read the header of a sealed stream, which is not trusted before all of it has opened."""
    if raw[:4] != MAGIC or len(raw) != HEADER_BYTES:
        raise Tampered(code="stream")
    return Header(
        key_id=raw[4:20],
        version=int.from_bytes(raw[20:24], "big"),
        revision=int.from_bytes(raw[24:28], "big"),
        salt=raw[28:52],
        commitment=raw[52:84],
    )


def seal_stream_to(
    public: PublicKeys, place: Place, content: Iterable[bytes], bucket: Bucket = bucketed
) -> Iterator[bytes]:
    """Give `content` sealed to a principal, who alone can open it in `place`.

    Base mode: anybody who knows the public key can make one. Whoever must know who made it signs
    or stamps a digest of the content elsewhere.
    """
    key = Key.random()
    yield MAGIC_TO + public.key_id + wrap(public, key.material, _info(place, public.key_id))
    yield from seal_stream(key, place, content, bucket=bucket)


def open_stream_from(secret: PrincipalSecret, place: Place, source: Source) -> Iterator[bytes]:
    """Give what was sealed to this principal in `place`; everything else is `Tampered`."""
    raw = _exactly(source, HEADER_TO_BYTES)
    if not hmac.compare_digest(recipient(raw), secret.public.key_id):
        raise Tampered(code="stream")
    # The header's length is fixed, so what was wrapped has 32 bytes or does not open.
    key = Key(secret.unwrap(raw[20:], _info(place, secret.public.key_id)))
    yield from open_stream(key, place, source, 1)


def recipient(raw: bytes) -> bytes:
    """Return the key id of the principal to whom a stream is sealed, from its first bytes."""
    if raw[:4] != MAGIC_TO or len(raw) < HEADER_TO_BYTES:
        raise Tampered(code="stream")
    return raw[4:20]


def _derive(key: Key, kind: str, salt: bytes) -> tuple[bytes, bytes]:
    stream_object = key.subkey(canonical.encode("casevault/1/stream", kind))
    block = expand(stream_object, b"casevault/1/stream-message" + _SUITE + salt, 2 * KEY_BYTES)
    return block[:KEY_BYTES], block[KEY_BYTES:]


def _aad(head: bytes, place: Place) -> bytes:
    return canonical.encode(
        head, place.organisation, place.kind, place.case, place.compartment, place.row
    )


def _info(place: Place, key_id: bytes) -> bytes:
    return canonical.encode(
        "casevault/1/stream-to",
        place.organisation,
        place.kind,
        place.case,
        place.compartment,
        place.row,
        key_id,
    )


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _padded(content: Iterable[bytes], bucket: Bucket) -> Iterator[bytes]:
    size = 0
    for piece in content:
        size += len(piece)
        yield piece
    yield _MARK
    yield from _zeros(bucket(size + 1) - size - 1)


def _chunks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Give chunks of 64 KiB and whether each is the last; it holds one back to know."""
    waiting = bytearray()
    for piece in pieces:
        for at in range(0, len(piece), CHUNK_BYTES):
            waiting += piece[at : at + CHUNK_BYTES]
            if len(waiting) > CHUNK_BYTES:
                yield bytes(waiting[:CHUNK_BYTES]), False
                del waiting[:CHUNK_BYTES]
    yield bytes(waiting), True


def _opened_chunks(cipher: AESGCM, aad: bytes, source: Source) -> Iterator[bytes]:
    number, chunk = 0, _up_to(source, _SEALED_CHUNK)
    while True:
        following = _up_to(source, _SEALED_CHUNK) if len(chunk) == _SEALED_CHUNK else b""
        try:
            yield cipher.decrypt(_nonce(number, not following), chunk, aad)
        except (InvalidTag, ValueError, OverflowError):
            raise Tampered(code="stream") from None
        if not following:
            return
        number, chunk = number + 1, following


@dataclass(slots=True)
class _Held:
    """What was read and may be padding: a mark, then zeros. Counted, so that it needs no memory."""

    mark: bool = False
    zeros: int = 0

    def given(self) -> Iterator[bytes]:
        if self.mark:
            yield _MARK
        yield from _zeros(self.zeros)


def _unpadded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = _Held()
    for chunk in chunks:
        body = chunk.rstrip(b"\0")
        if not body:
            held.zeros += len(chunk)
            continue
        # It was content after all.
        yield from held.given()
        held = _Held(body.endswith(_MARK), len(chunk) - len(body))
        yield body[:-1] if held.mark else body
    if not held.mark:
        raise Tampered(code="stream")


def _zeros(count: int) -> Iterator[bytes]:
    for at in range(0, count, CHUNK_BYTES):
        yield bytes(min(CHUNK_BYTES, count - at))


def _up_to(source: Source, size: int) -> bytes:
    """Read until there are `size` bytes or the source has ended; pipes give less at a time."""
    found = bytearray()
    while len(found) < size and (piece := source.read(size - len(found))):
        found += piece
    return bytes(found)


def _exactly(source: Source, size: int) -> bytes:
    raw = _up_to(source, size)
    if len(raw) != size:
        raise Tampered(code="stream")
    return raw
