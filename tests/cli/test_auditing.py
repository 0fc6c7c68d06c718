"""`casevault ledger`, the auditor's part: questions and exports as one person, checks as nobody."""

from __future__ import annotations

import json

import pytest

from casevault.cli.app import app
from casevault.errors import CaseVaultError, Invalid, Refused
from tests.cli.processes import casevault, here


def run(world, config_of, runner, *command, by="ada"):
    """Run a command of the auditor's."""
    given = ["ledger", *map(str, command), "--config", str(config_of(world)), "--login", by]
    return runner.invoke(app, given, input=world.typed(by))


def rows_of(done):
    """Return the rows that a command printed, without the empty lines of hidden prompts."""
    return [line.split("\t") for line in done.stdout.splitlines() if line.strip()]


def test_a_question_prints_entries(world, config_of, runner):
    """By case and by the login of a colleague; rows to stdout, the rest to stderr."""
    case = world.open("cara")
    assert world.get(f"/v1/cases/{case}/identity", "sofia").status_code == 404
    world.entries()
    done = run(world, config_of, runner, "query", "--case", case)
    assert done.exit_code == 0, done.output
    rows = rows_of(done)
    assert {row[2] for row in rows} == {"case.open", "authz.deny"}
    done = run(world, config_of, runner, "query", "--case", case, "--actor", "SOFIA", "--json")
    assert [one["rule"] for one in json.loads(done.stdout)] == ["deny:no-grant"]
    done = run(world, config_of, runner, "query", "--limit", 1)
    assert len(rows_of(done)) == 1
    assert "There are more" in done.stderr


def test_a_question_by_somebody_else_is_refused(world, config_of, runner):
    """The role is asked, and the key would not be there either."""
    done = run(world, config_of, runner, "query", by="sue")
    assert isinstance(done.exception, Refused)


def test_an_export_can_be_checked_by_anybody(world, config_of, runner, tmp_path, capsys):
    """Offline, with the file and the key alone; a changed line is exit code 4."""
    case = world.open("cara")
    file = tmp_path / "out.jsonl"
    done = run(world, config_of, runner, "entries", file, "--case", case)
    assert done.exit_code == 0, (done.output, done.exception)
    key = world.vault.checkpoints.verifier_key.encode()
    assert key in done.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    outside = casevault("ledger", "check", file, "--key", key, "--json", cwd=empty)
    assert (outside.code, outside.data["entries"] >= 1) == (0, True), outside.err
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    bad = here(capsys, "ledger", "check", file, "--key", key)
    assert (bad.code, bad.out) == (4, "")
    assert here(capsys, "ledger", "check", file, "--key", "no key").code == 2


@pytest.mark.parametrize("form", ["csv", "fhir"])
def test_other_forms_are_written_whole_or_not_at_all(
    world, config_of, runner, tmp_path, form, monkeypatch
):
    """A file in that place is left alone; a failure leaves no half."""
    file = tmp_path / "out"
    done = run(world, config_of, runner, "entries", file, "--format", form)
    assert done.exit_code == 0, (done.output, done.exception)
    before = file.read_bytes()
    again = run(world, config_of, runner, "entries", file, "--format", form)
    assert isinstance(again.exception, Invalid)
    assert file.read_bytes() == before

    def fails(*_):
        raise CaseVaultError(code="planted")

    monkeypatch.setattr("casevault.services.audit.ledger_exports.encode_proof", fails)
    other = tmp_path / "other"
    done = run(world, config_of, runner, "entries", other, "--format", form)
    assert isinstance(done.exception, CaseVaultError)
    assert sorted(tmp_path.iterdir()) == sorted([file, tmp_path / "casevault.toml"])
