"""Consents and other bases through the interface: recorded, withdrawn, decided, watched."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from casevault.domain.sharing.consent import CONFIRM_SECONDS
from casevault.domain.staff.access import Permission
from casevault.store.casework.held import Desk
from casevault.store.context.caller import Gate
from tests.api.world import an_identity, bearer, unknown_id

POINTS = ("interview", "purpose", "use", "research", "access", "storage", "withdrawal")


def a_consent(world, **changes):
    """Return a consent of today, to be counted."""
    today = world.clock.now().date()
    return {
        "purpose": "statistics",
        "categories": ["age_and_gender"],
        "method": "verbal",
        "language": "fr",
        "wording": "2026-1",
        "given_on": today.isoformat(),
        "valid_until": (today + timedelta(days=90)).isoformat(),
        "explained": dict.fromkeys(POINTS, True),
        **changes,
    }


def a_basis(world, **changes):
    """Return the wish to tell a hospital the name, by law."""
    today = world.clock.now().date()
    return {
        "basis": "legal_obligation",
        "purpose": "referral",
        "categories": ["name"],
        "recipients": ["Made-Up Hospital"],
        "reason": "Made up: a law of nowhere",
        "from": today.isoformat(),
        "valid_until": today.isoformat(),
        **changes,
    }


def posted(world, path, content, by="cara"):
    """Post a record; return its address."""
    answer = world.post(path, by, {"content": content})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def facts(world, case):
    """Return the coded facts as they are shown."""
    return world.get(f"/v1/cases/{case}/facts", "cara").json()


def counted_until(world, case):
    """Return until when the person is counted, from the sealed facts."""
    vault = world.vault
    caller = vault.sessions.authenticate(world.token("cara"), None)
    desk = Desk(vault.stores, Gate(vault.stores, "passphrase"))
    with vault.stores.data.reading() as connection:
        held = desk.hold(caller, connection, UUID(case), Permission.CASE_READ, "facts")
        (found,) = held.documents(connection, held.manifest(connection, "facts"))
    return found.content.get("statistics_until")


def waiting(world, by):
    """Return the ids of the bases that wait for somebody, of the whole caseload."""
    return {one["record_id"] for one in world.worklist(by) if one["type"] == "basis"}


def test_whoever_agrees_is_counted_until_they_do_not(world):
    """The facts follow the consents; the answer to a withdrawal says what stays published."""
    case = world.open()
    path = f"/v1/cases/{case}/consents"
    asked = a_consent(world)
    at = posted(world, path, asked)
    assert counted_until(world, case) == asked["valid_until"]
    assert "statistics_until" not in facts(world, case)
    gone = world.post(at + "/withdrawal", "cara", {})
    assert gone.status_code == 200, gone.text
    assert gone.json() == {
        "followed": [{"what": "leaves-counts", "about": None}],
        "stays": [{"what": "published-counts-stay", "about": None}],
    }
    assert counted_until(world, case) is None
    again = world.post(at + "/withdrawal", "cara", {})
    assert (again.status_code, again.json()["code"]) == (409, "consent.withdrawn")
    assert world.get(at, "cara").json()["state"] == "withdrawn"
    codes = {entry["code"] for entry in world.entries(case=case)}
    assert {"consent.add", "consent.withdraw", "consent.read"} <= codes


def test_a_consent_that_would_not_count_is_refused(world):
    """Every open point is named; nothing was stored."""
    case = world.open()
    path = f"/v1/cases/{case}/consents"
    explained = {**dict.fromkeys(POINTS, True), "use": False}
    refused = world.post(path, "cara", {"content": a_consent(world, explained=explained)})
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"pointer": "/explained/use", "code": "consent.not-informed"}
    ]
    assert world.get(path, "cara").json()["items"] == []


def test_a_child_is_asked_beside_the_guardian(world):
    """The age is the one in the facts; both have to agree."""
    body = {"identity": an_identity(age=15), "profile": {}}
    case = world.post("/v1/cases", "cara", body).json()["id"]
    path = f"/v1/cases/{case}/consents"
    refused = world.post(path, "cara", {"content": a_consent(world)}).json()
    assert {e["code"] for e in refused["errors"]} == {"consent.assent", "consent.guardian"}
    guardian = {"name": "Obviously Made-Up Aunt", "relation": "relative", "agrees": True}
    posted(world, path, a_consent(world, assent=True, guardian=guardian))


def test_a_repeated_request_records_one_consent(world):
    """The key of the request finds the first."""
    case = world.open()
    path, body = f"/v1/cases/{case}/consents", {"content": a_consent(world)}
    headers = {"Idempotency-Key": "made-up-key-1"}
    first = world.post(path, "cara", body, headers=headers).json()
    assert world.post(path, "cara", body, headers=headers).json() == first
    assert len(world.get(path, "cara").json()["items"]) == 1


def test_another_basis_waits_for_somebody_else(world):
    """It is on the supervisor's worklist; who asked cannot decide; decided once."""
    case = world.open()
    at = posted(world, f"/v1/cases/{case}/bases", a_basis(world))
    assert world.get(at, "cara").json()["state"] == "waiting"
    assert at.rsplit("/", 1)[1] in waiting(world, "sue")
    own = world.post(at + "/decision", "cara", {"approve": True})
    assert own.status_code == 404
    decided = world.post(at + "/decision", "sue", {"approve": True, "reason": "made-up law"})
    assert decided.json() == {"state": "done"}
    assert world.get(at, "cara").json()["state"] == "done"
    again = world.post(at + "/decision", "sue", {"approve": False})
    assert (again.status_code, again.json()["code"]) == (409, "transition.decided")


