"""Statements of the hot paths: compiled once, run on the driver's cursor.

SQLAlchemy builds and compiles them and knows how values go in and come out; what it does around
each execution (events, result objects, looking up caches) costs more than SQLite takes to answer.
Decides nothing: same SQL, same transaction, same errors. Must never let an error of the driver
out: it would carry values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Uuid,
    bindparam,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine, UserDefinedType

Values = Mapping[str, Any]
# Longer lists than this are rare enough to be spelled out each time.
LONGEST = 512
Process = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in the words of one driver."""

    text: str
    # In the order of the question marks, or of no importance where the driver takes names.
    values: tuple[tuple[str, Process], ...]
    constants: Values
    by_name: bool
    names: tuple[str, ...]
    results: tuple[tuple[int, Callable[[Any], Any]], ...]

    def parameters(self, at: Values) -> Any:  # noqa: ANN401 - what the driver takes
        """Return values as the driver takes them; one that is missing is a KeyError."""
        at = {**self.constants, **at} if self.constants else at
        if self.by_name:
            return {name: at[name] if p is None else p(at[name]) for name, p in self.values}
        return tuple([at[name] if p is None else p(at[name]) for name, p in self.values])

    def row(self, raw: Sequence[Any]) -> tuple[Any, ...]:
        """Return a row as SQLAlchemy's types give it."""
        made = list(raw)
        for place, process in self.results:
            made[place] = process(made[place])
        return tuple(made)


