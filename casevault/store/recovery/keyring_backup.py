"""The keyring's rows as a stream of records, the same for both databases, and back again.

Rows stay sealed under their epoch keys: a copy is as secret as the epochs that it names, and its
contents prove themselves when they open. Decides order and completeness; what a copy may be used
for (never an older one) is decided by whoever restores it. Reads one moment of the keyring.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from casevault.crypto import canonical
from casevault.crypto.canonical import Part, Reader
from casevault.errors import Misconfigured, Tampered
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine import schema
from casevault.store.engine.database import Database

_CONTEXT = "casevault/1/keyring-backup"
_END = "end"
# Rows of one record, and of one statement.
_AT_ONCE = 200
_MAX_RECORD = 1 << 26


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy of the keyring holds: its schema, and how many rows of each table by epoch."""

    revision: str
    rows: dict[tuple[str, int], int]

    @property
    def epochs(self) -> frozenset[int]:
        """The epochs under which its rows lie."""
        return frozenset(epoch for _, epoch in self.rows if epoch)

    @property
    def total(self) -> int:
        """The number of its rows."""
        return sum(self.rows.values())


def dump(connection: Connection, revision: str) -> Iterator[bytes]:
    """Give every row of the keyring as this connection's moment sees it, then the number of rows.

    `revision` is the schema's (`schema.current`).
    """
    yield _record(canonical.encode(_CONTEXT, revision))
    count = 0
    for table in tables.keyring.sorted_tables:
        found = connection.execution_options(yield_per=_AT_ONCE).execute(_everything(table))
        for rows in found.partitions(_AT_ONCE):
            count += len(rows)
            values = tuple(tuple(_part(value) for value in row) for row in rows)
            yield _record(canonical.encode(table.name, _names(table), values))
    yield _record(canonical.encode(_END, count))


def examine(stream: Iterable[bytes]) -> Contents:
    """Read a copy to its end without keeping anything; a part that is missing is `Tampered`."""
    records = _records(stream)
    revision = _revision(records)
    found: dict[tuple[str, int], int] = {}
    for table, rows in _rows(records):
        for row in rows:
            at = table.name, int(row.get("epoch", 0))
            found[at] = found.get(at, 0) + 1
    return Contents(revision, found)


def load(database: Database, stream: Iterable[bytes]) -> int:
    """Put a copy into an empty, migrated keyring in one transaction; return the number of rows.

    :raises Misconfigured: the keyring is not empty, or the copy has another schema.
    :raises Tampered: the copy is not whole.
    """
    records, here = _records(stream), schema.current(database, "keyring")
    if _revision(records) != here:
        raise Misconfigured(
            "The keyring backup was made by another version of CaseVault. Restore it with that"
            " version, then run `casevault db upgrade`.",
            code="backup.schema",
        )
    count = 0
    with database.writing() as connection:
        if connection.execute(select(tables.keyring_identity)).first() is not None:
            raise Misconfigured(
                "This keyring holds a vault. A backup is put into an empty one only.",
                code="identity.in-use",
            )
        for table, rows in _rows(records):
            connection.execute(insert(table), rows)
            count += len(rows)
    return count


def _rows(records: Iterator[Reader]) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    """Give the rows of each record; return only at the end, and if nothing is missing."""
    known, count = {table.name: table for table in tables.keyring.sorted_tables}, 0
    for reader in records:
        name = reader.text()
        if name == _END:
            if reader.number() != count or next(records, None) is not None:
                raise Tampered(code="backup")
            return
        table, columns, rows = known.get(name), reader.list_(), reader.list_()
        reader.end()
        if table is None or columns != _names(table):
            raise Tampered(code="backup")
        count += len(rows)
        yield table, [_named(table, row) for row in rows]
    raise Tampered(code="backup")


def _named(table: Table, row: Part) -> dict[str, Any]:
    names = _names(table)
    if not isinstance(row, tuple) or len(row) != len(names):
        raise Tampered(code="backup")
    return dict(zip(names, row, strict=True))


def _revision(records: Iterator[Reader]) -> str:
    first = next(records, None)
    if first is None or first.text() != _CONTEXT:
        raise Tampered(code="backup")
    return first.text()


def _records(stream: Iterable[bytes]) -> Iterator[Reader]:
    held = bytearray()
    for piece in stream:
        held += piece
        at = 0
        while len(held) - at >= 4:
            length = int.from_bytes(held[at : at + 4], "big")
            if length > _MAX_RECORD:
                raise Tampered(code="backup")
            if len(held) - at - 4 < length:
                break
            yield Reader.of(bytes(held[at + 4 : at + 4 + length]))
            at += 4 + length
        del held[:at]
    if held:
        raise Tampered(code="backup")


def _record(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _part(value: Any) -> Part:  # noqa: ANN401 - whatever a column of ours holds
    if isinstance(value, bool):
        return int(value)
    return bytes(value) if isinstance(value, memoryview | bytearray) else value


@functools.cache
def _names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


@functools.cache
def _everything(table: Table) -> Any:  # noqa: ANN401 - a Select
    return select(table).order_by(*table.primary_key.columns)