def test_statistics_take_a_consent(world):
    """No other basis counts anybody."""
    case = world.open()
    body = {"content": a_basis(world, purpose="statistics", recipients=[])}
    refused = world.post(f"/v1/cases/{case}/bases", "cara", body)
    assert refused.json()["errors"] == [{"pointer": "/purpose", "code": "basis.consent-only"}]


def missed(world, case, headers):
    """Return the deadlines of a case that passed, as the DPO sees them."""
    listed = world.get("/v1/deadlines", "dora", headers=headers).json()["items"]
    return [one for one in listed if one["case_id"] == case]


@pytest.mark.parametrize("answer", ["none", "confirmed", "declined"])
def test_a_rescue_goes_first_and_is_confirmed_within_a_day(world, answer):
    """Unconfirmed or declined, the DPO is told, once; confirmed in time, nobody is."""
    case = world.open()
    at = posted(world, f"/v1/cases/{case}/bases", a_basis(world, basis="vital_interests"))
    assert missed(world, case, {}) == []
    if answer != "none":
        approve = answer == "confirmed"
        assert world.post(at + "/decision", "sue", {"approve": approve}).status_code == 200
    with world.later(seconds=CONFIRM_SECONDS + 5 if answer == "none" else 5):
        world.vault.caretaker.watch_people()
        world.vault.caretaker.watch_people()
        dora = bearer(world.sign_in("dora"))
        found = missed(world, case, dora)
        assert [one["kind"] for one in found] == (
            [] if answer == "confirmed" else ["vital-interests-unconfirmed"]
        )
        for one in found:
            review = f"/v1/deadlines/{one['id']}/review"
            body = {"outcome": "justified"}
            assert world.post(review, "dora", body, headers=dora).status_code == 204
            assert missed(world, case, dora) == []
            assert world.post(review, "dora", body, headers=dora).status_code == 404
    alarms = [e for e in world.entries(case=case) if e["code"] == "deadline.overdue"]
    assert len(alarms) == len(found)


def test_deadlines_are_for_the_dpo(world):
    """Nobody else sees or reviews them."""
    for by in ("cara", "sue", "ada"):
        assert world.get("/v1/deadlines", by).json()["code"] == "refused.role"
        body = {"outcome": "justified"}
        refused = world.post(f"/v1/deadlines/{unknown_id()}/review", by, body)
        assert refused.json()["code"] == "refused.role"
