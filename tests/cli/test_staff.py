"""`casevault staff`: covering, by commands of one person."""

from __future__ import annotations

from datetime import timedelta

from casevault.cli.app import app
from casevault.errors import Conflict, NotFound
from tests.api.world import an_identity


def run(world, config_of, runner, *command):
    """Run a command as sue."""
    given = ["staff", *command, "--config", str(config_of(world)), "--login", "sue"]
    return runner.invoke(app, given, input=world.typed("sue"))


def test_a_cover_names_what_was_skipped(world, config_of, runner):
    """A case whose survivor refused the colleague is named, and makes the command partial."""
    absent, by = world.person(), world.person()
    cases = [world.open(absent, an_identity()) for _ in range(2)]
    day = (world.clock.now() + timedelta(days=5)).date().isoformat()
    command = ("cover", absent.upper(), "--by", by, "--until", day)
    refused = {"staff_id": world.staff[by], "content": {}}
    assert world.post(f"/v1/cases/{cases[0]}/refused-staff", absent, refused).status_code == 201
    result = run(world, config_of, runner, *command)
    assert result.exit_code == 3, result.output
    assert f"{cases[0]}\trefused-staff" in result.stdout
    assert "Cases given: 1." in result.stderr
    assert world.get(f"/v1/cases/{cases[1]}/identity", by).status_code == 200


def test_leaving_passes_the_cases_on(world, config_of, runner):
    """The successor opens them; what they were to do is printed; a second time it is done."""
    leaver, heir = world.person(), world.person()
    case = world.open(leaver, an_identity())
    task = {"content": {"type": "hearing", "due": "2026-12-01", "text": "Made up"}}
    made = world.post(f"/v1/cases/{case}/tasks", leaver, task)
    result = run(world, config_of, runner, "leave", leaver, "--to", heir)
    assert result.exit_code == 0, result.output
    assert f"{case}\ttask {made.json()['id']} due 2026-12-01" in result.stdout
    assert "Cases with new keys: 1, of which handed over: 1." in result.stderr
    assert world.get("/v1/me", leaver).status_code == 401
    assert world.get(f"/v1/cases/{case}/identity", heir).status_code == 200
    again = run(world, config_of, runner, "leave", leaver)
    assert isinstance(again.exception, Conflict)
    assert again.exception.code == "departure.done"


def test_an_unknown_login_is_said(world, config_of, runner):
    """Nothing is given to anybody."""
    result = run(
        world, config_of, runner, "cover", "no.such", "--by", "cara", "--until", "2099-01-01"
    )
    assert isinstance(result.exception, NotFound)
    assert result.exception.code == "staff.login"
