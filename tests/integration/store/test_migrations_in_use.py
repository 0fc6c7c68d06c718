"""Every migration, one after another, beside a vault in use whose every table holds a row."""

from __future__ import annotations

from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, LargeBinary, MetaData, inspect, select

from casevault.ids import new_id
from casevault.store.engine import migrate
from casevault.store.engine.database import Database
from tests.builders import a_vault, an_act

# What looks sealed to the database: magic, format, suite, and the shortest length.
SEALED = b"CV\x01\x01" + bytes(352)
# Columns whose length only a CHECK knows.
LENGTHS = {"hashes": 8192}
PLAIN = {"Uuid": new_id(), "String": "x", "Text": "x", "Boolean": False}

Rows = dict[str, list[dict[str, Any]]]


def revisions(branch: str) -> list[str]:
    """Return the revisions of a branch, oldest first."""
    scripts = ScriptDirectory.from_config(migrate._config(branch))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def step_up(store: Database, branch: str, revision: str) -> None:
    """Bring a store to one revision and no further."""
    with store.writing() as connection:
        command.upgrade(migrate._config(branch, connection), revision)


def contents(store: Database) -> Rows:
    """Return every row of every table, whatever revision the store stands at."""
    found = MetaData()
    with store.reading() as connection:
        found.reflect(connection)
        return {
            name: sorted(
                (dict(row) for row in connection.execute(select(table)).mappings()), key=str
            )
            for name, table in found.tables.items()
            if not name.startswith("alembic_version_")
        }


def a_value(connection: Connection, column: Any) -> Any:
    """Return something that a column takes; a reference names a row that is there."""
    for key in column.foreign_keys:
        return connection.execute(select(key.column).limit(1)).scalar_one()
    if column.name == "sealed":
        return SEALED
    if isinstance(column.type, LargeBinary):
        return bytes(LENGTHS.get(column.name, column.type.length or 64))
    return PLAIN.get(type(column.type).__name__, 1)


def fill(store: Database, branch: str) -> None:
    """Put a row into each table that is there and empty."""
    with store.writing() as connection:
        looking = inspect(connection)
        there = set(looking.get_table_names())
        for table in migrate._METADATA[branch].sorted_tables:
            if table.name not in there or connection.execute(select(1).select_from(table)).first():
                continue
            present = {column["name"] for column in looking.get_columns(table.name)}
            row = {c.name: a_value(connection, c) for c in table.columns if c.name in present}
            connection.execute(table.insert().values(**row))


def lost(before: Rows, after: Rows) -> set[str]:
    """Return the tables of both whose rows differ in the columns of both."""
    changed = set()
    for name in set(before) & set(after):
        sides = []
        for mine, others in ((before[name], after[name]), (after[name], before[name])):
            shared = set(mine[0]) & set(others[0]) if mine and others else set()
            sides.append(sorted(str({k: row[k] for k in sorted(shared)}) for row in mine))
        if sides[0] != sides[1]:
            changed.add(name)
    return changed


@pytest.mark.parametrize("branch", ["data", "keyring"])
def test_no_migration_changes_what_was_there(database, tmp_path, branch):
    """One by one down to the first and up again, each with rows in all tables of its moment."""
    vault = a_vault(database, tmp_path)
    vault.stores.ledger.record(an_act(), an_act())
    store = {"data": vault.stores.data, "keyring": vault.stores.keyring.database}[branch]
    every = revisions(branch)
    assert len(every) > 7
    fill(store, branch)
    before = contents(store)
    assert all(before.values())
    for revision in every[-2::-1]:
        migrate.downgrade(store, branch, revision)
        after = contents(store)
        assert lost(before, after) == set(), f"down to {revision}"
        before = after
    for revision in every[1:]:
        step_up(store, branch, revision)
        after = contents(store)
        assert set(before) <= set(after)
        assert lost(before, after) == set(), f"up to {revision}"
        fill(store, branch)
        before = contents(store)
    assert all(before.values())
    assert migrate.differences(store, branch) == 0
    assert vault.secret("salma").seed
    vault.close()


def test_a_changed_row_is_found():
    """The comparison can fail: a value, a row too many, a row too few."""
    before = {"one": [{"id": 1, "new": 0}], "two": [{"id": 1}]}
    assert lost(before, {"one": [{"id": 1}], "two": [{"id": 1, "more": 5}]}) == set()
    assert lost(before, {"one": [{"id": 2}], "two": []}) == {"one", "two"}
    assert lost(before, {"one": [{"id": 1}], "two": [{"id": 1}, {"id": 2}]}) == {"two"}
