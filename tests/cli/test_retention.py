"""`casevault retention` and `certificate`: what they print, how they end, checking elsewhere."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from casevault.store.engine import tables
from tests.cli.processes import here
from tests.integration.erasing_world import Office


@pytest.fixture
def office(vault_with_config, tmp_path):
    """Give a vault with a configuration file, in which cases become due."""
    return Office(vault_with_config, tmp_path)


@pytest.fixture
def run(office, tmp_path, capsys, monkeypatch):
    """Run a command; those that need a vault get the configuration."""
    for name in ("retention.retention", "keyring.keys"):
        monkeypatch.setattr(f"casevault.cli.{name}.harden_process", lambda: None)
    monkeypatch.setattr("casevault.services.recovery.rolls.READERS_SECONDS", 0)

    def command(*args, vault=True):
        return here(capsys, *args, *(("-c", tmp_path / "casevault.toml") if vault else ()))

    return command


def test_from_a_date_to_a_certificate_that_others_check(office, run, tmp_path):
    """Preview, run, roll, export; then with the file, the keys and the log's export only."""
    case = office.open()
    assert run("retention", "preview").code == 0
    office.age(case, months=61)
    seen = json.loads(run("retention", "preview", "--json").out)
    assert seen["cases"] == 1
    assert {one["compartment"] for one in seen["due"]} == {"identity", "narrative", "facts"}
    assert run("retention", "run", "--dry-run").code == 0
    assert office.left(case) != set()
    ahead = run("retention", "run", "--as-of", "2099-01-01")
    assert ahead.code == 1
    assert "ahead of its day" in ahead.err
    assert run("retention", "run", "--as-of", "tomorrow").code == 1
    done = run("retention", "run")
    assert done.code == 0
    assert "1 cases erased, 0 more in part" in done.out
    assert office.left(case) == set()
    assert run("keys", "roll", "--erase-now").code == 0
    assert json.loads(run("retention", "run", "--json").out)["certificates"] == 1

    papers, log = tmp_path / "papers", tmp_path / "log"
    assert run("certificate", "export", papers).code == 0
    assert run("ledger", "export", log).code == 0
    (paper,) = papers.glob("*.json")
    keys = papers / "keys.txt"
    checked = run("certificate", "verify", paper, "--keys", keys, "--ledger", log, vault=False)
    assert checked.code == 0, checked.err
    assert "CERTIFICATE OF ERASURE" in checked.out
    assert "So does the log." in checked.err
    lone = [line for key in keys.read_text().split() for line in ("--key", key)]
    said = run("certificate", "verify", paper, *lone, "--json", vault=False)
    assert json.loads(said.out)["reason"] == "schedule"
    assert run("certificate", "print", paper, "--keys", keys, vault=False).code == 0
    assert run("certificate", "verify", paper, vault=False).code == 2
    only_log = ("--key", keys.read_text().split()[0])
    assert run("certificate", "verify", paper, *only_log, vault=False).code == 4
    paper.write_text(paper.read_text().replace('"schedule"', '"duplicate"'))
    assert run("certificate", "verify", paper, "--keys", keys, vault=False).code == 4


def test_a_row_that_does_not_hold_ends_with_3(office, run):
    """It is left alone, and somebody has to look."""
    office.open()
    with office.stores.data.writing() as connection:
        connection.execute(update(tables.case_file).values(due_facts="2020-01-31"))
    done = run("retention", "run")
    assert done.code == 3
    assert "1 rows that do not hold" in done.out
