"""Accounts, roles, teams and vouches: who may bring whom in."""

from __future__ import annotations

import pytest

from tests.api.world import NORTH, SOUTH, World, a_login, unknown_id


def _add(world: World, by: str, roles: list[str], team: str | None, login: str | None = None):
    body = {
        "name": "Nadia Nobody-Madeup",
        "login": login or a_login(),
        "roles": roles,
        "team": None if team is None else world.team(team),
    }
    return world.post("/v1/staff", by, body)


def _vouch(world: World, by: str, login: str, fingerprint: str | None = None):
    shown = fingerprint or world.get("/v1/me", login).json()["fingerprint"]
    return world.post("/v1/vouches", by, {"staff_id": world.staff[login], "fingerprint": shown})


def test_an_administrator_adds_people(world: World) -> None:
    """The answer holds the id and a one-time code; Location names the account."""
    answer = _add(world, "adi", ["caseworker"], NORTH)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/staff/" + answer.json()["id"]
    assert len(answer.json()["code"]) == 24


@pytest.mark.parametrize("by", ["sue", "dora", "ada", "cara", "uma"])
def test_nobody_else_adds_people(world: World, by: str) -> None:
    """Making accounts is the administrator's alone."""
    answer = _add(world, by, ["caseworker"], NORTH)
    assert answer.status_code == 403
    assert answer.json()["code"] == "refused.role"


@pytest.mark.parametrize(
    "roles",
    [
        ["auditor", "caseworker"],
        ["auditor", "dpo"],
        ["administrator", "supervisor"],
        ["administrator", "dpo"],
        ["administrator", "auditor"],
        ["dpo", "supervisor"],
        ["administrator", "caseworker"],
    ],
)
def test_some_roles_exclude_each_other(world: World, roles: list[str]) -> None:
    """Nobody reviews their own acts, and whoever makes accounts opens nothing."""
    for team in (NORTH, None):
        answer = _add(world, "adi", roles, team)
        assert answer.status_code == 422
        assert answer.json()["code"] == "roles.separation"


@pytest.mark.parametrize(
    ("roles", "team", "code"),
    [
        (["caseworker"], None, "staff.team"),
        (["supervisor"], None, "staff.team"),
        (["dpo"], NORTH, "staff.team"),
        (["auditor"], NORTH, "staff.team"),
    ],
)
def test_teams_are_for_those_who_work_cases(
    world: World, roles: list[str], team: str | None, code: str
) -> None:
    """Caseworkers and supervisors belong to a team, others do not."""
    answer = _add(world, "adi", roles, team)
    assert answer.status_code == 422
    assert answer.json()["code"] == code


