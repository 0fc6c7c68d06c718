"""What can be counted of too much without a key: keys that nobody used, files of closed cases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, update

from casevault.domain.case import casefile
from casevault.domain.case.casefile import DocumentKind, Status
from casevault.domain.staff.access import Role
from casevault.ids import new_id
from casevault.services.casework.casework import Casework
from casevault.services.rights.minimising import Minimising
from casevault.store.case import cases
from casevault.store.engine import tables
from tests.builders import DPO, SUPERVISOR, a_vault
from tests.integration.erasing_world import Office

LONG_AGO = {"counted_from": "2020-01-31", "opened_month": "2019-12"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def office(request, tmp_path):
    """Give a vault in which months pass; on PostgreSQL only `make test-all` runs it."""
    name = "sqlite_databases" if request.param == "sqlite" else "pg_databases"
    vault = a_vault(request.getfixturevalue(name), tmp_path)
    yield Office(vault, tmp_path)
    vault.close()


def overview(office, login=SUPERVISOR, role=Role.SUPERVISOR):
    """Return the report as somebody sees it."""
    return Minimising(office.stores, office.gate).overview(office.vault.caller(login, role))


def read(office, case):
    """Look at a case."""
    Casework(office.stores, office.gate).read_document(office.caller, case, DocumentKind.PROFILE)


def attach(office, case, count):
    """Let a case have files: their first pieces."""
    rows = [
        {"file_id": file, "number": number, "case_id": case, "compartment": "narrative"}
        for file in (new_id() for _ in range(count))
        for number in range(2)
    ]
    with office.stores.data.writing() as connection:
        connection.execute(insert(tables.file_piece), [row | {"piece": b"x" * 80} for row in rows])


def close(office, case, **changes):
    """Let a case have been closed long ago."""
    with office.stores.data.writing() as connection:
        found = cases.find_case(connection, office.stores.roots, case, lock=True)
        older = replace(found, status=Status.CLOSED, **LONG_AGO, **changes)
        cases.change_case(connection, office.stores.roots, casefile.next_version(older))


def test_a_key_that_nobody_used_is_counted(office):
    """A list of a caseload is no use of it, a look is; a young key is not judged; no key needed."""
    idle, also, used = office.open(), office.open(), office.open()
    assert overview(office).grants == ()
    # The service keeps two months of the log: the one in which these were opened must be over.
    for _ in range(3):
        office.later(days=31)
        office.open()
    Casework(office.stores, office.gate).list_cases(office.caller)
    read(office, used)
    for login, role in ((SUPERVISOR, Role.SUPERVISOR), (DPO, Role.DPO)):
        (found,) = overview(office, login, role).grants
        assert (found.staff, found.held) == (office.caller.staff, 6)
        assert {str(office.row(one).reference) for one in (idle, also)} <= set(found.references)
        assert str(office.row(used).reference) not in found.references
    before = found.unused
    read(office, idle)
    (found,) = overview(office).grants
    assert found.unused == before - 1


def test_files_of_cases_closed_long_ago_are_counted(office):
    """By team; not those of an open case, nor what a hold needs, nor a row that does not hold."""
    old, held, forged, present = (office.open() for _ in range(4))
    for case in (old, held, forged, present):
        attach(office, case, 2)
    close(office, old)
    close(office, held, hold=True)
    with office.stores.data.writing() as connection:
        row = tables.case_file
        values = {"status": "Closed", **LONG_AGO}
        connection.execute(update(row).where(row.c.id == forged).values(values))
    (found,) = overview(office, DPO, Role.DPO).files
    assert (found.team, found.cases, found.files) == (office.vault.team, 1, 2)
    assert found.references == (str(office.row(old).reference),)
