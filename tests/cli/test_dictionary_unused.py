"""`casevault dictionary unused`: numbers of cases by field, over what one person can open."""

from __future__ import annotations

import json

import pytest

from casevault.cli.app import app
from casevault.errors import Refused

CASES = 30
CANARY = "Canary Obvious-Madeup"


def counted(world, config_of, runner, login, *more):
    """Run the command as somebody; return the result."""
    given = ["dictionary", "unused", "--config", str(config_of(world)), "--login", login, *more]
    return runner.invoke(app, given, input=world.typed(login))


@pytest.fixture
def worker(world):
    """Give somebody with 30 cases of their own: two pages."""
    login = world.person()
    cases = [
        {
            "identity": {"name_to_use": CANARY, "interpreter_needed": False},
            "profile": {"risk_level": "low"} if number < 2 else {},
        }
        for number in range(CASES)
    ]
    answer = world.post("/v1/cases/batch", login, {"cases": cases})
    assert answer.status_code == 201, answer.text
    ids = [item["id"] for item in answer.json()["items"]]
    note = {"content": {"type": "visit", "date": "2026-11-20", "text": CANARY}}
    for case in ids[:6]:
        assert world.post(f"/v1/cases/{case}/notes", login, note).status_code == 201
    return login


def test_fields_are_counted_over_all_pages(world, worker, config_of, runner):
    """Few is shown as few, none as none; nothing that was written comes out."""
    result = counted(world, config_of, runner, worker, "--json")
    assert result.exit_code == 0, result.output
    rows = {row["field"]: row for row in json.loads(result.stdout[result.stdout.index("[") :])}
    of = str(CASES)
    assert rows["identity.name_to_use"] == {
        "field": "identity.name_to_use", "filled": of, "of": of, "off": "",
    }  # fmt: skip
    assert rows["identity.interpreter_needed"]["filled"] == of
    assert rows["profile.risk_level"]["filled"] == "<5"
    assert rows["profile.history"]["filled"] == "0"
    assert rows["note.text"]["filled"] == "6"
    assert rows["link.type"]["filled"] == of
    assert rows["profile.disability"]["off"] == "off"
    assert not {"facts.case", "facts.pid", "facts.services.type"} & set(rows)
    assert CANARY not in result.output
    assert "profile.history," in result.stderr
    assert "profile.history.type" not in result.stderr
    assert "profile.disability" not in result.stderr


def test_each_page_is_on_the_ledger(world, worker, config_of, runner):
    """With the cases and the names of the fields that were looked at."""
    assert counted(world, config_of, runner, worker).exit_code == 0
    entries = world.entries(actor=world.staff[worker])
    looks = [entry for entry in entries if entry["code"] == "dictionary.count"]
    assert sorted(entry["count"] for entry in looks) == [5, 25]
    assert all("profile.history" in entry["fields"] for entry in looks)
    assert entries[0]["code"] == "auth.logout"


def test_only_open_compartments_are_counted(world, config_of, runner):
    """Who holds the identity of a case learns nothing about its narrative."""
    login, case = world.person(), world.open(profile={"risk_level": "high"})
    assert world.assign(case, login, compartments=["identity"]).status_code == 204
    result = counted(world, config_of, runner, login)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "identity.name_to_use\t<5\t<5\t" in lines
    assert "profile.risk_level\t0\t0\t" in lines
    assert "profile.risk_level" not in result.stderr


def test_who_works_no_cases_is_refused(sqlite_world, config_of, runner):
    """The gate is that of the caseload."""
    result = counted(sqlite_world, config_of, runner, "ada")
    assert isinstance(result.exception, Refused)


def reported(world, config_of, runner, login, *more):
    """Run `report minimisation` as somebody; return the result."""
    given = ["report", "minimisation", "--config", str(config_of(world)), "--login", login, *more]
    return runner.invoke(app, given, input=world.typed(login))


def test_the_minimisation_report_puts_all_looks_together(sqlite_world, config_of, runner, tmp_path):
    """Words and fields of one's own cases, keys and files for who sees them; on paper too."""
    world, page = sqlite_world, tmp_path / "report.html"
    login = world.person()
    case = world.open(login, {"name_to_use": CANARY})
    content = {"type": "visit", "date": "2026-11-20", "text": f"Met {CANARY}"}
    assert world.post(f"/v1/cases/{case}/notes", login, {"content": content}).status_code == 201
    reference = world.get(f"/v1/cases/{case}", login).json()["reference"]
    result = reported(world, config_of, runner, login, "--json", "--html", str(page))
    assert result.exit_code == 0, result.output
    words, fields = json.loads(result.stdout[result.stdout.index("[") :])
    assert words["rows"] == [[reference, "1", "0", "1", "0", "0"]]
    assert ["profile.history"] in fields["rows"]
    assert "redactions" in words["step"]
    assert reference in page.read_text()
    assert "Canary" not in page.read_text() + result.output
    seen = reported(world, config_of, runner, "dora")
    assert "Keys that nobody used since" in seen.output
    assert "Files of cases closed long ago" in seen.output
    assert "profile.history" in reported(world, config_of, runner, login).stdout
    refused = reported(world, config_of, runner, "ada")
    assert "open nothing" in str(refused.exception)
    bad = reported(world, config_of, runner, "dora", "--html", str(tmp_path / "no" / "x.html"))
    assert "cannot be written" in str(bad.exception)
