"""`casevault ledger who` and `leaver`: by the auditor who signs in, on paper and released."""

from __future__ import annotations

import json

import pytest

from casevault.errors import Invalid, NotFound
from tests.cli.test_auditing import rows_of, run


def test_who_looked_is_printed(world, config_of, runner, tmp_path):
    """By id or by the reference that people say; a page in Arabic; nothing is written over."""
    case = world.open("cara")
    assert world.get(f"/v1/cases/{case}/identity", "cara").status_code == 200
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    world.entries()
    done = run(world, config_of, runner, "who", case)
    assert done.exit_code == 0, (done.output, done.exception)
    assert {row[1] for row in rows_of(done)} == {"Cara Madeup"}
    page = tmp_path / "who.html"
    told = ("who", reference.lower(), "--html", page, "--lang", "ar", "--no-names", "--json")
    done = run(world, config_of, runner, *told)
    assert done.exit_code == 0, (done.output, done.exception)
    assert 'dir="rtl"' in page.read_text()
    assert "Cara Madeup" not in page.read_text() + done.stdout
    assert json.loads(done.stdout)
    again = run(world, config_of, runner, *told)
    assert isinstance(again.exception, Invalid)


@pytest.mark.parametrize("named", ["CV-0000-0000", "nothing", "0"])
def test_an_unknown_case_is_not_found(sqlite_world, config_of, runner, named):
    """Whatever was typed."""
    done = run(sqlite_world, config_of, runner, "who", named)
    assert isinstance(done.exception, NotFound)


def test_a_list_is_released(world, config_of, runner):
    """Then the caseworker reads it."""
    case = world.open("cara")
    world.entries()
    done = run(world, config_of, runner, "who", case, "--release")
    assert done.exit_code == 0, (done.output, done.exception)
    assert world.get(f"/v1/cases/{case}/looks", "cara").status_code == 200


def test_a_leaver_is_counted(world, config_of, runner):
    """Cases to the auditor, numbers to the supervisor."""
    login = world.person()
    case = world.open(login)
    world.entries()
    done = run(world, config_of, runner, "leaver", login)
    assert [row[0] for row in rows_of(done)] == [case]
    done = run(world, config_of, runner, "leaver", login, "--release", "--json")
    assert json.loads(done.stdout)["counts"]["cases"] == 1
    answer = world.get(f"/v1/staff/{world.staff[login]}/seen", "sue")
    assert answer.json()["cases"] == 1
