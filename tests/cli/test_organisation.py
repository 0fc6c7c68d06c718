"""The plan of an organisation: what is refused, what is explained, what its people cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest

from casevault.cli.ceremony import explaining
from casevault.cli.ceremony import plan as plans
from casevault.domain.staff.access import Role, check_roles
from casevault.domain.staff.approvals import ApprovedAct
from casevault.domain.staff.organisation import (
    OUTLINES,
    Profile,
    Seat,
    held_alone,
    role_page,
    undoable,
)
from casevault.errors import Invalid
from tests.cli.processes import here

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "organisation.toml"
SMALL = tuple(
    Seat(roles, "North" if roles & {Role.SUPERVISOR, Role.CASEWORKER} else None)
    for roles in OUTLINES[Profile.SMALL].seats
)


def refusal(tmp_path: Path, text: str) -> str:
    """Return what is said about a plan."""
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(Invalid) as refused:
        plans.check(plans.read(path), tmp_path / "casevault.toml", None, None, None)
    return str(refused.value.detail)


def test_the_example_is_a_plan_of_five(tmp_path):
    """It passes, two of three shares recover, and the caseworker enrols later."""
    found = plans.check(plans.read(EXAMPLE), tmp_path / "casevault.toml", None, None, None)
    assert (found.threshold, found.shares) == (2, 3)
    assert sorted(map(str, found.seats)) == sorted(map(str, SMALL))
    assert [member.login for member in found.members if not member.present] == ["cara"]
    assert found.members[-1].seat.team == "North (made up)"


def test_every_fault_is_named_at_once_and_nothing_is_repeated(tmp_path):
    """Wrong role, passphrase, team, shares, settings and a misspelt part: one answer."""
    text = EXAMPLE.read_text()
    for old, new in (
        ('roles = ["dpo"]', 'roles = ["dpo", "auditor"]'),
        ('login = "ada"', 'login = "ada"\npassphrase = "very-secret-words"'),
        ("# threshold = 2", "threshold = 9\nthreshhold = 2"),
        ("example.org/casevault/2026a", "no such origin"),
        ('teams = ["North (made up)"]', 'teams = ["Nroth"]'),
        ('login = "cara"', 'login = "SUE"'),
    ):
        assert old in text
        text = text.replace(old, new)
    said = refusal(tmp_path, text)
    for expected in (
        "cannot hold these roles together",
        "Person 3: a plan never holds a passphrase",
        "3 of 5",
        "check the spelling",
        "ledger_origin looks like",
        "teams lists",
        "same login",
    ):
        assert expected in said
    for typed in ("very-secret-words", "Nroth", "SUE", "no such origin"):
        assert typed not in said
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ('profile = "small"', 'profile = "huge"', "'small' or 'standard'"),
        ("# shares = 3", "shares = true", "shares is a whole number"),
        ('roles = ["auditor"]', 'roles = ["auditor"]\nteam = "x"', "name their team"),
        ('roles = ["caseworker"]', 'roles = ["caseworker"]\nteam = "x"', "has a supervisor"),
        ('roles = ["supervisor", "caseworker"]', 'roles = ["supervisor", "reporter"]', "reporter"),
        ('roles = ["auditor"]', 'roles = "auditor"', "Person 3: name, login and roles"),
        ('roles = ["auditor"]', 'roles = [["auditor"]]', "Person 3: name, login and roles"),
        ('name = "Ada Auditor-Madeup"', 'nmae = "Ada"', "check the spelling"),
        ('name = "Ada Auditor-Madeup"', 'name = " "', "Person 3: name, login and roles"),
        ("[[people]]", "[[staff]]", "[[people]] section"),
        ('roles = ["caseworker"]', 'roles = ["caseworker", "referrer"]', "hold these roles"),
    ],
)
def test_a_fault_says_what_to_change(tmp_path, old, new, advice):
    """One sentence for each."""
    assert old in EXAMPLE.read_text()
    assert advice in refusal(tmp_path, EXAMPLE.read_text().replace(old, new))


@pytest.mark.parametrize(
    "people", ["people = 3", "people = [3]", 'people = ["sue"]', "people = []"]
)
def test_people_that_are_none_are_refused(tmp_path, people):
    """Whatever stands there instead."""
    assert "[[people]] section" in refusal(tmp_path, people)


def test_five_people_lack_what_the_tables_say():
    """The acts are computed: a second supervisor and a second DPO take theirs off the list."""
    lacking = {one.act: one.people for one in undoable(SMALL)}
    both = str(Seat(frozenset({Role.SUPERVISOR, Role.CASEWORKER})))
    assert lacking["case.close"] == (both,)
    assert lacking["keys.recover (team)"] == ("dpo",)
    assert both in lacking["vouch:issue"]
    assert {Role.SUPERVISOR, Role.DPO, Role.AUDITOR} <= set(held_alone(SMALL))
    more = (*SMALL, Seat(frozenset({Role.SUPERVISOR}), "North"), Seat(frozenset({Role.DPO})))
    left = {one.act: one.people for one in undoable(more)}
    assert "case.close" not in left
    assert "keys.recover (team)" not in left
    assert both not in left["vouch:issue"]
    elsewhere = (*SMALL, Seat(frozenset({Role.SUPERVISOR}), "South"))
    assert "case.close" in {one.act for one in undoable(elsewhere)}


def test_an_act_that_nobody_can_approve_is_for_everybody():
    """Without a DPO nobody recovers a team."""
    few = tuple(seat for seat in SMALL if Role.DPO not in seat.roles)
    assert [one.everybody for one in undoable(few) if one.act == "keys.recover (team)"] == [True]


@pytest.mark.parametrize("arguments", [("--profile", "small"), ("--plan", EXAMPLE)], ids=str)
def test_explaining_writes_nothing(tmp_path, monkeypatch, capsys, arguments):
    """It says shares, single holders and acts, and leaves an empty folder."""
    monkeypatch.chdir(tmp_path)
    done = here(capsys, "init", *arguments, "--explain")
    assert (done.code, done.out) == (0, "")
    assert "any 2 of 3" in done.err
    assert "Warning: 2 people" in done.err
    assert "closing a case [case.close] asked by: caseworker and supervisor" in done.err
    assert "One person alone holds: " in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_standard_profile_is_explained(capsys):
    """With the seats that may stay empty, and without the small one's warning."""
    done = here(capsys, "init", "--explain")
    assert "second supervisor (may stay empty for now)" in done.err
    assert "any 3 of 5" in done.err
    assert "Warning" not in done.err


def test_the_table_of_roles_is_the_one_that_is_enforced(capsys):
    """As JSON, every pair is answered as the check of a person's roles answers it."""
    found = here(capsys, "staff", "roles", "--json").data
    for one in Role:
        for other in Role:
            try:
                check_roles(frozenset({one, other}))
                allowed = True
            except Invalid:
                allowed = False
            assert (found[one.value][other.value] in ("yes", "=")) is allowed
            assert (found[one.value][other.value] == "=") is (one == other)


def test_the_document_holds_the_table(capsys):
    """docs/organisation.md is what `casevault staff roles --markdown` prints."""
    printed = here(capsys, "staff", "roles", "--markdown").out
    assert printed == role_page()
    assert printed in (DOCS / "organisation.md").read_text("utf-8")
    assert "supervisor\tyes\t=" in here(capsys, "staff", "roles").out


def test_every_act_that_takes_two_people_has_words():
    """Also those that today's profiles can do: another plan may not."""
    acts = {act.value for act in ApprovedAct} | {"staff:reset", "vouch:issue"}
    assert set(explaining._WORDS) == acts
    assert {one.act.partition(" ")[0] for one in undoable(SMALL)} <= acts
