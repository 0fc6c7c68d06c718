"""Covering: what a colleague holds, given to another one until a date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.world import SOUTH, an_identity


def until(world, days=7):
    """Return a moment so many days from the world's present."""
    return (world.clock.now() + timedelta(days=days)).isoformat()


def cover(world, absent, by, days=7, asks="sue"):
    """Ask for a cover."""
    body = {"staff_id": world.staff[absent], "by": world.staff[by], "until": until(world, days)}
    return world.post("/v1/covers", asks, body)


def opens(world, case, login):
    """Say whether somebody reads the identity of a case."""
    return world.get(f"/v1/cases/{case}/identity", login).status_code == 200


def grants(world, case, login):
    """Return the ends and compartments of somebody's grants, as their supervisor sees them."""
    found = world.get(f"/v1/cases/{case}/grants", "sue").json()["items"]
    mine = [one for one in found if one["principal"] == world.staff[login]]
    return sorted((one["expires_at"] is None, one["compartments"]) for one in mine)


@pytest.fixture
def pair(world):
    """Give somebody with three cases, and a colleague."""
    absent, by = world.person(), world.person()
    cases = [world.open(absent, an_identity(f"Madeup {n}")) for n in range(3)]
    return absent, by, cases


def test_a_cover_gives_everything_until_its_date(world, pair):
    """Then nothing opens any more, without anybody doing anything."""
    absent, by, cases = pair
    answer = cover(world, absent, by)
    assert answer.status_code == 201
    assert answer.json() == {"given": 3, "held_already": 0, "skipped": []}
    assert all(opens(world, case, by) for case in cases)
    with world.later(days=8):
        other = world.sign_in(by)
        headers = {"Authorization": f"Bearer {other}"}
        for case in cases:
            answer = world.get(f"/v1/cases/{case}/identity", by, headers=headers)
            assert answer.status_code == 404
    assert all(opens(world, case, absent) for case in cases)


def test_a_repeated_cover_gives_only_what_is_lacking(world, pair):
    """The same again gives nothing; a longer one replaces the shorter; new cases are added."""
    absent, by, cases = pair
    assert cover(world, absent, by).json()["given"] == 3
    assert cover(world, absent, by, days=6).json() == {
        "given": 0,
        "held_already": 3,
        "skipped": [],
    }
    cases.append(world.open(absent))
    assert cover(world, absent, by, days=20).json()["given"] == 4
    assert grants(world, cases[0], by) == [(False, ["facts", "identity", "narrative"])]


def test_a_cover_never_takes_anything(world, pair):
    """Who held a part for good holds it for good afterwards, and the rest for a while."""
    absent, by, (case, *_) = pair
    assert world.assign(case, by, compartments=["narrative"]).status_code == 204
    assert cover(world, absent, by).json()["given"] == 3
    assert grants(world, case, by) == [(False, ["facts", "identity"]), (True, ["narrative"])]
    assert opens(world, case, by)


def test_nobody_covers_for_longer_than_the_absent_holds(world, pair):
    """A grant that ends on Friday is not given until Sunday."""
    _, by, (case, *_) = pair
    brief = world.person()
    end = until(world, 2)
    assert world.assign(case, brief, expires_at=end).status_code == 204
    assert cover(world, brief, by).json()["given"] == 1
    found = world.get(f"/v1/cases/{case}/grants", "sue").json()["items"]
    ends = {
        datetime.fromisoformat(one["expires_at"])
        for one in found
        if one["principal"] in (world.staff[by], world.staff[brief])
    }
    assert ends == {datetime.fromisoformat(end).astimezone(UTC).replace(microsecond=0)}


def test_refused_staff_is_respected_and_named(world, pair):
    """The other cases are given; the refusal is on the ledger."""
    absent, by, (case, *_) = pair
    body = {"staff_id": world.staff[by], "content": {"reason": "made up"}}
    assert world.post(f"/v1/cases/{case}/refused-staff", absent, body).status_code == 201
    answer = cover(world, absent, by).json()
    assert answer["given"] == 2
    assert answer["skipped"] == [{"case_id": case, "why": "refused-staff"}]
    assert not opens(world, case, by)
    entries = world.entries(case=case, code="case.cover")
    assert [entry["outcome"] for entry in entries] == [4]


def test_a_batch_is_recorded_before_it_gives(world, pair):
    """One entry for the three cases, with everybody it is about."""
    absent, by, cases = pair
    cover(world, absent, by)
    for case in cases:
        (entry,) = world.entries(case=case, code="case.cover")
        assert (entry["count"], entry["actor_id"]) == (3, world.staff["sue"])


@pytest.mark.parametrize("days", [-1, 0, 93])
def test_a_cover_has_a_date(world, pair, days):
    """In the future, and not for ever."""
    absent, by, _ = pair
    answer = cover(world, absent, by, days)
    assert (answer.status_code, answer.json()["code"]) == (422, "cover.until")


def test_who_covers_for_whom(world, pair):
    """Two people of one team, by its supervisor."""
    absent, by, (case, *_) = pair
    assert cover(world, absent, absent).json()["code"] == "cover.self"
    assert cover(world, absent, "sofia").json()["code"] == "assign.team"
    assert cover(world, absent, "uma").json()["code"] == "assign.team"
    assert cover(world, absent, by, asks="sid").json()["code"] == "refused.other-team"
    assert cover(world, absent, by, asks="cara").json()["code"] == "refused.role"
    assert cover(world, "sofia", by).json()["code"] == "refused.other-team"
    world.staff["nobody.madeup"] = case
    assert cover(world, "nobody.madeup", by).status_code == 404
    assert not opens(world, case, by)
    assert world.team(SOUTH) != world.team()


@pytest.mark.slow
def test_five_hundred_cases(world):
    """In batches of 25, each with its entry."""
    absent, by = world.person(), world.person()
    for _ in range(10):
        body = {"cases": [{"identity": an_identity()} for _ in range(50)]}
        assert world.post("/v1/cases/batch", absent, body).status_code == 201
    assert cover(world, absent, by).json()["given"] == 500
    entries = world.entries(actor=world.staff["sue"], code="case.cover")
    assert sum(entry["count"] for entry in entries[:20]) == 500
