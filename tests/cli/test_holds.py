"""`casevault retention hold`, as the DPO in a terminal."""

from __future__ import annotations

from datetime import timedelta

import pytest

from casevault.cli.app import app
from casevault.errors import CaseVaultError, Invalid, NotFound, Refused

REASON = "Made up: a court asked for it"


@pytest.fixture
def run(sqlite_world, config_of, runner):
    """Run the command as somebody, with what they type after signing in."""

    def command(*words, by="dora", typed=REASON):
        given = ["retention", "hold", *words, "--config", str(config_of(sqlite_world))]
        text = sqlite_world.typed(by) + typed + "\n"
        return runner.invoke(app, [*given, "--login", by], input=text)

    return command


@pytest.fixture
def day(sqlite_world):
    """Return a day on which a hold may be looked at again."""
    return (sqlite_world.clock.now() + timedelta(days=90)).date().isoformat()


def test_a_hold_is_set_by_reference_and_its_end_is_asked_for(sqlite_world, run, day):
    """The reason reaches who may read it; the end waits for another person's word."""
    world = sqlite_world
    case = world.open("cara")
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    done = run(reference, "--owner", "dora", "--review", day)
    assert done.exit_code == 0, done.output
    listed = world.get("/v1/holds", "dora").json()["items"]
    (held,) = [one for one in listed if one["case_id"] == case]
    assert (held["id"], held["reason"], held["review"]) == (done.stdout.split()[-1], REASON, day)
    asked = run(case, "--end")
    assert asked.exit_code == 0, asked.output
    waiting = {one["id"] for one in world.get("/v1/approvals", "sue").json()["items"]}
    assert asked.stdout.split()[-1] in waiting


@pytest.mark.parametrize(
    ("words", "by", "typed", "error"),
    [
        (["CV-0000-0000", "--review", "DAY"], "dora", REASON, NotFound),
        (["CASE", "--review", "2020-01-01"], "dora", REASON, Invalid),
        (["CASE", "--review", "DAY", "--owner", "no.such"], "dora", REASON, NotFound),
        (["CASE", "--review", "DAY"], "sue", REASON, Refused),
        (["CASE", "--end"], "dora", "", NotFound),
    ],
)
def test_what_cannot_be_held_is_said(sqlite_world, run, day, words, by, typed, error):
    """An unknown case, a day that is over, an unknown owner, another role, no hold to end."""
    known = {"CASE": sqlite_world.case, "DAY": day}
    done = run(*(known.get(word, word) for word in words), by=by, typed=typed)
    assert isinstance(done.exception, CaseVaultError)
    assert isinstance(done.exception, error), done.exception


def test_a_day_or_the_end(run):
    """One of the two: anything else is a usage error, before anybody signs in."""
    assert run("CV-0000-0000").exit_code == 2
    assert run("CV-0000-0000", "--end", "--review", "2030-01-01").exit_code == 2
