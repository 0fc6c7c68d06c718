"""What waits for a second person, and acts that ask for the passphrase once more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from casevault.domain.staff.access import RULES, Permission
from tests.api.world import World, a_passphrase, unknown_id


def _ask(world: World, by: str = "adi", scope: str = "auditors", to: str = "ada", **extra: object):
    return world.post(
        "/v1/recoveries", by, {"scope": scope, "beneficiary": world.staff[to], **extra}
    )


def _waiting(world: World, by: str) -> set[str]:
    return {one["id"] for one in world.get("/v1/approvals", by).json()["items"]}


def _decide(world: World, wish: str, by: str, approve: bool = True):
    return world.post(f"/v1/approvals/{wish}/decision", by, {"approve": approve})


def test_what_waits_is_shown_to_those_whose_word_counts(world: World) -> None:
    """DPO and supervisors for the auditors' group; not whom it is for, not who asked."""
    asked = _ask(world).json()
    assert asked["parameters"]["scope"] == "auditors"
    assert asked["parameters"]["keys"] == world.get("/v1/me", "ada").json()["fingerprint"]
    own = _ask(world, "dora").json()["id"]
    assert asked["id"] in _waiting(world, "dora")
    assert own not in _waiting(world, "dora")
    assert {asked["id"], own} <= _waiting(world, "sue")
    assert not {asked["id"], own} & _waiting(world, "ada")
    for by in ("adi", "cara", "uma"):
        assert world.get("/v1/approvals", by).json()["code"] == "refused.role"


def test_a_decision_is_taken_once(world: World) -> None:
    """Decided, it waits for that person no more; a second word is a conflict."""
    wish = _ask(world).json()["id"]
    assert _decide(world, wish, "dora").status_code == 200
    assert wish not in _waiting(world, "dora")
    again = _decide(world, wish, "dora", approve=False)
    assert (again.status_code, again.json()["code"]) == (409, "approval.twice")
    found = world.entries(actor=world.staff["dora"])
    assert {"approval.decide", "approval.list", "authz.deny"} <= {e["code"] for e in found}


@pytest.mark.parametrize(
    ("scope", "to", "by", "code"),
    [
        ("auditors", "ada", "ada", "refused.self"),
        ("dpo", "dora", "dora", "refused.self"),
        ("auditors", "ada", "adi", "refused.role"),
        ("auditors", "ada", "cara", "refused.role"),
    ],
)
def test_whose_word_does_not_count(world: World, scope: str, to: str, by: str, code: str) -> None:
    """Whom it is for, and roles that the table does not name; each refusal on the ledger."""
    wish = _ask(world, "sue", scope, to).json()["id"]
    answer = _decide(world, wish, by)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert any(e["code"] == "authz.deny" for e in world.entries(actor=world.staff[by]))


def test_the_asker_does_not_decide(world: World) -> None:
    """Whatever their role."""
    wish = _ask(world, "dora").json()["id"]
    assert _decide(world, wish, "dora").json()["code"] == "refused.self"


def test_an_expired_wish_is_not_decided(world: World) -> None:
    """After a week it waits for nobody."""
    wish = _ask(world).json()["id"]
    with world.later(days=8):
        token = {"Authorization": f"Bearer {world.sign_in('dora')}"}
        path = f"/v1/approvals/{wish}/decision"
        answer = world.call("POST", path, "dora", {"approve": True}, headers=token)
        assert (answer.status_code, answer.json()["code"]) == (409, "approval.expired")
        found = world.get("/v1/approvals", "dora", headers=token).json()["items"]
        assert wish not in {one["id"] for one in found}


def test_two_who_decide_at_once(world: World) -> None:
    """Both are heard, or one is told that it was decided; nobody's word counts twice."""
    wish = _ask(world, "adi").json()["id"]
    for login in ("dora", "sue"):
        world.token(login)
    asked = [("dora", True), ("dora", True), ("sue", True), ("sue", False)]
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(_decide, world, wish, by, approve) for by, approve in asked]
        statuses = [one.result().status_code for one in done]
    assert sorted(statuses[:2]) == [200, 409]
    assert sorted(statuses[2:]) == [200, 409]
    said = [e for e in world.entries(code="approval.decide") if e["outcome"] == 0]
    assert {world.staff["dora"], world.staff["sue"]} <= {one["actor_id"] for one in said[:4]}


