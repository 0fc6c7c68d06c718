"""Moving the rows of one keyring table to another epoch, many at once.

What is the same for all rows is worked out once, and sealing is done outside of the write lock.
Must never wait for a row while it holds others, nor touch one that its owner wrote meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Select,
    Table,
    Update,
    Uuid,
    and_,
    bindparam,
    func,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

from casevault.crypto import canonical, macs
from casevault.crypto.sealing import Resealer
from casevault.errors import KeyUnavailable, Tampered
from casevault.store.keyring import Keyring, kind_of, place_of_digest, plain_columns

# Rows of one read transaction, which keeps SQLite from emptying its write-ahead log.
_PASS = 10_000
_UUID = canonical.encode(UUID(int=0))[:-16]
Key = tuple[Any, ...]
Found = tuple[Any, ...]


class _AsStored(UserDefinedType[Any]):
    """A column whose values pass as the driver gives them."""

    cache_ok = True


class Mover:
    """Moves the rows of one table. A row: key columns, other plain ones, epoch, sealed content."""

    def __init__(self, keyring: Keyring, table: Table, epoch: int) -> None:
        self._keyring, self._table, self._epoch = keyring, table, epoch
        key = tuple(table.primary_key.columns)
        columns = (*key, *(c for c in plain_columns(table) if c.name not in {k.name for k in key}))
        names = [column.name for column in columns]
        # Where each plain column stands in a row, in the order that binds its content.
        self._plain = [names.index(column.name) for column in plain_columns(table)]
        self._key_length, self._names = len(key), ["at_" + column.name for column in key]
        plain = [_plain(column) for column in columns]
        older = select(*plain, table.c.epoch, table.c.sealed).where(table.c.epoch < epoch)
        self._select, self._lock, self._update = older.limit(_PASS), _locking(key), _updating(table)
        self._start = canonical.encode(table.name)
        self._encoders = [_encoder(column) for column in plain_columns(table)]
        self._resealers: dict[int, Resealer] = {}
        self._spoilt: set[Key] = set()
        self.moved = 0

    def older(self) -> list[Found]:
        """Return rows that lie under older epochs, but those that do not open."""
        with self._keyring.database.reading() as connection:
            rows = [tuple(row) for row in connection.execute(self._select)]
        if not self._spoilt:
            return rows
        return [row for row in rows if self._key_of(row) not in self._spoilt]

    def move(self, rows: Sequence[Found]) -> None:
        """Seal these rows under the new epoch, and put those in place that nobody holds."""
        named = {self._key_of(row): row for row in rows}
        sealed = self._sealed(named)
        if not sealed:
            return
        database = self._keyring.database
        with database.writing() as connection:
            # Locked at once or not at all: who waits while others wait for them is a deadlock.
            if not database.is_sqlite:
                arrays = {
                    f"key_{at}": list(one) for at, one in enumerate(zip(*sealed, strict=True))
                }
                locked = connection.execute(self._lock, arrays)
                sealed = {key: sealed[key] for key in map(tuple, locked)}
            if sealed:
                values = [self._values(key, named[key], new) for key, new in sealed.items()]
                connection.execute(self._update, values)
        self.moved += len(sealed)
        database.tidy()

    def _sealed(self, rows: Mapping[Key, Found]) -> dict[Key, bytes]:
        found: dict[Key, bytes] = {}
        for key, row in rows.items():
            try:
                place = place_of_digest(macs.sha256(self._named(row)))
                found[key] = self._resealer(row[-2]).move(bytes(row[-1]), *place)
            except (Tampered, KeyUnavailable):
                self._spoilt.add(key)
        return found

    def _named(self, row: Found) -> bytes:
        """Return what `macs.digest` is of: the table's name and every plain column, in order."""
        pairs = zip(self._encoders, self._plain, strict=True)
        return self._start + b"".join([encode(row[at]) for encode, at in pairs])

    def _resealer(self, epoch: int) -> Resealer:
        found = self._resealers.get(epoch)
        if found is None:
            roots, organisation = self._keyring.roots, self._keyring.organisation
            old, new = roots.epoch(epoch), roots.epoch(self._epoch)
            found = Resealer(old, new, organisation, kind_of(self._table))
            self._resealers[epoch] = found
        return found

    def _values(self, key: Key, row: Found, sealed: bytes) -> dict[str, Any]:
        at = dict(zip(self._names, key, strict=True))
        return {"old": row[-2], "epoch": self._epoch, "sealed": sealed, **at}

    def _key_of(self, row: Found) -> Key:
        return tuple(row[: self._key_length])


def _plain(column: Column[Any]) -> ColumnElement[Any]:
    # As the driver gives it: making a UUID of every id costs more than the decryption.
    return type_coerce(column, _AsStored()) if isinstance(column.type, Uuid) else column


def _type(column: Column[Any]) -> TypeEngine[Any]:
    return _AsStored() if isinstance(column.type, Uuid) else column.type


def _encoder(column: Column[Any]) -> Callable[[Any], bytes]:
    return _uuid_bytes if isinstance(column.type, Uuid) else canonical.encode


def _uuid_bytes(stored: str | UUID | None) -> bytes:
    if stored is None:
        return canonical.encode(None)
    raw = bytes.fromhex(stored) if isinstance(stored, str) else stored.bytes
    return _UUID + raw


def _locking(key: Sequence[Column[Any]]) -> Select[Any]:
    # An array for each key column, side by side: a list of a thousand tuples is slow to plan.
    arrays = [
        func.unnest(bindparam(f"key_{at}", type_=ARRAY(column.type)))
        for at, column in enumerate(key)
    ]
    named = tuple_(*key).in_(select(*arrays))
    return select(*map(_plain, key)).where(named).with_for_update(skip_locked=True)


def _updating(table: Table) -> Update:
    key = table.primary_key.columns
    matches = and_(
        *(_plain(column) == bindparam("at_" + column.name, type_=_type(column)) for column in key)
    )
    return (
        update(table)
        # A row that its owner wrote meanwhile lies under the new epoch already.
        .where(matches, table.c.epoch == bindparam("old"))
        .values(epoch=bindparam("epoch"), sealed=bindparam("sealed"))
    )
