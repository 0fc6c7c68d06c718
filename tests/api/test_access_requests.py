"""From a hit to help: asked for by reference, decided by who holds it; duplicates are questions."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from casevault.store.casework import access_requests
from casevault.store.engine import keyring_tables
from casevault.store.search import search_counts
from tests.api.world import SOUTH, an_identity

REASON = "Obviously made-up: she stands at our desk"


@pytest.fixture(autouse=True)
def fresh_hour(world):
    """Every test begins with a whole hour's searches."""
    with world.vault.stores.keyring.writing() as tx:
        for login in ("cara", "colin", "sue", "sofia"):
            tx.remove(keyring_tables.search_count, staff_id=UUID(world.staff[login]))


def a_case(world, by="cara", name="Ottoline Askedfor", **fields):
    """Open a case and return what the API says of it."""
    answer = world.post("/v1/cases", by, {"identity": an_identity(name, **fields)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def ask(world, case, by="colin", days=7, **extra):
    """Ask for a case."""
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    body = {"reason": REASON, "until": until, **extra}
    return world.post(f"/v1/cases/{case['reference']}/access-requests", by, body)


def decide(world, asked, by="cara", grant=True):
    """Decide a request."""
    body = {"grant": grant, "reason": "Made-up answer"}
    return world.post(f"/v1/access-requests/{asked.json()['id']}/decision", by, body)


def listed(world, asked, by):
    """Return a request as somebody sees it, or None."""
    items = world.get("/v1/access-requests", by).json()["items"]
    return next((one for one in items if one["id"] == asked.json()["id"]), None)


def reads(world, case, by, what="profile"):
    """Return the status with which somebody reads a part of a case."""
    return world.get(f"/v1/cases/{case['id']}/{what}", by).status_code


def test_who_holds_the_case_grants_it_until_its_end(world):
    """On the holder's worklist, with the reason; granted it opens what was asked for, and ends."""
    case = a_case(world)
    asked = ask(world, case, compartments=["narrative"])
    assert asked.status_code == 201, asked.text
    assert reads(world, case, "colin") == 404
    seen = listed(world, asked, "cara")
    assert (seen["reason"], seen["mine"], seen["reference"]) == (REASON, False, case["reference"])
    assert listed(world, asked, "colin")["reason"] is None
    assert listed(world, asked, "stra") is None
    waiting = world.worklist("cara")
    assert asked.json()["id"] in [one["record_id"] for one in waiting]
    assert decide(world, asked, by="stra").status_code == 404
    assert decide(world, asked, by="colin").status_code == 403
    assert decide(world, asked).json()["state"] == "granted"
    assert decide(world, asked).status_code == 409
    assert reads(world, case, "colin") == 200
    assert reads(world, case, "colin", "identity") == 404
    assert listed(world, asked, "colin")["answer"] == "Made-up answer"
    holders = world.get(f"/v1/cases/{case['id']}/grants", "cara").json()["items"]
    (grant,) = [one for one in holders if one["principal"] == world.staff["colin"]]
    assert grant["expires_at"][:10] == asked.json()["until"][:10]


def test_declined_with_a_reason_opens_nothing(world):
    """Who asked reads why; a supervisor can decide as well, and one may ask again."""
    case = a_case(world)
    asked = ask(world, case)
    assert decide(world, asked, by="sue", grant=False).json()["state"] == "declined"
    assert reads(world, case, "colin") == 404
    mine = listed(world, asked, "colin")
    assert (mine["state"], mine["answer"]) == ("declined", "Made-up answer")
    assert ask(world, case).status_code == 201


def test_what_cannot_be_asked(world):
    """Twice at once, what one holds, for too long, of another team or of nobody."""
    case, elsewhere = a_case(world), a_case(world, by="sofia")
    assert ask(world, case).status_code == 201
    assert ask(world, case).json()["code"] == "access.asked"
    assert ask(world, case, by="cara").json()["code"] == "access.held"
    assert ask(world, a_case(world), days=93).json()["code"] == "access.until"
    assert ask(world, a_case(world), days=-1).json()["code"] == "access.until"
    foreign = ask(world, elsewhere)
    unknown = ask(world, {"reference": "CV-0000-0000"})
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.json()["code"] == unknown.json()["code"]
    assert ask(world, case, by="ada").status_code == 403


def test_nobody_gives_for_longer_than_they_hold(world):
    """A colleague who holds it for a week cannot give it for a month."""
    case = a_case(world)
    until = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    body = {"staff_id": world.staff["stra"], "expires_at": until}
    given = world.post(f"/v1/cases/{case['id']}/grants", "sue", body)
    assert given.status_code in (200, 201, 204), given.text
    asked = ask(world, case, days=30)
    refused = decide(world, asked, by="stra")
    assert (refused.status_code, refused.json()["code"]) == (403, "access.shorter")
    assert decide(world, asked, by="cara").status_code == 200


def test_unanswered_requests_go_after_thirty_days(world):
    """With the keys of their texts; a forgotten case takes its requests along at once."""
    case = a_case(world)
    ask(world, case)
    stores = world.vault.stores
    with world.later(days=31):
        assert access_requests.sweep(stores) >= 1
    again = a_case(world)
    ask(world, again)
    with stores.keyring.writing() as tx:
        assert access_requests.forget(tx, [UUID(again["id"])]) == 1
        assert access_requests.forget(tx, [UUID(again["id"])]) == 0


def test_a_possible_duplicate_is_an_open_question_until_it_is_decided(world):
    """It stands on the worklist, is asked once, and is closed by a decision that can be undone."""
    first = a_case(world, name="Rosalba Doppelganger", birth_year=1990, phones=["+390211112222"])
    second = a_case(world, name="Doppelgänger Rosalba", birth_year=1990, phones=["+390211112222"])
    path = f"/v1/cases/{second['id']}"
    found = world.post(f"{path}/duplicates", "cara", {})
    assert [one["reference"] for one in found.json()["items"]] == [first["reference"]]
    assert world.post(f"{path}/duplicates", "cara", {}).json()["items"] == []
    questions = [
        one
        for one in world.worklist("cara")
        if (one["type"], one["case_id"]) == ("duplicate", second["id"])
    ]
    assert len(questions) == 1
    content = {"type": "not_same_person", "reason": "Made-up: twins"}
    link = {"case_id": first["id"], "content": content}
    decided = world.post(f"{path}/links", "cara", link)
    assert decided.status_code == 201, decided.text
    types = [one["content"]["type"] for one in world.get(f"{path}/links", "cara").json()["items"]]
    assert types == ["not_same_person"]
    assert world.post(f"{path}/duplicates", "cara", {}).json()["items"] == []
    undone = world.call("DELETE", f"{path}/links/{decided.json()['id']}", "cara")
    assert undone.status_code == 204
    again = world.post(f"{path}/duplicates", "cara", {}).json()["items"]
    assert [one["reference"] for one in again] == [first["reference"]]


def test_duplicates_are_looked_for_in_opening(world, monkeypatch):
    """One answer says where somebody may be known and whom to ask; a case never waits for it."""
    person = {"name_to_use": "Philomena Twice-Madeup", "birth_year": 1991}
    person["phones"] = ["+390255556666"]
    first = world.post("/v1/cases", "colin", {"identity": person}).json()
    assert (first["possible_duplicates"], first["duplicates_failed"]) == (None, None)
    body = {"identity": person, "look_for_duplicates": True}
    key = {"Idempotency-Key": secrets.token_hex(12)}
    answer = world.post("/v1/cases", "cara", body, headers=key)
    assert answer.status_code == 201, answer.text
    (known,) = answer.json()["possible_duplicates"]["items"]
    assert known["reference"] == first["reference"]
    assert known["case_id"] is None
    assert world.staff["colin"] in {one["id"] for one in known["ask"]}
    case = answer.json()["id"]
    waiting = world.worklist("cara")
    assert ("duplicate", case) in {(one["type"], one["case_id"]) for one in waiting}
    monkeypatch.setattr(search_counts, "take", lambda *_: 10**6)
    late = world.post("/v1/cases", "cara", body)
    assert late.status_code == 201
    assert late.json()["possible_duplicates"] is None
    assert late.json()["duplicates_failed"] == "search.limited"
    assert world.get(f"/v1/cases/{late.json()['id']}/identity", "cara").status_code == 200


def test_a_duplicate_of_another_team_is_not_seen(world):
    """Without shared directories, nobody learns of another team's cases."""
    a_case(world, by="sofia", name="Ingeborg Southernsdottir", phones=["+390233334444"])
    here = a_case(world, name="Ingeborg Southernsdottir", phones=["+390233334444"])
    assert world.post(f"/v1/cases/{here['id']}/duplicates", "cara", {}).json()["items"] == []
    assert SOUTH