def test_an_unknown_wish_is_404(world: World) -> None:
    """As everywhere."""
    assert _decide(world, unknown_id(), "dora").status_code == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scope": "auditors", "object_id": unknown_id()}, "recovery.object"),
        ({"scope": "team"}, "recovery.object"),
        ({"scope": "team", "object_id": unknown_id()}, "recovery.object"),
        ({"scope": "case", "object_id": unknown_id()}, "recovery.object"),
        ({"scope": "dpo"}, "recovery.beneficiary"),
        ({"scope": "everything"}, "invalid"),
    ],
)
def test_what_is_no_recovery(world: World, changes: dict[str, str], code: str) -> None:
    """Everything is no scope; the account must have the role for what it is to open."""
    answer = world.post("/v1/recoveries", "adi", {"beneficiary": world.staff["ada"], **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_more_that_is_no_recovery(world: World) -> None:
    """A case for somebody of another team; a vouch for a case; keys that are not there yet."""
    case = world.case
    other = _ask(world, "adi", "case", "sofia", object_id=case)
    assert other.json()["code"] == "recovery.beneficiary"
    vouched = _ask(world, "adi", "case", "cara", object_id=case, vouch=True)
    assert vouched.json()["code"] == "recovery.vouch"
    login = "new." + unknown_id()[:8]
    world.add(login, roles=("auditor",), team=None)
    assert _ask(world, "adi", "auditors", login).json()["code"] == "vouch.not-enrolled"
    body = {"scope": "auditors", "beneficiary": unknown_id()}
    assert world.post("/v1/recoveries", "adi", body).status_code == 404


# --- the passphrase once more --------------------------------------------------------------------


def test_five_minutes_after_signing_in_the_passphrase_is_asked_for(world: World) -> None:
    """Then once more is enough for five minutes, in that session only."""
    login = world.person(roles=("supervisor",))
    first, second = ({"Authorization": f"Bearer {world.sign_in(login)}"} for _ in range(2))
    other = world.person(by=None)
    fingerprint = world.get("/v1/me", other).json()["fingerprint"]
    body = {"staff_id": world.staff[other], "fingerprint": fingerprint}

    def vouch(headers: dict[str, str]):
        return world.call("POST", "/v1/vouches", login, body, headers=headers, step_up=False)

    with world.later(minutes=6):
        for headers in (first, second):
            answer = vouch(headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "refused.step-up")
            assert "step-up" in answer.json()["hint"]
        done = world.call(
            "POST", "/v1/auth/step-up", login, {"passphrase": world.passphrases[login]},
            headers=first,
        )  # fmt: skip
        assert done.status_code == 200
        assert vouch(second).json()["code"] == "refused.step-up"
        assert vouch(first).status_code == 201
    with world.later(minutes=12):
        assert vouch(first).json()["code"] == "refused.step-up"


def test_a_wrong_passphrase_confirms_nothing(world: World) -> None:
    """It is refused and recorded, and the session goes on as it was."""
    token = {"Authorization": f"Bearer {world.sign_in('dora')}"}
    path, wrong = "/v1/auth/step-up", {"passphrase": a_passphrase()}
    answer = world.call("POST", path, "dora", wrong, headers=token)
    assert (answer.status_code, answer.json()["code"]) == (403, "step-up.credentials")
    assert world.get("/v1/me", "dora", headers=token).status_code == 200
    assert any(e["code"] == "auth.step_up_failed" for e in world.entries(actor=world.staff["dora"]))


def test_the_acts_of_the_design_ask_for_the_passphrase() -> None:
    """Export, erasure, bulk search, recovery, roles: whatever is called so, now or later."""
    named = ("export", "erase", "bulk", "recover", "vouch", "role", "reset", "regrant")
    listed = {p for p in Permission if any(name in p.value for name in named)}
    assert {Permission.VOUCH_ISSUE, Permission.KEYS_RECOVER} <= listed
    assert {p for p in listed if not RULES[p].step_up} == set()
    assert RULES[Permission.APPROVAL_DECIDE].step_up
