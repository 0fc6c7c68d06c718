"""Files for another medium: sealed to one principal, with a plain header that says what they are.

The header is bound to the sealed stream that follows (`crypto.streams`): with another header the
stream does not open. Says nothing about who wrote a file, since anybody may seal to a public key:
what is in it must prove itself. The format is written down in docs/formats/capsule.md.

    8  "CVFILE" 1 LF    4 n, n header (canonical)    then a sealed stream to the recipient
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from casevault.crypto import canonical, streams
from casevault.crypto.canonical import Part, Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.crypto.sealing import Place
from casevault.crypto.streams import Source
from casevault.errors import Tampered

MAGIC = b"CVFILE\x01\n"
_CONTEXT = "casevault/1/file"
_MAX_HEADER = 1 << 16
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class FileHeader:
    """The readable start of a file: what it is, of which vault, and who can open it.

    `about` is what one kind of file says besides, plain: never anything about a person.
    """

    kind: str
    organisation: UUID
    keyring_id: UUID
    generation: int
    made_at: int
    id: UUID
    recipient: bytes
    about: tuple[Part, ...] = ()

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return canonical.encode(
            _CONTEXT,
            self.kind,
            self.organisation,
            self.keyring_id,
            self.generation,
            self.made_at,
            self.id,
            self.recipient,
            self.about,
        )

    @classmethod
    def decode(cls, data: bytes) -> FileHeader:
        """Read what `encode` wrote, else `Tampered`."""
        reader = Reader.of(data)
        if reader.text() != _CONTEXT:
            raise Tampered(code="file")
        header = cls(
            kind=reader.text(),
            organisation=reader.uuid(),
            keyring_id=reader.uuid(),
            generation=reader.number(),
            made_at=reader.number(),
            id=reader.uuid(),
            recipient=reader.bytes_(),
            about=reader.list_(),
        )
        reader.end()
        return header

    @property
    def place(self) -> Place:
        """Where the stream belongs: behind exactly this header."""
        bound = hashlib.sha256(self.encode()).hexdigest()
        return Place(self.organisation, "file/" + self.kind, self.id, None, bound)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, to be compared with what is read back."""

    header: FileHeader
    digest: bytes
    length: int


def write(
    out: BinaryIO, header: FileHeader, recipient: PublicKeys, content: Iterable[bytes]
) -> Written:
    """Write a file of `content` that only `recipient` can open.

    :raises ValueError: the header names another recipient.
    """
    if header.recipient != recipient.key_id:
        raise ValueError("the header names another recipient")
    encoded, digest, length = header.encode(), hashlib.sha256(), 0
    start = MAGIC + len(encoded).to_bytes(4, "big") + encoded
    sealed = streams.seal_stream_to(recipient, header.place, content, streams.unpadded)
    for piece in itertools.chain([start], sealed):
        out.write(piece)
        digest.update(piece)
        length += len(piece)
    return Written(header, digest.digest(), length)


def read_header(source: Source) -> FileHeader:
    """Return the header, which nothing vouches for until the file has been opened."""
    start = source.read(len(MAGIC) + 4)
    length = int.from_bytes(start[len(MAGIC) :], "big")
    if start[: len(MAGIC)] != MAGIC or not 0 < length <= _MAX_HEADER:
        raise Tampered(code="file")
    encoded = source.read(length)
    if len(encoded) != length:
        raise Tampered(code="file")
    return FileHeader.decode(encoded)


def opened(source: Source, secret: PrincipalSecret) -> tuple[FileHeader, Iterator[bytes]]:
    """Return the header and, piece by piece, the content; `Tampered` if it is not for `secret`.

    Only who reads to the end knows that nothing is missing.
    """
    header = read_header(source)
    return header, streams.open_stream_from(secret, header.place, source)


def check(source: BinaryIO, written: Written) -> None:
    """Return if this file, read anew, is byte for byte what was written, else `Tampered`."""
    digest, length = hashlib.sha256(), 0
    while piece := source.read(_PIECE):
        digest.update(piece)
        length += len(piece)
    if (digest.digest(), length) != (written.digest, written.length):
        raise Tampered(code="file")
