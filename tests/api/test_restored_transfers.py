"""A case that passed to another team, and a data store from before that: it is not lost."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select

from casevault.services.recovery.settling import Settling
from casevault.store.context.caller import Gate
from casevault.store.engine import tables
from casevault.store.retention.erasing import tables_of_cases
from tests.api.copies import a_world
from tests.api.world import NORTH
from tests.security.interface import Stage, _may_move

NOTE = {"content": {"type": "visit", "date": "2026-11-20", "text": "Written after the transfer"}}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(request, make_databases, tmp_path):
    """Give a world of its own: its data is put back to what it was."""
    found = a_world(make_databases(request.param), tmp_path)
    yield found
    found.close()


def rows_of(world, case):
    """Return every row of a case by its table, as a backup of the data store holds them."""
    with world.vault.stores.data.reading() as connection:
        return {
            table: [
                dict(row._mapping)
                for row in connection.execute(select(table).where(column == UUID(case)))
            ]
            for table, column in _columns()
        }


def put_back(world, case, kept):
    """Replace the rows of a case by those of a backup."""
    with world.vault.stores.data.writing() as connection:
        for table, column in _columns():
            connection.execute(delete(table).where(column == UUID(case)))
        for table, _ in reversed(_columns()):
            if kept[table]:
                connection.execute(insert(table), kept[table])


def _columns():
    those = [(table, table.c.case_id) for table in tables_of_cases()]
    return [*those, (tables.case_file, tables.case_file.c.id)]


def settle(world):
    """Bring the store to what the keyring knows, as the command does."""
    stores = world.vault.stores
    return Settling(stores, Gate(stores, "passphrase"), None).settle()


def read(world, case, by):
    """Return how a case's identity is answered to somebody."""
    return world.get(f"/v1/cases/{case}/identity", by).status_code


def test_a_case_that_was_taken_is_taken_again_after_a_restore(world):
    """Its new team takes it as it did before; its colleagues keep it, the old team gets nothing."""
    case = world.open("sofia")
    _may_move(Stage(world), case, "sofia", NORTH)
    before = rows_of(world, case)
    given = world.post(f"/v1/cases/{case}/transfer", "sid", {"team_id": world.team(NORTH)})
    path = f"/v1/transfers/{given.json()['id']}/receipt"
    assert world.post(path, "sue", None).status_code == 200
    assert world.assign(case, "cara").status_code == 204
    assert world.post(f"/v1/cases/{case}/notes", "cara", NOTE).status_code == 201
    put_back(world, case, before)
    assert {read(world, case, by) for by in ("sue", "cara", "sid", "sofia")} == {404}
    assert settle(world).strayed == (UUID(case),)
    # Done once, however often it is run.
    assert settle(world).strayed == ()
    (waiting,) = [one for one in world.worklist("sue") if one["type"] == "transfer_in"]
    refused = world.post(f"/v1/transfers/{waiting['record_id']}/receipt", "sid", None)
    assert refused.status_code == 404
    taken = world.post(f"/v1/transfers/{waiting['record_id']}/receipt", "sue", None)
    assert taken.status_code == 200, taken.text
    assert [read(world, case, by) for by in ("sue", "cara", "sid", "sofia")] == [200, 200, 404, 404]
    assert world.post(f"/v1/cases/{case}/notes", "cara", NOTE).status_code == 201
    found = world.post("/v1/search", "cara", {"name": "Ondine Obvious-Madeup"}).json()
    assert case in str(found)
    assert world.get(f"/v1/cases/{case}", "cara").json()["team"] == world.team(NORTH)
