"""`casevault ledger`: the watch, reviews, the sample that an outsider repeats, sign-offs."""

from __future__ import annotations

import json
from datetime import timedelta

from casevault.ledger.sample import Week
from tests.api.test_alerts import alerts_of, probing
from tests.cli.processes import casevault, here
from tests.cli.test_auditing import rows_of, run


def test_the_watch_runs_on_command(world, config_of, capsys):
    """Rules and counts to stdout, and nothing about anybody."""
    login = probing(world)
    world.entries()
    done = here(capsys, "ledger", "watch", "-c", config_of(world))
    assert done.code == 0, done.err
    assert "id-probing\t" in done.out
    assert world.staff[login] not in done.out + done.err
    assert alerts_of(world, login, "id-probing")
    again = here(capsys, "ledger", "watch", "-c", config_of(world))
    assert "id-probing" not in again.out


def test_an_alert_is_listed_and_moved_on(world, config_of, runner, capsys):
    """By the auditor who signs in for it; a violation says whose word it waits for."""
    login = probing(world)
    world.entries()
    assert here(capsys, "ledger", "watch", "-c", config_of(world)).code == 0
    listed = run(world, config_of, runner, "alerts", "--state", "open", "--rule", "id-probing")
    assert listed.exit_code == 0, listed.output
    (alert,) = [row[0] for row in rows_of(listed) if world.staff[login] in row[-1]]
    for to, note in (("in_review", ""), ("justified", "A made-up training.")):
        done = run(world, config_of, runner, "review", alert, "--to", to, "--note", note)
        assert done.exit_code == 0, (done.output, done.exception)
        assert f"now: {to}" in done.stderr
    shown = run(world, config_of, runner, "alerts", "--state", "justified", "--json")
    (found,) = [
        one
        for one in json.loads(shown.stdout)
        if one["id"] == alert
    ]  # fmt: skip
    assert [one["to"] for one in found["steps"]] == ["in_review", "justified"]
    other = probing(world)
    world.entries()
    assert here(capsys, "ledger", "watch", "-c", config_of(world)).code == 0
    (second,) = alerts_of(world, other, "id-probing")
    assert run(world, config_of, runner, "review", second["id"], "--to", "in_review").exit_code == 0
    words = ("--to", "violation", "--note", "No reason was given.")
    asked = run(world, config_of, runner, "review", second["id"], *words)
    assert "has to approve" in asked.stderr


def test_an_outsider_repeats_the_draw(sqlite_world, config_of, capsys, tmp_path):
    """With an export, the key, and the note that drew it: the same positions, offline."""
    world = sqlite_world
    world.entries()
    week = Week.before(world.clock.now() + timedelta(days=7)).name
    with world.later(days=7):
        token = {"Authorization": f"Bearer {world.sign_in('ada')}"}
        answer = world.post("/v1/ledger/samples", "ada", {"week": week}, headers=token)
    drawn = answer.json()["items"]
    note = tmp_path / "note"
    note.write_text(drawn[0]["checkpoint"])
    export = tmp_path / "export"
    done = here(capsys, "ledger", "export", export, "-c", config_of(world))
    assert done.code == 0, done.err
    command = ("ledger", "sample", export, "--key", done.out.strip(), "--week", week)
    empty = tmp_path / "empty"
    empty.mkdir()
    again = casevault(*command, "--checkpoint", note, "--json", cwd=empty)
    assert again.code == 0, again.err
    assert again.data["drawn"] == sorted(p for one in drawn for p in one["positions"])
    listed = here(capsys, *command, "--checkpoint", note)
    assert [int(line) for line in listed.out.split()] == again.data["drawn"]
    note.write_text(drawn[0]["checkpoint"].replace("\n", "\n1", 1))
    assert here(capsys, *command, "--checkpoint", note).code == 4
    assert here(capsys, *command[:-1], "47", "--checkpoint", note).code in (1, 4)


def test_a_period_is_signed_off(world, config_of, runner, capsys, tmp_path):
    """The note goes to stdout and is checked by anybody; an altered one is exit code 4."""
    day = world.clock.now().date() - timedelta(days=1)
    done = run(world, config_of, runner, "sign-off", "--from", day, "--to", day)
    assert done.exit_code == 0, (done.output, done.exception)
    text = done.stdout[done.stdout.index("casevault/1/sign-off") :]
    key = done.stderr.split("--key '")[1].split("'")[0]
    file = tmp_path / "note"
    file.write_text(text)
    checked = here(capsys, "ledger", "note", file, "--key", key)
    assert (checked.code, f"period {day} {day}" in checked.out) == (0, True)
    file.write_text(text.replace("period 2", "period 3"))
    assert here(capsys, "ledger", "note", file, "--key", key).code == 4
