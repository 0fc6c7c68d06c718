"""The rows of entries on their way into the database.

On SQLite an entry enters the tree in the transaction that writes it. On PostgreSQL it is staged:
all rows of all entries are one statement, so that a look, whose entries are a transaction of their
own, costs one answer of the server and not one for each table. Decides nothing about what an
entry says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    Connection,
    Insert,
    Table,
    bindparam,
    func,
    insert,
    select,
)
from sqlalchemy import column as named

from casevault.store import tables, tree
from casevault.store.quick import Quick

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
    values = {**_lists(_NEW, found), **_lists(_MARKS, _subjects(made)), "staged": staged_at}
    _STAGE.run(connection, values)


def _subjects(made: Sequence[Made]) -> list[dict[str, Any]]:
    return [
        {"entry_id": one.id, "kind": kind, "pseudonym": value}
        for one in made
        for kind, value in one.marks
    ]


def _lists(columns: Sequence[Column[Any]], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the values of each column in a list of its own."""
    return {_bound(one): [row[one.name] for row in rows] for one in columns}


def _bound(column: Column[Any]) -> str:
    return f"{column.table.name}_{column.name}"


def _rows_of(columns: Sequence[Column[Any]], name: str) -> Any:  # noqa: ANN401 - a derived table
    """Return the rows that these lists make, as something to select from."""
    lists = [bindparam(_bound(one), type_=ARRAY(one.type)) for one in columns]
    made = func.unnest(*lists).table_valued(*(named(one.name, one.type) for one in columns))
    return made.render_derived(name=name)


def _staging() -> Insert:
    new = select(_rows_of(_NEW, "given")).cte("new")

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
