"""``kill -9`` before and after every commit of an erasure: never half, once on the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from casevault.clock import SystemClock
from tests.builders import SUPERVISOR, a_vault
from tests.faults.nursery import run
from tests.integration.erasing_world import Office

WHOLE = {"data", "case_key", "access_grant"}


@pytest.fixture
def office(database, tmp_path):
    """Give a vault in which cases become due, and its plan for child processes."""
    yield from made(database, tmp_path)


def made(database, tmp_path):
    """Make the vault and the plan; close it at the end."""
    vault = a_vault(database, tmp_path, SystemClock())
    plan = {
        "data_url": database.data_url,
        "keyring_url": database.keyring_url,
        "keys_dir": str(vault.keys_dir),
        "organisation": str(vault.stores.organisation),
        "root_pin": vault.outcome.root_pin,
        "team": str(vault.team),
        "supervisor": {
            "id": str(vault.staff(SUPERVISOR)),
            "role": "supervisor",
            "seed": vault.secret(SUPERVISOR).seed.hex(),
        },
        "file": str(tmp_path / "plan.json"),
    }
    Path(plan["file"]).write_text(json.dumps(plan))
    yield Office(vault, tmp_path), plan
    vault.close()


@pytest.fixture
def sqlite_office(sqlite_databases, tmp_path):
    """Give the same on SQLite, whose files the process itself writes."""
    yield from made(sqlite_databases, tmp_path)


@pytest.mark.faults
def test_an_erasure_on_a_full_disk_is_finished(sqlite_office):
    """From each commit on nothing can be written: all keys or none, and with room it goes on."""
    desk, plan = sqlite_office
    number, full, finished = 1, 0, False
    while not finished:
        assert number < 20
        case = desk.open()
        desk.age(case, months=61)
        finished, died = run(plan, "erase", number, "full")
        assert not died
        left = desk.left(case)
        assert left in (WHOLE, {"data"}, set()), "half the keys are gone"
        assert desk.name(case) == ("Testperson" if left == WHOLE else None)
        desk.run()
        assert desk.left(case) == set()
        assert desk.codes().count("case.erase") == number
        full += not finished
        number += 1
    assert full >= 3
    desk.roll()
    assert desk.run().certificates == number - 1


@pytest.mark.faults
def test_an_erasure_that_is_killed_is_finished(office):
    """All keys or none; once they are gone the next run ends it under the same entry."""
    desk, plan = office
    number, killed, erased = 1, 0, 0
    while number < 20:
        finished = False
        for moment in ("before", "after"):
            case = desk.open()
            desk.age(case, months=61)
            acknowledged, died = run(plan, "erase", number, moment)
            left = desk.left(case)
            assert left in (WHOLE, {"data"}, set()), "half the keys are gone"
            assert left == set() or not acknowledged
            if left == WHOLE:
                assert desk.name(case) == "Testperson"
            else:
                assert desk.name(case) is None
            desk.run()
            assert desk.left(case) == set()
            erased += 1
            assert desk.codes().count("case.erase") == erased
            finished |= not died
            killed += died
        if finished:
            break
        number += 1
    assert killed >= 8
    desk.roll()
    assert desk.run().certificates == erased