class Quick:
    """A statement that never changes. Where a list of values may have any length it cannot be."""

    def __init__(self, statement: Executable, columns: Iterable[str] | None = None) -> None:
        """`columns`: those that an INSERT names; all of the table by default."""
        self._statement = statement
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, at: Values) -> list[tuple[Any, ...]]:
        """Return the rows."""
        compiled = self._for(connection.dialect)
        rows = _rows(connection, compiled, compiled.parameters(at))
        return [compiled.row(raw) for raw in rows] if compiled.results else rows

    def named(self, connection: Connection, at: Values) -> list[dict[str, Any]]:
        """Return the rows by the names of their columns."""
        names = self._for(connection.dialect).names
        return [dict(zip(names, row, strict=True)) for row in self.all(connection, at)]

    def one(self, connection: Connection, at: Values) -> tuple[Any, ...] | None:
        """Return the only row, or None; of several none is the right one."""
        rows = self.all(connection, at)
        if len(rows) > 1:
            raise InvalidRequestError("several rows where there is one at most")
        return rows[0] if rows else None

    def run(self, connection: Connection, at: Values | Sequence[Values]) -> int:
        """Carry it out once, or once for each of these rows; return how many rows it touched."""
        compiled = self._for(connection.dialect)
        if isinstance(at, dict | Mapping):
            return _carried_out(connection, compiled.text, compiled.parameters(at))
        many = [compiled.parameters(one) for one in at]
        if len(many) < 2:
            return _carried_out(connection, compiled.text, many[0]) if many else 0
        return _carried_out(connection, compiled.text, many, many=True)

    def run_rows(
        self, connection: Connection, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
    ) -> int:
        """Carry it out once for each row of values, which stand in the order of `names`.

        The values go as they are to a driver that wants them in the statement's own order.
        """
        compiled = self._for(connection.dialect)
        if compiled.by_name or compiled.values != tuple((name, None) for name in names):
            return self.run(connection, [dict(zip(names, row, strict=True)) for row in rows])
        return _carried_out(connection, compiled.text, rows, many=True)

    def _for(self, dialect: Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compiled(
                self._statement, self._columns, dialect
            )
        return found


class AnyLength:
    """A statement with a list of any length in it: as `Quick`, the long way."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement

    def all(self, connection: Connection, at: Values) -> list[tuple[Any, ...]]:
        """Return the rows."""
        return [tuple(row) for row in connection.execute(self._statement, at)]

    def named(self, connection: Connection, at: Values) -> list[dict[str, Any]]:
        """Return the rows by the names of their columns."""
        return [dict(row) for row in connection.execute(self._statement, at).mappings()]

    def run(self, connection: Connection, at: Values) -> int:
        """Carry it out; return how many rows it touched."""
        return connection.execute(self._statement, at).rowcount


class Among:
    """A statement with one list in it: a `Quick` for each power of two, so there are few."""

    def __init__(
        self,
        build: Callable[[Any], Executable],
        name: str,
        type_: TypeEngine[Any],
    ) -> None:
        """`build` makes the statement from what stands after IN; `name` is the list's."""
        self._build, self._name, self._type = build, name, type_
        self._made: dict[int, Quick] = {}
        self._long = AnyLength(build(bindparam(name, expanding=True, type_=type_)))

    def all(self, connection: Connection, at: Values) -> list[tuple[Any, ...]]:
        """Return the rows; of an empty list there are none."""
        return self._for(at).all(connection, self._spread(at)) if at[self._name] else []

    def run(self, connection: Connection, at: Values) -> int:
        """Carry it out; return how many rows it touched."""
        return self._for(at).run(connection, self._spread(at)) if at[self._name] else 0

    def _for(self, at: Values) -> Quick | AnyLength:
        if len(at[self._name]) > LONGEST:
            return self._long
        room = room_for(at[self._name])
        found = self._made.get(room)
        if found is None:
            places = [bindparam(f"{self._name}_{n}", type_=self._type) for n in range(room)]
            found = self._made[room] = Quick(self._build(places))
        return found

    def _spread(self, at: Values) -> Values:
        values = at[self._name]
        return at if len(values) > LONGEST else {**at, **spread(self._name, values)}


class AsStored(UserDefinedType[Any]):
    """A column or value that passes as the driver gives or takes it."""

    cache_ok = True


def as_stored(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column whose values pass as the driver gives them."""
    return type_coerce(column, AsStored())


def room_for(values: Sequence[Any]) -> int:
    """Return the next power of two: how many places a statement has for these values."""
    return 1 << (len(values) - 1).bit_length() if values else 0


def spread(name: str, values: list[Any]) -> dict[str, Any]:
    """Return the values by the names of their places; the last stands in what is left."""
    filled = [*values, *values[-1:] * (room_for(values) - len(values))]
    return {f"{name}_{n}": one for n, one in enumerate(filled)}


def _compiled(statement: Executable, columns: list[str] | None, dialect: Dialect) -> _Compiled:
    made = cast(
        "SQLCompiler",
        # As for many rows, so that nothing is asked for that was not named.
        statement.compile(dialect=dialect, column_keys=columns, for_executemany=True),  # type: ignore[attr-defined]
    )
    if made.post_compile_params or made.insert_prefetch or made.update_prefetch:
        raise ValueError("this statement depends on its values")
    processors = cast("Mapping[str, Process]", made._bind_processors)
    text = made.string
    if not made.positional:
        for name, bound in made.bind_names.items():
            if isinstance(name, BindParameter) and isinstance(name.type, ARRAY):
                # As text each of its values would be quoted, which costs more than all the rest.
                text = text.replace(f"%({bound})s", f"%({bound})b")
    order = made.positiontup if made.positional else list(made.bind_names.values())
    results = []
    for place, column in enumerate(made._result_columns):
        process = column.type._cached_result_processor(dialect, None)
        if process is not None:
            stored_as_text = isinstance(column.type, Uuid) and dialect.name == "sqlite"
            results.append((place, _uuid if stored_as_text else process))
    return _Compiled(
        text,
        tuple((name, processors.get(name)) for name in order or ()),
        {name: b.value for b, name in made.bind_names.items() if not b.required},
        not made.positional,
        tuple(str(column.name) for column in made._result_columns),
        tuple(results),
    )


def _uuid(stored: str | None) -> UUID | None:
    """Return an id that is stored as 32 hexadecimal digits."""
    return None if stored is None else UUID(int=int(stored, 16))


def _rows(connection: Connection, compiled: _Compiled, parameters: Any) -> list[Any]:  # noqa: ANN401
    cursor = _cursor(connection)
    try:
        cursor.execute(compiled.text, parameters)
        return list(cursor.fetchall())
    except connection.dialect.loaded_dbapi.Error as error:
        raise _ours(connection, cursor, error) from None
    finally:
        cursor.close()


def _carried_out(
    connection: Connection,
    text: str,
    parameters: Any,  # noqa: ANN401
    *,
    many: bool = False,
) -> int:
    cursor = _cursor(connection)
    try:
        if many:
            cursor.executemany(text, parameters)
        else:
            cursor.execute(text, parameters)
        return int(cursor.rowcount)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _ours(connection, cursor, error) from None
    finally:
        cursor.close()


def _cursor(connection: Connection) -> Any:  # noqa: ANN401 - the driver's
    if not connection.in_transaction():
        connection.begin()
    # Bytes and ids as they are, where the driver would else have them written out and read again.
    held = connection.connection
    return held.cursor(binary=True) if connection.dialect.name == "postgresql" else held.cursor()


def _ours(connection: Connection, cursor: Any, error: Exception) -> BaseException:  # noqa: ANN401
    """Return an error of the driver as SQLAlchemy would raise it; a dead connection is dropped."""
    dialect, driver = connection.dialect, connection.dialect.loaded_dbapi.Error
    held = connection.connection.dbapi_connection
    if dialect.is_disconnect(error, held, cursor):  # type: ignore[arg-type]
        connection.invalidate(error)
    return DBAPIError.instance(None, None, error, driver, hide_parameters=True, dialect=dialect)
