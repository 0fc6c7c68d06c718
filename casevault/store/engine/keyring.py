"""The keyring store: rows whose content is sealed under the root provider's epoch key.

One mechanism for every table: plain lookup columns, an epoch number and sealed content bound to
both. A writer reads the epoch in its own transaction under a shared lock, so that a roll (which
takes it exclusively) sees every row. Must never hand out content of a row that was moved.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Table,
    and_,
    bindparam,
    delete,
    false,
    func,
    insert,
    select,
    true,
    update,
)

from casevault.crypto import canonical, macs
from casevault.crypto.roots import RootProvider
from casevault.crypto.sealing import Place, seal, unseal
from casevault.errors import Conflict, Misconfigured, Tampered
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.database import Database
from casevault.store.engine.quick import LONGEST, AnyLength, Quick, room_for, spread
from casevault.store.engine.shelf import Shelf

Lookup = dict[str, Any]
_IDENTITY = Quick(select(tables.keyring_identity))
_SHARED_IDENTITY = Quick(select(tables.keyring_identity).with_for_update(read=True))
_TRUST_VERSION = Quick(select(tables.keyring_trust.c.version))


@dataclass(frozen=True, slots=True)
class Between:
    """A condition on a column: above `low` and at most `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Row:
    """One opened row: the plain columns by which it is found, and its content."""

    lookup: Lookup
    content: bytes

    def __repr__(self) -> str:
        return "Row(…)"


@dataclass(frozen=True, slots=True)
class Identity:
    """The keyring's only plain row. Where the generation rises: `store.recovery.identity`."""

    keyring_id: UUID
    generation: int
    epoch: int


class Keyring:
    """The keyring store of one organisation."""

    def __init__(self, database: Database, roots: RootProvider, organisation: UUID) -> None:
        self.database = database
        self.roots = roots
        self.organisation = organisation

    @contextmanager
    def reading(self) -> Iterator[KeyringTransaction]:
        """Give a transaction that only reads."""
        with self.database.reading() as connection:
            yield KeyringTransaction(self, connection, None)

    @contextmanager
    def founding(self, keyring_id: UUID) -> Iterator[KeyringTransaction]:
        """As `writing`, on an empty keyring, whose identity is part of the same transaction."""
        with self.database.writing() as connection:
            identity = {"id": 1, "keyring_id": keyring_id, "generation": 1, "epoch": 1}
            connection.execute(insert(tables.keyring_identity).values(**identity))
            connection.execute(insert(tables.keyring_trust).values(id=1, version=1))
            yield KeyringTransaction(self, connection, 1)

    @contextmanager
    def writing(self) -> Iterator[KeyringTransaction]:
        """Give a transaction that commits on a clean exit."""
        with self.database.writing() as connection:
            yield KeyringTransaction(self, connection, self._epoch(connection))

    def _epoch(self, connection: Connection) -> int:
        # FOR SHARE is dropped on SQLite, where the write lock does the same.
        rows = _SHARED_IDENTITY.named(connection, {})
        if not rows:
            raise Misconfigured(
                "The keyring is empty. Run `casevault init` first.", code="keyring.empty"
            )
        return int(rows[0]["epoch"])


class KeyringTransaction:
    """One transaction on the keyring: rows in and out, content sealed and opened."""

    def __init__(self, keyring: Keyring, connection: Connection, epoch: int | None) -> None:
        self._keyring = keyring
        self._connection = connection
        self._epoch = epoch
        self._trust_version: int | None = None
        self._shelves: dict[Table, Shelf[Row]] = {}
        self.changes_trust = False
        self.organisation = keyring.organisation
        self.roots = keyring.roots

    def add(self, table: Table, content: bytes, **lookup: Any) -> None:  # noqa: ANN401
        """Insert a row; one that is there already is a `Conflict`."""
        self.add_many(table, [(lookup, content)])

    def add_many(self, table: Table, rows: list[tuple[Lookup, bytes]]) -> None:
        """Insert several rows in one statement."""
        if rows:
            sealed = [{**at, **self._seal(table, at, content)} for at, content in rows]
            _adding(table).run(self._connection, sealed)

    def replace(self, table: Table, content: bytes, **lookup: Any) -> None:  # noqa: ANN401
        """Change the content of exactly one row, named by all its lookup columns."""
        sealed = self._seal(table, lookup, content)
        statement = _statement(table, "replace", *_shape(lookup))
        if statement.run(self._connection, _at(lookup) | sealed) != 1:
            raise Conflict(code="keyring.row")

    def find(self, table: Table, *, lock: bool = False, **where: Any) -> list[Row]:  # noqa: ANN401
        """Return the rows whose columns equal (or, given a list, are among) these values.

        `lock` keeps others from changing them until this transaction ends.
        """
        shelf = self._shelves.get(table)
        if shelf is not None and shelf.covers(where):
            return shelf.find(where)
        statement = _statement(table, "lock" if lock else "find", *_shape(where))
        found = statement.named(self._connection, _at(where))
        return [self._open(table, row) for row in found]

    def prefetch(self, table: Table, **where: list[Any]) -> list[Lookup]:
        """Read rows at once; what is later looked for among them is not asked for again.

        Only while nothing can change them: in a transaction that reads, which sees one moment.
        Returns their plain columns; a row is opened when it is found.
        """
        if self._epoch is not None:
            raise RuntimeError("what this transaction reads may change")
        rows = _statement(table, "find", *_shape(where)).named(self._connection, _at(where))
        self.lay(table, rows, **where)
        return rows

    def lay(self, table: Table, rows: list[Lookup], **where: list[Any]) -> None:
        """Answer from these rows: all whose columns are among `where`, as of this moment."""
        self._shelves[table] = Shelf(where, rows, partial(self._open, table))

    def one(self, table: Table, *, lock: bool = False, **where: Any) -> Row | None:  # noqa: ANN401
        """Return the only such row, or None."""
        rows = self.find(table, lock=lock, **where)
        if len(rows) > 1:
            raise Tampered(code="keyring.row")
        return rows[0] if rows else None

    def remove(self, table: Table, **where: Any) -> int:  # noqa: ANN401
        """Delete such rows; return how many there were."""
        if not where:
            raise ValueError("a deletion names its rows")
        statement = _statement(table, "remove", *_shape(where))
        return statement.run(self._connection, _at(where))

    def lookups(self, table: Table, **where: Any) -> list[Lookup]:  # noqa: ANN401
        """Return the plain columns of such rows without opening anything."""
        shelf = self._shelves.get(table)
        if shelf is not None and shelf.covers(where):
            names = _lookup_names(table)
            return [{name: row[name] for name in names} for row in shelf.closed(where)]
        statement = _statement(table, "lookups", *_shape(where))
        return statement.named(self._connection, _at(where))

    def lock(self, table: Table, **where: Any) -> None:  # noqa: ANN401
        """Keep others from changing such rows until this transaction ends, without opening any."""
        statement = _statement(table, "lock", *_shape(where))
        statement.all(self._connection, _at(where))

    def values(self, table: Table, column: str, **where: Any) -> set[Any]:  # noqa: ANN401
        """Return what a plain column holds in such rows; they may be many."""
        statement = _statement(table, "values/" + column, *_shape(where))
        return {value for (value,) in statement.all(self._connection, _at(where))}

    def first(
        self,
        table: Table,
        column: str,
        after: object,
        limit: int,
        **where: Any,  # noqa: ANN401
    ) -> list[Any]:
        """Return the first values of a plain column behind `after`, of such rows, in order."""
        statement = _statement(table, "first/" + column, *_shape(where))
        at = {**_at(where), "behind": after, "most": limit}
        return [value for (value,) in statement.all(self._connection, at)]

    def identity(self) -> Identity:
        """Return which keyring this is, how new it is, and the epoch of its writers."""
        (row,) = _IDENTITY.named(self._connection, {})
        return Identity(row["keyring_id"], int(row["generation"]), int(row["epoch"]))

    def trust_version(self) -> int:
        """Return the number that rises whenever somebody's keys or vouches change."""
        if self._trust_version is None:
            ((version,),) = _TRUST_VERSION.all(self._connection, {})
            self._trust_version = int(version)
        return self._trust_version

    def raise_trust_version(self) -> None:
        """Make every process check vouches and grants anew."""
        trust = tables.keyring_trust
        self._connection.execute(update(trust).values(version=trust.c.version + 1))
        self._trust_version = None
        self.changes_trust = True

    def rows_by_epoch(self) -> dict[tuple[str, int], int]:
        """Return how many rows of each table lie under each epoch."""
        counts: dict[tuple[str, int], int] = {}
        for table in sealed_tables():
            rows = self._connection.execute(
                select(table.c.epoch, func.count()).group_by(table.c.epoch)
            )
            counts |= {(table.name, int(epoch)): int(count) for epoch, count in rows}
        return counts

    def _seal(self, table: Table, lookup: Lookup, content: bytes) -> Lookup:
        if self._epoch is None:
            raise RuntimeError("this transaction only reads")
        sealed = seal(self.roots.epoch(self._epoch), self._place(table, lookup), content)
        return {"epoch": self._epoch, "sealed": sealed}

    def _open(self, table: Table, row: Lookup) -> Row:
        lookup = {name: row[name] for name in _lookup_names(table)}
        key = self.roots.epoch(row["epoch"])
        return Row(lookup, unseal(key, self._place(table, lookup), bytes(row["sealed"])).content)

    def _place(self, table: Table, lookup: Lookup) -> Place:
        if lookup.keys() != _lookup_set(table):
            raise ValueError("a row is named by all its lookup columns")
        return place_of(self.organisation, table, lookup)


def place_of(organisation: UUID, table: Table, row: Mapping[str, Any]) -> Place:
    """Return where a row's content belongs: its table, and every plain column of it."""
    named = canonical.encode(*[row[name] for name in _lookup_names(table)])
    digest = macs.sha256(_start(table) + named)
    compartment, id_ = place_of_digest(digest)
    return Place(organisation, kind_of(table), UUID(bytes=id_), None, compartment)


def kind_of(table: Table) -> str:
    """Return the kind of object that the rows of a table are sealed as."""
    return "keyring/" + table.name


def place_of_digest(digest: bytes) -> tuple[str, bytes]:
    """Return compartment and row of the place that the digest of a row's plain columns names."""
    return digest.hex(), digest[:16]


def sealed_tables() -> tuple[Table, ...]:
    """Return every table of the keyring that holds sealed rows."""
    return tuple(t for t in tables.keyring.sorted_tables if "sealed" in t.c)


@functools.cache
def _start(table: Table) -> bytes:
    return canonical.encode(table.name)


@functools.cache
def _lookup_names(table: Table) -> tuple[str, ...]:
    # Plain text: SQLAlchemy's names are a kind of their own, which costs at every use.
    return tuple(str(column.name) for column in plain_columns(table))


@functools.cache
def _lookup_set(table: Table) -> frozenset[str]:
    return frozenset(_lookup_names(table))


def plain_columns(table: Table) -> tuple[Column[Any], ...]:
    """Return the columns by which a row is found, in the order in which they bind its content."""
    return tuple(c for c in table.columns if c.name not in ("epoch", "sealed"))


def _shape(where: Lookup) -> tuple[tuple[str, str], ...]:
    """Return how each column is compared: the statement depends on that, not on the values."""
    return tuple((name, _comparison(value)) for name, value in where.items())


def _comparison(value: object) -> str:
    if isinstance(value, list):
        return f"in/{room_for(value)}" if len(value) <= LONGEST else "among"
    if isinstance(value, Between):
        return "between"
    return "is" if value is None else "="


def _at(where: Lookup) -> Lookup:
    # Plain column names are reserved for the values of an update.
    found: Lookup = {}
    for name, value in where.items():
        if isinstance(value, Between):
            found |= {"above_" + name: value.low, "to_" + name: value.high}
        elif isinstance(value, list) and len(value) <= LONGEST:
            found |= spread("at_" + name, value)
        else:
            found["at_" + name] = value
    return found


# Building a statement costs as much as running it; there are as many as callers' shapes.
@functools.cache
def _statement(table: Table, act: str, *shape: tuple[str, str]) -> Quick | AnyLength:
    statement = _built(table, act, shape)
    any_length = any(comparison == "among" for _, comparison in shape)
    return AnyLength(statement) if any_length else Quick(statement)


@functools.cache
def _adding(table: Table) -> Quick:
    return Quick(insert(table))


def _built(table: Table, act: str, shape: Iterable[tuple[str, str]]) -> Executable:
    conditions: list[ColumnElement[bool]] = [true()]
    for name, comparison in shape:
        column = table.c[name]
        if comparison.startswith("in/"):
            places = range(int(comparison.removeprefix("in/")))
            names = [bindparam(f"at_{name}_{n}", type_=column.type) for n in places]
            conditions.append(column.in_(names) if names else false())
        elif comparison == "among":
            conditions.append(column.in_(bindparam("at_" + name, expanding=True)))
        elif comparison == "between":
            conditions.append(column > bindparam("above_" + name))
            conditions.append(column <= bindparam("to_" + name))
        elif comparison == "is":
            conditions.append(column.is_(None))
        else:
            conditions.append(column == bindparam("at_" + name, type_=column.type))
    matches = and_(*conditions)
    if act.startswith("values/"):
        return select(table.c[act.removeprefix("values/")]).where(matches)
    if act.startswith("first/"):
        sought = table.c[act.removeprefix("first/")]
        behind = sought > bindparam("behind", type_=sought.type)
        ordered = select(sought).where(matches, behind).order_by(sought)
        return ordered.limit(bindparam("most", type_=Integer()))
    match act:
        case "find":
            return select(table).where(matches)
        case "lock":
            return select(table).where(matches).with_for_update()
        case "lookups":
            return select(*(table.c[name] for name in _lookup_names(table))).where(matches)
        case "replace":
            return (
                update(table)
                .where(matches)
                .values(epoch=bindparam("epoch"), sealed=bindparam("sealed"))
            )
        case "remove":
            return delete(table).where(matches)
    raise ValueError(act)