def test_an_unknown_team_is_refused(world: World) -> None:
    """An account cannot name a team that does not exist."""
    body = {"name": "N N", "login": a_login(), "roles": ["caseworker"], "team": unknown_id()}
    answer = world.post("/v1/staff", "adi", body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/team", "code": "staff.team-unknown"}]


def test_a_login_is_taken_once_whatever_its_case(world: World) -> None:
    """Two accounts cannot share a login, spelt alike or not."""
    login = a_login()
    assert _add(world, "adi", ["caseworker"], NORTH, login).status_code == 201
    again = _add(world, "adi", ["caseworker"], NORTH, login.upper())
    assert again.status_code == 409
    assert again.json()["code"] == "staff.login-taken"


def test_a_supervisor_vouches_with_the_right_fingerprint(world: World) -> None:
    """After the vouch the person opens cases."""
    login = world.person(by=None)
    assert world.post("/v1/cases", login, {"identity": {"name_to_use": "X"}}).status_code == 403
    answer = _vouch(world, "sue", login)
    assert answer.status_code == 201
    assert answer.json()["vouched"] is True
    world.open(login)


def test_a_wrong_fingerprint_is_refused(world: World) -> None:
    """Substituted keys are found by the comparison."""
    login = world.person(by=None)
    shown = world.get("/v1/me", login).json()["fingerprint"]
    wrong = ("0" if shown[0] != "0" else "1") + shown[1:]
    for fingerprint in (wrong, "", shown[:-1], world.get("/v1/me", "cara").json()["fingerprint"]):
        answer = _vouch(world, "sue", login, fingerprint or " ")
        assert answer.status_code == 403
        assert answer.json()["code"] == "vouch.fingerprint"
    assert world.get("/v1/me", login).json()["vouched"] is False


def test_a_wrong_fingerprint_is_on_the_ledger(world: World) -> None:
    """An attempt to vouch for other keys is something an auditor wants to see."""
    login = world.person(by=None)
    request = "ab" * 16
    body = {"staff_id": world.staff[login], "fingerprint": "0" * 32}
    world.post("/v1/vouches", "sue", body, headers={"X-Request-Id": request})
    found = world.entries(actor=world.staff["sue"])
    assert any(e["request"] == request and e["outcome"] == 4 for e in found)


def test_nobody_vouches_for_themselves(world: World) -> None:
    """Not even those who may vouch for others."""
    for login in ("sue", "dora"):
        answer = _vouch(world, login, login)
        assert answer.status_code == 403
        assert answer.json()["code"] == "refused.self"


def test_another_teams_supervisor_cannot_vouch(world: World) -> None:
    """A supervisor's word counts for their own team."""
    login = world.person(by=None)
    answer = _vouch(world, "sid", login)
    assert answer.status_code == 403
    assert answer.json()["code"] == "vouch.scope"
    assert any(e["rule"] == "deny:vouch-scope" for e in world.entries(actor=world.staff["sid"]))


@pytest.mark.parametrize("by", ["adi", "ada", "cara", "uma"])
def test_administrator_auditor_and_caseworkers_vouch_for_nobody(world: World, by: str) -> None:
    """Vouching is a supervisor's or the DPO's."""
    answer = _vouch(world, by, "uma" if by != "uma" else "cara")
    assert answer.status_code == 403
    assert answer.json()["code"] == "refused.role"


@pytest.mark.parametrize(
    ("roles", "team", "right", "wrong"),
    [
        (("supervisor",), NORTH, "sue", ("dora", "sid")),
        (("auditor",), None, "dora", ("sue",)),
        (("administrator",), None, "dora", ("sue",)),
        (("reporter",), None, "dora", ("sue",)),
    ],
)
def test_who_vouches_for_which_role(
    world: World, roles: tuple[str, ...], team: str | None, right: str, wrong: tuple[str, ...]
) -> None:
    """The table of keys.md: supervisors for their team, the DPO for roles without one."""
    login = world.person(roles=roles, team=team, by=None)
    for by in wrong:
        assert _vouch(world, by, login).json()["code"] == "vouch.scope"
    assert _vouch(world, right, login).status_code == 201


def test_a_vouched_supervisor_holds_the_teams_oversight(world: World) -> None:
    """A second supervisor reads the team's cases from their vouch on, those of before included."""
    case = world.case
    login = world.person(roles=("supervisor",))
    assert world.get(f"/v1/cases/{case}/identity", login).status_code == 200


def test_vouching_before_enrolment_is_a_conflict(world: World) -> None:
    """There are no keys to vouch for yet."""
    login = a_login()
    world.add(login)
    answer = _vouch(world, "sue", login, "0" * 32)
    assert answer.status_code == 409
    assert answer.json()["code"] == "vouch.not-enrolled"


def test_an_unvouched_person_signs_in_and_opens_nothing(world: World) -> None:
    """Keys for which nobody vouches open one thing: the own account."""
    assert world.get("/v1/me", "uma").status_code == 200
    for path in ("/v1/cases", "/v1/staff", "/v1/teams", "/v1/ledger/entries"):
        assert world.get(path, "uma").status_code == 403, path
    assert world.get(f"/v1/cases/{world.case}", "uma").status_code == 404
    assert world.assign(world.case, "uma").status_code == 403


def test_colleagues_are_listed_by_name(world: World) -> None:
    """Everybody vouched sees who works here, sorted, and read is on the ledger."""
    found = world.get("/v1/staff", "stra").json()["items"]
    names = [one["name"].casefold() for one in found]
    assert names == sorted(names)
    by_login = {one["login"]: one for one in found}
    assert by_login["sofia"]["team_name"] == SOUTH
    assert by_login["uma"]["vouched"] is False
    assert by_login["cara"]["vouched"] is True


def test_one_colleague_and_an_unknown_one(world: World) -> None:
    """A colleague is read by id; an unknown id is 404."""
    found = world.get("/v1/staff/" + world.staff["sofia"], "cara")
    assert found.json()["login"] == "sofia"
    assert world.get("/v1/staff/" + unknown_id(), "cara").status_code == 404


def test_teams_are_listed_by_name(world: World) -> None:
    """Both teams, sorted."""
    names = [team["name"] for team in world.get("/v1/teams", "dora").json()["items"]]
    assert names == [NORTH, SOUTH]
