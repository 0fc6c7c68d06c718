"""Sealed packages: files on their way to one recipient, signed by whoever sends them.

The statement (who, to whom, when, which files) is signed and travels inside, so that from outside
nobody learns who sent a package, what is in it or how large it exactly is. Must never hand out a
file before the whole package has opened, and never a file that the signed statement does not name.
The format is written down in docs/formats/package.md.

    4  "CV" 4 1    16 id    then a stream to the recipient: 4 n, n head (canonical), the files
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import canonical, streams
from casevault.crypto.canonical import Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys, verify
from casevault.crypto.sealing import Place
from casevault.crypto.streams import Source
from casevault.domain.sharing import packing
from casevault.domain.sharing.packing import Listed, PackageKind, PackedFile
from casevault.errors import Invalid, Refused, Tampered

MAGIC = b"CV\x04\x01"
CONTEXT = "casevault/1/package"
# Nobody's: which organisation sent it stands inside.
_NOBODY = UUID(int=0)
_MAX_HEAD = 1 << 16
_NO_KEY = b""
# Padding to a power of two at most doubles; tags and headers are less than this.
_MAX_SEALED = 2 * (packing.MAX_BYTES + _MAX_HEAD) + (1 << 20)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the sender signs. Times are Unix seconds; `recipient` is empty in an age file.

    `sender` is what they call themselves: believed only with keys that somebody compared.
    """

    id: UUID
    kind: PackageKind
    sender: str
    made_at: int
    expires_at: int | None
    recipient: bytes
    signer: PublicKeys | None
    files: tuple[Listed, ...] = field(repr=False)

    def encode(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return canonical.encode(
            CONTEXT,
            self.id,
            self.kind.value,
            self.sender,
            self.made_at,
            self.expires_at,
            self.recipient,
            None if self.signer is None else self.signer.parts,
            tuple((one.name, one.size, one.digest) for one in self.files),
        )

    @classmethod
    def decode(cls, data: bytes) -> Statement:
        """Read what `encode` wrote; what breaks a limit is refused as if it were changed."""
        reader = Reader.of(data)
        if reader.text() != CONTEXT:
            raise Tampered(code="package")
        try:
            found = cls(
                id=reader.uuid(),
                kind=PackageKind(reader.text()),
                sender=reader.text(),
                made_at=reader.number(),
                expires_at=reader.optional_number(),
                recipient=reader.bytes_(),
                signer=_signer(reader),
                files=tuple(_listed(part) for part in reader.list_()),
            )
            packing.check_list(found.files)
        except (ValueError, Invalid):
            raise Tampered(code="package") from None
        reader.end()
        return found


@dataclass(frozen=True, slots=True)
class Package:
    """An opened package. `statement.signer` is None where nobody signed it."""

    statement: Statement
    files: tuple[PackedFile, ...] = field(repr=False)


def signed(statement: Statement, signer: PrincipalSecret | None) -> bytes:
    """Return a statement with its signature, as it travels.

    :raises ValueError: the statement names another signer.
    """
    public = None if signer is None else signer.public
    if statement.signer != public:
        raise ValueError("the statement names another signer")
    encoded = statement.encode()
    signature = None if signer is None else signer.sign(CONTEXT, encoded)
    return canonical.encode(encoded, signature)


def checked(head: bytes) -> Statement:
    """Return the statement of such bytes if its signature holds, else `Tampered`."""
    reader = Reader.of(head)
    encoded, signature = reader.bytes_(), reader.optional_bytes()
    reader.end()
    statement = Statement.decode(encoded)
    if (statement.signer is None) != (signature is None):
        raise Tampered(code="package")
    if statement.signer is not None and signature is not None:
        verify(statement.signer, CONTEXT, encoded, signature)
    return statement


def seal_package(
    statement: Statement,
    signer: PrincipalSecret | None,
    recipient: PublicKeys,
    files: Iterable[PackedFile],
) -> Iterator[bytes]:
    """Give the bytes of a package that only `recipient` opens, padded to a power of two.

    :raises ValueError: the statement names another recipient, signer or list of files.
    """
    found = tuple(files)
    if statement.recipient != recipient.key_id or statement.files != tuple(
        one.listed for one in found
    ):
        raise ValueError("the statement names something else")
    head = signed(statement, signer)
    content = [len(head).to_bytes(4, "big"), head, *(one.content for one in found)]
    yield MAGIC + statement.id.bytes
    yield from streams.seal_stream_to(recipient, _place(statement.id), content)


def open_package(source: Source, secret: PrincipalSecret) -> Package:
    """Return what a package holds, all of it checked.

    :raises Refused: it is sealed to somebody else.
    :raises Tampered: anything in it is not as it was sent.
    """
    limited = _Limited(source)
    package_id, start = _outside(limited)
    if not hmac.compare_digest(streams.recipient(start), secret.public.key_id):
        raise Refused(
            "This package is sealed to another key. Nobody else can open it, nor can we.",
            code="package.recipient",
        )
    opened = streams.open_stream_from(secret, _place(package_id), _Again(start, limited))
    return _package(_Content(opened), package_id, secret.public.key_id)


def read_outside(source: Source) -> tuple[UUID, bytes]:
    """Return what a package shows to everybody: its random id, and the key id of its recipient."""
    package_id, start = _outside(source)
    return package_id, streams.recipient(start)


def is_package(start: bytes) -> bool:
    """Say whether bytes begin like a package."""
    return start[: len(MAGIC)] == MAGIC


def of_files(listed: Iterable[Listed], read: Iterable[bytes]) -> Iterator[PackedFile]:
    """Give the files of a statement, each if its content is the listed one, else `Tampered`."""
    for one, content in zip(listed, read, strict=True):
        if len(content) != one.size or hashlib.sha256(content).digest() != one.digest:
            raise Tampered(code="package")
        yield PackedFile(one.name, content)


def _package(content: _Content, package_id: UUID, recipient: bytes) -> Package:
    length = int.from_bytes(content.take(4), "big")
    if length > _MAX_HEAD:
        raise Tampered(code="package")
    statement = checked(content.take(length))
    if statement.id != package_id or statement.recipient != recipient:
        # Somebody who received it sealed it anew, for somebody else.
        raise Tampered(code="package")
    read = (content.take(one.size) for one in statement.files)
    files = tuple(of_files(statement.files, read))
    content.end()
    return Package(statement, files)


def _outside(source: Source) -> tuple[UUID, bytes]:
    start = _read(source, len(MAGIC) + 16 + streams.HEADER_TO_BYTES)
    if not is_package(start) or len(start) != len(MAGIC) + 16 + streams.HEADER_TO_BYTES:
        raise Tampered(code="package")
    return UUID(bytes=start[4:20]), start[20:]


def _place(package_id: UUID) -> Place:
    return Place(_NOBODY, "package", package_id)


def _signer(reader: Reader) -> PublicKeys | None:
    parts = reader.optional_list()
    if parts is None:
        return None
    inner = Reader(parts)
    found = PublicKeys(inner.bytes_(), inner.bytes_())
    inner.end()
    return found


def _listed(part: canonical.Part) -> Listed:
    inner = Reader((part,)).list_()
    reader = Reader(inner)
    found = Listed(reader.text(), reader.number(), reader.bytes_())
    reader.end()
    return found


def _read(source: Source, size: int) -> bytes:
    found = bytearray()
    while len(found) < size and (piece := source.read(size - len(found))):
        found += piece
    return bytes(found)


class _Limited:
    """A source that ends badly where no package of ours would go on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = _MAX_SEALED

    def read(self, size: int, /) -> bytes:
        found = self._source.read(size)
        self._left -= len(found)
        if self._left < 0:
            raise Tampered(code="package")
        return found


class _Again:
    """Bytes that were read already, and what comes after them."""

    def __init__(self, start: bytes, source: Source) -> None:
        self._start = start
        self._source = source

    def read(self, size: int, /) -> bytes:
        found, self._start = self._start[:size], self._start[size:]
        return found or self._source.read(size)


class _Content:
    """The content of a stream, taken in pieces of exact size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()

    def take(self, size: int) -> bytes:
        """Return exactly so many bytes, else `Tampered`."""
        while len(self._held) < size and (piece := next(self._pieces, None)) is not None:
            self._held += piece
        if len(self._held) < size:
            raise Tampered(code="package")
        found = bytes(self._held[:size])
        del self._held[:size]
        return found

    def end(self) -> None:
        """Read to the end, without which nothing is known to be whole; more is `Tampered`."""
        if self._held or any(self._pieces):
            raise Tampered(code="package")
