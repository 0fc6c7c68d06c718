"""Suspending a colleague: out at once, back as they were."""

from __future__ import annotations

import pytest

from casevault.store.casework import rekeying
from casevault.store.context import intents
from tests.api.world import bearer, unknown_id


def suspend(world, login, by="adi"):
    """Shut somebody out."""
    return world.post(f"/v1/staff/{world.staff[login]}/suspension", by, None)


def resume(world, login, by="adi"):
    """Let somebody in again."""
    return world.call("DELETE", f"/v1/staff/{world.staff[login]}/suspension", by)


def signs_in(world, login):
    """Return how a sign-in with both factors is answered."""
    body = {"login": login, "passphrase": world.passphrases[login], "code": world.code(login)}
    return world.post("/v1/auth/sessions", None, body)


def test_a_suspended_person_is_out_at_once_and_comes_back_as_they_were(world):
    """Sessions end, no sign-in succeeds, cases are due for new keys; nothing is lost."""
    login = world.person()
    case, shared = world.open(login), world.open("cara")
    assert world.assign(shared, login).status_code == 204
    token = world.sign_in(login)
    done = suspend(world, login)
    assert (done.status_code, done.json()) == (200, {"cases_due": 2})
    assert world.get("/v1/me", headers=bearer(token)).status_code == 401
    refused = signs_in(world, login)
    assert (refused.status_code, refused.json()["code"]) == (403, "staff.suspended")
    failed = world.entries(actor=world.staff[login], code="auth.login_failed")
    assert failed[0]["rule"] == "deny:suspended"
    for one, by in ((case, "sue"), (shared, "cara")):
        assert world.get(f"/v1/cases/{one}/identity", by).status_code == 200
    waiting = world.worklist("cara")
    assert "rekey" in {item["type"] for item in waiting if item["case_id"] == shared}
    assert suspend(world, login).json() == {"cases_due": 0}
    assert resume(world, login).status_code == 204
    back = signs_in(world, login)
    assert back.status_code == 201
    token = back.json()["token"]
    assert world.get(f"/v1/cases/{case}/identity", headers=bearer(token)).status_code == 200


def test_a_supervisors_suspension_marks_what_their_group_opens(world):
    """Whoever could copy the team's keys could open every case of the team."""
    login = world.person(roles=("supervisor",), by="sue")
    case = world.open("cara")
    assert suspend(world, login).json()["cases_due"] >= 1
    waiting = world.worklist("sue")
    assert "rekey" in {item["type"] for item in waiting if item["case_id"] == case}


@pytest.mark.parametrize("by", ["sue", "dora", "cara", "ada"])
def test_only_administrators_suspend(world, by):
    """And nobody themselves."""
    login = world.person()
    assert suspend(world, login, by).json()["code"] == "refused.role"
    assert resume(world, login, by).json()["code"] == "refused.role"
    assert suspend(world, "adi").json()["code"] == "refused.self"
    path = f"/v1/staff/{unknown_id()}/suspension"
    for method in ("POST", "DELETE"):
        assert world.call(method, path, "adi").json()["code"] == "staff.unknown"


def test_who_suspends_is_cut_off_and_it_is_recorded_all_the_same(world, monkeypatch):
    """It holds from the keyring's commit on; what was begun is recorded by the next start."""
    login = world.person()
    case = world.open(login)
    assert suspend(world, world.person()).status_code == 200
    (before, *_) = world.entries(code="staff.suspend")

    def cut(*_args):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(intents, "_finish", cut)
        assert suspend(world, login).status_code == 500
    assert signs_in(world, login).json()["code"] == "staff.suspended"
    with world.later(minutes=2):
        assert intents.finish_all(world.vault.stores) >= 1
        assert rekeying.mark_owed(world.vault.stores) >= 1
        assert rekeying.mark_owed(world.vault.stores) == 0
    (after, *_) = world.entries(code="staff.suspend")
    assert after["position"] > before["position"]
    assert world.entries(case=case, code="key.due")[0]["count"] >= 1
    waiting = world.worklist("sue")
    assert "rekey" in {item["type"] for item in waiting if item["case_id"] == case}


def test_a_calendar_address_dies_with_a_suspension(world):
    """And lives again with its end: nothing is lost by it."""
    login = world.person()
    path = world.post("/v1/feed", login, None).json()["path"]
    assert world.get(path).status_code == 200
    assert suspend(world, login).status_code == 200
    assert world.get(path).status_code == 404
    assert resume(world, login).status_code == 204
    assert world.get(path).status_code == 200
