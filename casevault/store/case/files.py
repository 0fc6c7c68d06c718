"""The bytes of attached files: sealed streams, cut into rows.

Each file has a random key of its own, which stands in its sealed document together with name, kind
and size: so the key is wrapped under the compartment's and wrapped anew whenever that changes,
the manifest names the file, and what makes the compartment unreadable makes its files unreadable.
Must never hold a name or a kind here, nor hand out a byte that was not authenticated in its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select

from casevault.crypto import macs, streams
from casevault.crypto.sealing import Key, Place
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.sharing.packing import PackedFile
from casevault.errors import NotFound, Tampered
from casevault.ids import new_id
from casevault.store.case.documents import Document
from casevault.store.case.held_case import HeldCase
from casevault.store.engine import tables
from casevault.store.engine.database import Database

PIECE_BYTES = 1 << 16
# So many rows are read in one short transaction: a slow reader holds no connection.
_ROWS_AT_ONCE = 16
_TABLE = tables.file_piece


# A file lies with what it shows: who somebody is, or what happened.
COMPARTMENTS = (Compartment.IDENTITY.value, Compartment.NARRATIVE.value)
KIND = DocumentKind.FILE.value


@dataclass(frozen=True, slots=True)
class Address:
    """Where the bytes of a file lie, and what opens them; part of its sealed document."""

    organisation: UUID
    case: UUID
    compartment: str
    id: UUID
    key: Key = field(repr=False)

    @classmethod
    def fresh(cls, organisation: UUID, case: UUID, compartment: str) -> Address:
        """Return the address of a file that is to be written, with a key of its own."""
        return cls(organisation, case, compartment, new_id(), Key.random())

    @classmethod
    def of(
        cls, organisation: UUID, case: UUID, compartment: str, content: Mapping[str, Any]
    ) -> Address:
        """Return the address that the sealed document of a file names, else `Tampered`."""
        try:
            material = macs.unb64(content["file_key"]) or b""
            return cls(organisation, case, compartment, UUID(content["stored_as"]), Key(material))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Tampered(code="file") from None

    @property
    def kept(self) -> dict[str, str]:
        """What the sealed document keeps of it."""
        return {"stored_as": self.id.hex, "file_key": macs.b64(self.key.material)}

    @property
    def place(self) -> Place:
        """Where the stream belongs."""
        return Place(self.organisation, "file", self.id, self.case, self.compartment)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a case as whoever holds its compartment finds it; silent about its name."""

    row: UUID
    address: Address
    media_type: str
    size: int
    # SHA-256; what was attached before this was kept has none.
    digest: str | None
    name: str = field(repr=False)

    @property
    def compartment(self) -> str:
        """Where it lies: with who somebody is, or with what happened."""
        return self.address.compartment


def opened_by(held: HeldCase) -> tuple[str, ...]:
    """Return the compartments with files that somebody can open."""
    return tuple(name for name in COMPARTMENTS if name in held.keys)


def find(held: HeldCase, connection: Connection, row: UUID) -> Attached:
    """Return one file of a case, else `NotFound`."""
    for name in opened_by(held):
        manifest = held.manifest(connection, name)
        listed = manifest.of_row(row)
        if listed is not None and listed.kind == KIND:
            (document,) = held.documents(connection, manifest, rows=[row])
            return attached(held.organisation, held.case.id, name, document)
    raise NotFound(code="document")


def of_case(held: HeldCase, connection: Connection) -> list[Attached]:
    """Return every file of a case that its holder can open, in an order that stays."""
    return [
        attached(held.organisation, held.case.id, name, document)
        for name in opened_by(held)
        for document in held.documents(connection, held.manifest(connection, name), [KIND])
    ]


def attached(organisation: UUID, case: UUID, compartment: str, document: Document) -> Attached:
    """Return the file that an opened document describes, else `Tampered`."""
    content = Record.decode(document.content).current.content
    address = Address.of(organisation, case, compartment, content)
    try:
        size, digest = int(content["bytes"]), content.get("sha256")
        about = str(content["media_type"]), size, digest, str(content["name"])
    except (KeyError, TypeError, ValueError):
        raise Tampered(code="file") from None
    return Attached(document.row, address, *about)


