"""Moving the rows of one keyring table to another epoch, many at once.

What is the same for all rows is worked out once, and sealing is done outside of the write lock.
Must never wait for a row while it holds others, nor touch one that its owner wrote meanwhile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Integer,
    Table,
    Update,
    Uuid,
    and_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from casevault.crypto import canonical, macs
from casevault.crypto.sealing import Resealer
from casevault.errors import KeyUnavailable, Tampered
from casevault.store.engine.keyring import Keyring, kind_of, place_of_digest, plain_columns
from casevault.store.engine.quick import AsStored, Quick, as_stored

# Rows of one transaction: some tens of milliseconds of the write lock.
BATCH = 1000
# Rows of one read transaction, which keeps SQLite from emptying its write-ahead log.
_PASS = 10_000
_UUID = canonical.encode(UUID(int=0))[:-16]
Key = tuple[Any, ...]
Found = tuple[Any, ...]


class Mover:
    """Moves the rows of one table. A row: key columns, other plain ones, epoch, sealed content."""

    def __init__(self, keyring: Keyring, table: Table, epoch: int) -> None:
        self._keyring, self._table, self._epoch = keyring, table, epoch
        key = tuple(table.primary_key.columns)
        columns = (*key, *(c for c in plain_columns(table) if c.name not in {k.name for k in key}))
        names = [column.name for column in columns]
        self._key_length = len(key)
        self._statements = _statements(table, columns)
        self._start = canonical.encode(table.name)
        # Of each plain column its bytes and its place in a row, in the order that binds content.
        self._plain = [(_encoder(c), names.index(c.name)) for c in plain_columns(table)]
        self._resealers: dict[int, Resealer] = {}
        self._spoilt: set[Key] = set()
        self.moved = 0

    def older(self) -> list[Found]:
        """Return rows that lie under older epochs, but those that do not open."""
        with self._keyring.database.reading() as connection:
            at = {"before": self._epoch, "most": _PASS}
            rows = self._statements.older.all(connection, at)
        if not self._spoilt:
            return rows
        return [row for row in rows if self._key_of(row) not in self._spoilt]

    def move(self, rows: Sequence[Found]) -> None:
        """Seal these rows under the new epoch, and put those in place that nobody holds."""
        changes = (self._changes(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH))
        if self._keyring.database.is_sqlite:
            self.moved += sum(map(self._put, changes))
            return
        # A server takes as long for a batch as sealing the next one does.
        with ThreadPoolExecutor(1) as waiting:
            self.moved += sum(waiting.map(self._put, changes))

    def _put(self, changes: Sequence[Found]) -> int:
        if not changes:
            return 0
        database, names = self._keyring.database, self._statements.names
        with database.writing() as connection:
            if database.is_sqlite:
                moved = self._statements.each.run_rows(connection, names, changes)
            else:
                # Locked at once or not at all: who waits while others wait is a deadlock.
                columns = map(list, zip(*changes, strict=True))
                at = dict(zip(names, columns, strict=True)) | {"epoch": self._epoch}
                moved = self._statements.unlocked.run(connection, at)
        database.tidy()
        return moved

    def _changes(self, rows: Sequence[Found]) -> list[Found]:
        """Return what is written of each row, in the order of the statements' names."""
        found = list[Found]()
        for row in rows:
            try:
                place = place_of_digest(macs.sha256(self._named(row)))
                sealed = self._resealer(row[-2]).move(bytes(row[-1]), *place)
            except (Tampered, KeyUnavailable):
                self._spoilt.add(self._key_of(row))
                continue
            found.append((self._epoch, sealed, *row[: self._key_length], row[-2]))
        return found

    def _named(self, row: Found) -> bytes:
        """Return what `macs.digest` is of: the table's name and every plain column, in order."""
        return self._start + b"".join([encode(row[at]) for encode, at in self._plain])

    def _resealer(self, epoch: int) -> Resealer:
        found = self._resealers.get(epoch)
        if found is None:
            roots, organisation = self._keyring.roots, self._keyring.organisation
            old, new = roots.epoch(epoch), roots.epoch(self._epoch)
            found = Resealer(old, new, organisation, kind_of(self._table))
            self._resealers[epoch] = found
        return found

    def _key_of(self, row: Found) -> Key:
        return tuple(row[: self._key_length])


