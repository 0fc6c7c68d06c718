"""`casevault staff`: covering, by commands of one person."""

from __future__ import annotations

from datetime import timedelta

import pytest

from casevault.cli.app import app
from casevault.errors import Conflict, Invalid, NotFound, Refused
from tests.api.test_transfers import agreed
from tests.api.world import SOUTH, an_identity, bearer


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
    result = run(world, config_of, runner, "leave", leaver, "--to", heir, "--yes")
    assert result.exit_code == 0, result.output
    assert f"{case}\ttask {made.json()['id']} due 2026-12-01" in result.stdout
    assert "Cases with new keys: 1, of which handed over: 1." in result.stderr
    assert world.get("/v1/me", leaver).status_code == 401
    assert world.get(f"/v1/cases/{case}/identity", heir).status_code == 200
    again = run(world, config_of, runner, "leave", leaver, "--yes")
    assert isinstance(again.exception, Conflict)
    assert again.exception.code == "departure.done"


def test_nobody_leaves_by_a_slip_of_the_hand(sqlite_world, config_of, runner):
    """The login is typed once more; another one shuts nobody out, before anybody signs in."""
    world, leaver = sqlite_world, sqlite_world.person()
    given = ["staff", "leave", leaver, "--config", str(config_of(world)), "--login", "sue"]
    wrong = runner.invoke(app, given, input="cara\n" + world.typed("sue"))
    assert isinstance(wrong.exception, Invalid)
    assert wrong.exception.code == "departure.unconfirmed"
    assert world.get("/v1/me", leaver).status_code == 200
    right = runner.invoke(app, given, input=leaver.upper() + "\n" + world.typed("sue"))
    assert right.exit_code == 0, right.output
    assert world.get("/v1/me", leaver).status_code == 401


def test_an_unknown_login_is_said(world, config_of, runner):
    """Nothing is given to anybody."""
    result = run(
        world, config_of, runner, "cover", "no.such", "--by", "cara", "--until", "2099-01-01"
    )
    assert isinstance(result.exception, NotFound)
    assert result.exception.code == "staff.login"


def run_as(world, config_of, runner, login, *command):
    """Run a command as somebody."""
    given = ["staff", *command, "--config", str(config_of(world)), "--login", login]
    return runner.invoke(app, given, input=world.typed(login))


def test_a_case_is_given_and_received(world, config_of, runner):
    """By its reference and the other team's name; the id that is printed is what they take."""
    case = world.open("cara")
    assert agreed(world, case).status_code == 201
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    command = ("transfer", reference.lower(), "--to", SOUTH.upper())
    sent = run_as(world, config_of, runner, "sue", *command)
    assert sent.exit_code == 0, sent.output
    got = run_as(world, config_of, runner, "sid", "receive", sent.stdout.strip())
    assert (got.exit_code, got.stdout.strip()) == (0, case), got.output
    assert world.get(f"/v1/cases/{case}/identity", "sid").status_code == 200
    assert world.get(f"/v1/cases/{case}/identity", "cara").status_code == 404


@pytest.mark.parametrize(
    ("case", "team"), [("not a case", SOUTH), ("CV-7K3M-9QXP", SOUTH), (None, "No such team")]
)
def test_what_is_not_there_is_not_given(world, config_of, runner, case, team):
    """Neither a case nor a team is guessed."""
    case = case or world.open("cara")
    result = run_as(world, config_of, runner, "sue", "transfer", case, "--to", team)
    assert isinstance(result.exception, NotFound)


def test_an_administrator_suspends_and_ends_it(world, config_of, runner):
    """Out at once; the cases that get new keys are counted; nobody else can."""
    login = world.person()
    world.open(login)
    token = world.sign_in(login)
    done = run_as(world, config_of, runner, "adi", "suspend", login)
    assert done.exit_code == 0, done.output
    assert "next write: 1." in done.stderr
    assert world.get("/v1/me", headers=bearer(token)).status_code == 401
    assert isinstance(run(world, config_of, runner, "suspend", login).exception, Refused)
    assert run_as(world, config_of, runner, "adi", "suspend", login, "--end").exit_code == 0
    assert world.get("/v1/me", headers=bearer(world.sign_in(login))).status_code == 200