def whole(database: Database, one: Attached) -> Iterator[bytes]:
    """Give a file piece by piece, of exactly the size that its document says, else `Tampered`."""
    sent = 0
    for piece in read(database, one.address):
        sent += len(piece)
        yield piece
    if sent != one.size:
        raise Tampered(code="file")


def digest_of(database: Database, one: Attached) -> str:
    """Return the SHA-256 of a file: as it was kept, or of the bytes where it was not."""
    if one.digest is not None:
        return one.digest
    found = hashlib.sha256()
    for piece in whole(database, one):
        found.update(piece)
    return found.hexdigest()


def packed(database: Database, one: Attached, digest: str) -> PackedFile:
    """Return a file to be packed, whole, if it is the one with this SHA-256; else `Tampered`."""
    content = b"".join(whole(database, one))
    if hashlib.sha256(content).hexdigest() != digest:
        raise Tampered(code="file")
    return PackedFile(one.name, content)


def write(connection: Connection, address: Address, content: bytes) -> None:
    """Seal a file into rows, in the caller's transaction."""
    at = {"case_id": address.case, "compartment": address.compartment, "file_id": address.id}
    sealed = _cut(streams.seal_stream(address.key, address.place, [content]))
    rows = [{**at, "number": number, "piece": piece} for number, piece in enumerate(sealed)]
    connection.execute(insert(_TABLE), rows)


def read(database: Database, address: Address) -> Iterator[bytes]:
    """Give a file piece by piece; it is whole only when this has ended.

    :raises Tampered: a row is missing, changed, or was put there from elsewhere.
    """
    yield from streams.open_stream(
        address.key, address.place, _Rows(database, address.id, address.case)
    )


def remove(connection: Connection, address: Address) -> None:
    """Delete the rows of a file, in the caller's transaction."""
    connection.execute(
        delete(_TABLE).where(_TABLE.c.file_id == address.id, _TABLE.c.case_id == address.case)
    )


def used_bytes(connection: Connection, case: UUID) -> int:
    """Return how much room the files of a case take, rounded up to whole rows."""
    count = select(func.count()).select_from(_TABLE).where(_TABLE.c.case_id == case)
    return int(connection.execute(count).scalar_one()) * PIECE_BYTES


def check_pieces(connection: Connection) -> None:
    """Return if every file in the store begins like a stream and has no gap; needs no key."""
    numbers = select(
        _TABLE.c.file_id,
        func.count().label("count"),
        func.min(_TABLE.c.number).label("first"),
        func.max(_TABLE.c.number).label("last"),
    ).group_by(_TABLE.c.file_id)
    for row in connection.execute(numbers):
        if row.first != 0 or row.count != row.last + 1:
            raise Tampered(code="file.piece")
    starts = select(_TABLE.c.piece).where(_TABLE.c.number == 0)
    for (piece,) in connection.execute(starts.execution_options(yield_per=100)):
        if bytes(piece[:4]) != streams.MAGIC:
            raise Tampered(code="file.piece")


class _Rows:
    """The rows of a file as a source of bytes."""

    def __init__(self, database: Database, file: UUID, case: UUID) -> None:
        self._database = database
        self._of = (_TABLE.c.file_id == file, _TABLE.c.case_id == case)
        self._next = 0
        self._held = bytearray()

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""
        if not self._held:
            self._fetch()
        found = bytes(self._held[:size])
        del self._held[:size]
        return found

    def _fetch(self) -> None:
        query = (
            select(_TABLE.c.number, _TABLE.c.piece)
            .where(*self._of, _TABLE.c.number >= self._next)
            .order_by(_TABLE.c.number)
            .limit(_ROWS_AT_ONCE)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            self._held += row.piece
            self._next = row.number + 1


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= PIECE_BYTES:
            yield bytes(held[:PIECE_BYTES])
            del held[:PIECE_BYTES]
    if held:
        yield bytes(held)