@dataclass(frozen=True, slots=True)
class _Statements:
    """What is asked of one table; `names` are those of what is written of a row."""

    names: tuple[str, ...]
    older: Quick
    each: Quick
    unlocked: Quick


# Building statements costs more than moving the rows of a small table.
@functools.cache
def _statements(table: Table, columns: tuple[Column[Any], ...]) -> _Statements:
    key = tuple(table.primary_key.columns)
    older = (
        select(*map(_plain, columns), table.c.epoch, table.c.sealed)
        .where(table.c.epoch < bindparam("before"))
        # By the index, which passes over what was moved already; else each pass reads all of that.
        .order_by(table.c.epoch)
        .limit(bindparam("most", type_=Integer()))
    )
    names = ("epoch", "sealed", *("at_" + column.name for column in key), "old")
    return _Statements(names, Quick(older), Quick(_one_by_one(table)), Quick(_all_at_once(table)))


def _plain(column: Column[Any]) -> ColumnElement[Any]:
    # As the driver gives it: making a UUID of every id costs more than the decryption.
    return as_stored(column) if isinstance(column.type, Uuid) else column


def _type(column: Column[Any]) -> TypeEngine[Any]:
    return AsStored() if isinstance(column.type, Uuid) else column.type


def _encoder(column: Column[Any]) -> Callable[[Any], bytes]:
    if isinstance(column.type, Uuid):
        return _uuid_bytes
    # Kinds, compartments and versions are few.
    return functools.lru_cache(maxsize=256)(canonical.encode)


def _uuid_bytes(stored: str | UUID | None) -> bytes:
    if stored is None:
        return canonical.encode(None)
    raw = bytes.fromhex(stored) if isinstance(stored, str) else stored.bytes
    return _UUID + raw


def _one_by_one(table: Table) -> Update:
    matches = and_(
        *(
            _plain(column) == bindparam("at_" + column.name, type_=_type(column))
            for column in table.primary_key.columns
        )
    )
    return (
        update(table)
        # A row that its owner wrote meanwhile lies under the new epoch already.
        .where(matches, table.c.epoch == bindparam("old"))
        .values(epoch=bindparam("epoch"), sealed=bindparam("sealed", type_=AsStored()))
    )


def _all_at_once(table: Table) -> Update:
    """One statement for any number of rows, which passes over those that somebody holds."""
    names = [column.name for column in table.primary_key.columns]
    types = [*(table.c[name].type for name in names), table.c.epoch.type, table.c.sealed.type]
    # An array for each column, side by side: a list of a thousand tuples is slow to plan.
    given = [*("at_" + name for name in names), "old", "sealed"]
    arrays = [bindparam(name, type_=ARRAY(type_)) for name, type_ in zip(given, types, strict=True)]
    columns = [column(f"n_{name}", type_) for name, type_ in zip(given, types, strict=True)]
    new = func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
    held = table.alias("held")
    same = and_(*(held.c[name] == new.c[f"n_at_{name}"] for name in names))
    free = (
        select(*(held.c[name] for name in names), new.c.n_sealed)
        # As above: what its owner wrote meanwhile stays.
        # Reckoned with, so that the index of epochs is no way to a row: while statistics are of
        # before the roll, it looks like a short one, and gives all rows of the table each time.
        .where(same, held.c.epoch + literal_column("0") == new.c.n_old)
        .with_for_update(of=held, skip_locked=True)
        .subquery("free")
    )
    return (
        update(table)
        .where(and_(*(table.c[name] == free.c[name] for name in names)))
        .values(epoch=bindparam("epoch"), sealed=free.c.n_sealed)
    )
