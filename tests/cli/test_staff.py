"""`casevault staff`: covering, by commands of one person."""

from __future__ import annotations

from datetime import timedelta

from casevault.cli.app import app
from casevault.errors import NotFound
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


def test_an_unknown_login_is_said(world, config_of, runner):
    """Nothing is given to anybody."""
    result = run(
        world, config_of, runner, "cover", "no.such", "--by", "cara", "--until", "2099-01-01"
    )
    assert isinstance(result.exception, NotFound)
    assert result.exception.code == "staff.login"
