"""Statements run on the driver's cursor: same values, same transaction, same errors, no leak."""

from __future__ import annotations

import traceback
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import InvalidRequestError

from casevault.errors import Busy, Conflict
from casevault.store.engine.database import Database
from casevault.store.engine.quick import LONGEST, Among, AnyLength, Quick

SECRET = "Amal-of-the-harbour-house"
thing = Table(
    "quick_thing",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("blob", LargeBinary, nullable=False),
    Column("flag", Boolean, nullable=False),
    Column("word", String(60), nullable=True),
)
ADD = Quick(insert(thing))
FIND = Quick(select(thing).where(thing.c.id == bindparam("id")))
MANY = Among(lambda ids: select(thing.c.number).where(thing.c.id.in_(ids)), "ids", thing.c.id.type)
FLAG = Quick(
    update(thing).where(thing.c.number > bindparam("above")).values(flag=bindparam("flag"))
)


def row(number: int, **more: object) -> dict[str, object]:
    """Return a row."""
    made = {"id": UUID(int=number + 1), "number": number, "blob": bytes([number % 256] * 3)}
    return {**made, "flag": bool(number % 2), "word": None, **more}


@pytest.fixture
def store(database):
    """Give a database with an empty table."""
    opened = Database(database.data_url)
    with opened.writing() as connection:
        thing.create(connection)
    yield opened
    opened.close()


def test_values_come_back_as_sqlalchemy_gives_them(store):
    """Ids, bytes, truth, numbers, texts and nothing; by one row and by many."""
    rows = [row(0, word="é %s ? :x"), *(row(n) for n in range(1, 700))]
    with store.writing() as connection:
        assert ADD.run(connection, rows[0]) == 1
        ADD.run(connection, rows[1:])
    with store.reading() as connection:
        plain = connection.execute(select(thing).where(thing.c.id == rows[0]["id"])).one()
        assert (
            FIND.one(connection, {"id": rows[0]["id"]}) == tuple(plain) == tuple(rows[0].values())
        )
        assert FIND.named(connection, {"id": rows[3]["id"]}) == [rows[3]]
        assert FIND.one(connection, {"id": uuid4()}) is None
        for count in (0, 1, 3, 4, LONGEST, LONGEST + 1, 700):
            ids = [one["id"] for one in rows[:count]]
            found = sorted(number for (number,) in MANY.all(connection, {"ids": ids}))
            assert found == list(range(count))
    with store.writing() as connection:
        assert FLAG.run(connection, {"above": 689, "flag": True}) == 10
        gone = Among(lambda ids: delete(thing).where(thing.c.id.in_(ids)), "ids", thing.c.id.type)
        assert gone.run(connection, {"ids": []}) == 0
        assert gone.run(connection, {"ids": [rows[0]["id"], rows[1]["id"], uuid4()]}) == 2
        assert ADD.run(connection, []) == 0


def test_it_is_the_transaction_of_its_connection(store):
    """What is not committed is rolled back, and a reader sees one moment."""
    with store.opened_for_writing() as connection:
        ADD.run(connection, row(1))
    with store.reading() as connection:
        assert FIND.one(connection, {"id": row(1)["id"]}) is None
        with store.writing() as other:
            ADD.run(other, row(1))
        assert FIND.one(connection, {"id": row(1)["id"]}) is None


def test_errors_are_ours_and_say_nothing(store):
    """A row that is there is a conflict, nothing is a fault of the store; no value is told."""
    with store.writing() as connection:
        ADD.run(connection, row(1))
    # SQLite takes texts of any length.
    other = (row(2, word=SECRET, blob=None), Conflict)
    if not store.is_sqlite:
        other = (row(2, word=SECRET * 9), Busy)
    for bad, error in ((row(1, word=SECRET), Conflict), other):
        with pytest.raises(error) as caught, store.writing() as connection:
            ADD.run(connection, bad)
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    with store.writing() as connection:
        assert ADD.run(connection, row(2)) == 1


def test_a_missing_value_is_no_empty_one(store):
    """A value that nobody gave is a mistake, never a NULL."""
    with pytest.raises(KeyError), store.writing() as connection:
        ADD.run(connection, {"id": uuid4(), "number": 1, "blob": b"", "flag": True})


def test_several_rows_are_not_one(store):
    """Of two rows none is given as the only one."""
    with store.writing() as connection:
        ADD.run(connection, [row(1), row(2)])
    with store.reading() as connection, pytest.raises(InvalidRequestError, match="several"):
        Quick(select(thing)).one(connection, {})


def test_a_statement_that_depends_on_its_values_is_refused(store):
    """A list of any length cannot be compiled once; `AnyLength` takes it."""
    query = select(thing.c.number).where(thing.c.id.in_(bindparam("ids", expanding=True)))
    with store.writing() as connection:
        ADD.run(connection, [row(1), row(2)])
        with pytest.raises(ValueError, match="depends"):
            Quick(query).all(connection, {"ids": [row(1)["id"]]})
        ids = [row(n)["id"] for n in range(600)]
        assert len(AnyLength(query).all(connection, {"ids": ids})) == 2
        assert AnyLength(query).named(connection, {"ids": ids[:2]}) == [{"number": 1}]
