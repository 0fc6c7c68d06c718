"""The rows of entries on their way into the database.

On SQLite an entry enters the tree in the transaction that writes it. On PostgreSQL it is staged:
all rows of all entries are one statement, so that a look, whose entries are a transaction of their
own, costs one answer of the server and not one for each table. Decides nothing about what an
entry says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Insert,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
)
from sqlalchemy import column as named

from casevault.store.engine import tables
from casevault.store.engine.quick import Quick
from casevault.store.log import tree

_ENTRY, _SUBJECT = tables.ledger_entry, tables.ledger_subject
_SEALED = tables.ledger_body.c.sealed
_STAGED_AT = tables.ledger_pending.c.staged_at
# Made once: building a statement costs as much as running it.
_ADD_ENTRY = Quick(insert(_ENTRY))
_ADD_BODY = Quick(insert(tables.ledger_body))
_ADD_SUBJECT = Quick(insert(_SUBJECT))


@dataclass(frozen=True, slots=True)
class Made:
    """The rows of one entry."""

    entry: dict[str, Any]
    sealed: bytes
    # (kind, pseudonym) by which it is found.
    marks: tuple[tuple[str, str], ...]

    @property
    def id(self) -> UUID:
        """The entry's id."""
        found: UUID = self.entry["id"]
        return found


def append(connection: Connection, made: Sequence[Made]) -> None:
    """Write entries and put them into the tree (SQLite); the caller holds the write lock."""
    _ADD_ENTRY.run(connection, [one.entry for one in made])
    _ADD_BODY.run(connection, [{"entry_id": one.id, "sealed": one.sealed} for one in made])
    _ADD_SUBJECT.run(connection, _subjects(made))
    tree.append(connection, [(one.id, one.entry["leaf"]) for one in made])


def stage(connection: Connection, made: Sequence[Made], staged_at: int) -> None:
    """Write entries, and that they wait for their place in the tree (PostgreSQL)."""
    if not made:
        return
    found = [{**one.entry, "sealed": one.sealed} for one in made]
    values = {"new": _json(_NEW, found), "marks": _json(_MARKS, _subjects(made))}
    _STAGE.run(connection, {**values, "staged": staged_at})


def _subjects(made: Sequence[Made]) -> list[dict[str, Any]]:
    return [
        {"entry_id": one.id, "kind": kind, "pseudonym": value}
        for one in made
        for kind, value in one.marks
    ]


def _json(columns: Sequence[Column[Any]], rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as the server reads them into columns of their types.

    One text is quicker to make and to read than a list for each column.
    """
    return json.dumps([{one.name: _text(row[one.name]) for one in columns} for row in rows])


def _text(value: object) -> object:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return value.hex if isinstance(value, UUID) else value


def _rows_of(columns: Sequence[Column[Any]], name: str) -> Any:  # noqa: ANN401 - a derived table
    """Return the rows of the text of this name, as something to select from."""
    given = cast(bindparam(name, type_=Text), JSON)
    made = func.json_to_recordset(given).table_valued(*(named(c.name, c.type) for c in columns))
    return made.render_derived(name=f"{name}_rows", with_types=True)


def _staging() -> Insert:
    new = select(_rows_of(_NEW, "new")).cte("made")

    def into(table: Table, **values: Any) -> Any:  # noqa: ANN401 - a statement
        return insert(table).from_select(list(values), select(*values.values()))

    marks = _rows_of(_MARKS, "marks").c
    staged = bindparam("staged", type_=_STAGED_AT.type)
    others = [
        into(_ENTRY, **{one.name: new.c[one.name] for one in _ENTRY.columns}),
        into(tables.ledger_body, entry_id=new.c.id, sealed=new.c.sealed),
        into(tables.ledger_pending, entry_id=new.c.id, staged_at=staged),
    ]
    last: Insert = into(_SUBJECT, **{one.name: marks[one.name] for one in _MARKS})
    return last.add_cte(*(one.cte(f"add_{place}") for place, one in enumerate(others)))


_NEW = (*_ENTRY.columns, _SEALED)
_MARKS = tuple(_SUBJECT.columns)
_STAGE = Quick(_staging())
