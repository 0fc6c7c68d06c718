"""She forgot her passphrase: new keys and who gives them what, or eight words on paper."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from casevault.store.engine import keyring_tables as tables
from tests.api.world import SOUTH, World, a_login, a_passphrase, unknown_id


def _reset(world: World, login: str, by: str = "adi") -> str:
    answer = world.post(f"/v1/staff/{world.staff[login]}/reset", by, None)
    assert answer.status_code == 200, answer.text
    # The phone's factor is gone too; a new one is set up at the next sign-in.
    world.phones.pop(login, None)
    return str(answer.json()["code"])


def _begin_anew(world: World, login: str) -> None:
    """Reset an account and let its person enrol again; nobody vouches yet."""
    world.enrol(login, _reset(world, login))
    world._tokens.pop(login, None)


def _regrant(world: World, login: str, by: str):
    return world.post(f"/v1/staff/{world.staff[login]}/regrants", by, None)


def _reads(world: World, case: str, by: str, part: str = "identity") -> int:
    return world.get(f"/v1/cases/{case}/{part}", by).status_code


def _devices(world: World, login: str) -> list[dict[str, Any]]:
    with world.vault.stores.keyring.reading() as tx:
        return tx.lookups(tables.device, staff_id=UUID(world.staff[login]))


def test_a_reset_ends_everything_at_once(world: World) -> None:
    """Sessions, passphrase, vouch, known devices; the code is the person's own and used once."""
    login = world.person()
    old = world.passphrases[login]
    tokens = [{"Authorization": f"Bearer {world.sign_in(login)}"} for _ in range(2)]
    assert _devices(world, login)
    code = _reset(world, login)
    assert not _devices(world, login)
    for headers in tokens:
        assert world.get("/v1/me", login, headers=headers).status_code == 401
    body = {"login": login, "passphrase": old}
    assert world.post("/v1/auth/sessions", None, body).status_code == 401
    world.enrol(login, code)
    again = {"code": code, "passphrase": a_passphrase()}
    assert world.post("/v1/auth/enrolments", None, again).json()["code"] == "enrolment.code"
    found = world.entries(actor=world.staff["adi"])
    assert any(entry["code"] == "staff.reset" for entry in found)


def test_nothing_is_readable_before_vouch_and_regrant(world: World) -> None:
    """New keys, a new fingerprint; a vouch alone opens no case; the supervisor gives them again."""
    login = world.person()
    before = world.get("/v1/me", login).json()["fingerprint"]
    mine, part = world.open(login), world.open("cara")
    assert world.assign(part, login, compartments=["identity"]).status_code == 204
    code = _reset(world, login)
    body = {"staff_id": world.staff[login], "fingerprint": before}
    assert world.post("/v1/vouches", "sue", body).json()["code"] == "vouch.not-enrolled"
    world.enrol(login, code)
    world._tokens.pop(login)
    me = world.get("/v1/me", login).json()
    assert (me["vouched"], me["fingerprint"] == before) == (False, False)
    assert world.post("/v1/vouches", "sue", body).json()["code"] == "vouch.fingerprint"
    assert _regrant(world, login, "sue").json()["code"] == "vouch.missing"
    assert [_reads(world, case, login) for case in (mine, part)] == [404, 404]
    assert world.vouch(login, "sue").status_code == 201
    assert [_reads(world, case, login) for case in (mine, part)] == [404, 404]
    assert world.get("/v1/cases", login).status_code == 200
    assert _regrant(world, login, "sue").json() == {"groups": 0, "cases": 2, "left": 0}
    assert [_reads(world, case, login) for case in (mine, part)] == [200, 200]
    assert _reads(world, part, login, "profile") == 404
    assert _regrant(world, login, "sue").json() == {"groups": 0, "cases": 0, "left": 0}


def test_what_somebody_signed_before_stays_open_to_others(world: World) -> None:
    """A case that she opened, and a colleague for whom a supervisor vouched before their reset."""
    login = world.person()
    case = world.open(login)
    assert world.assign(case, "colin").status_code == 204
    chief = world.person(roles=("supervisor",))
    protege = world.person(by=chief)
    theirs = world.open(protege)
    with world.later(seconds=2):
        _begin_anew(world, login)
        _begin_anew(world, chief)
        assert _reads(world, case, "colin") == _reads(world, case, "sue") == 200
        assert _reads(world, theirs, protege) == 200
        assert world.get("/v1/me", protege).json()["vouched"] is True
    for one in (login, chief, "colin", "sue", protege):
        world._tokens.pop(one, None)


def test_a_supervisor_comes_back_by_another_supervisor(world: World) -> None:
    """The team's groups come with the vouch, what they held themselves with the regrant."""
    login = world.person(roles=("supervisor",))
    own = world.open(login)
    _begin_anew(world, login)
    assert _reads(world, world.case, login) == 404
    assert world.vouch(login, "dora").json()["code"] == "vouch.scope"
    assert world.vouch(login, "sue").status_code == 201
    assert _reads(world, world.case, login) == 200
    assert _regrant(world, login, "sue").json() == {"groups": 0, "cases": 1, "left": 0}
    assert _reads(world, own, login) == 200
    assert world.person(by=login)


def test_an_auditor_comes_back_by_the_dpo_and_another_auditor(world: World) -> None:
    """The DPO vouches and can open nothing for them; an auditor lets them in again."""
    login = world.person(roles=("auditor",), team=None, by="dora")
    _begin_anew(world, login)
    assert world.vouch(login, "dora").status_code == 201
    assert world.get("/v1/ledger/entries", login).status_code in (403, 404)
    refused = _regrant(world, login, "dora")
    assert (refused.status_code, refused.json()["code"]) == (403, "regrant.scope")
    assert _regrant(world, login, "ada").json() == {"groups": 1, "cases": 0, "left": 0}
    assert world.get("/v1/ledger/entries", login).status_code == 200


# Roles that hold no key of anybody's, with a question that takes the role.
KEYLESS = {
    "reporter": ("GET", "/v1/register", 200),
    "administrator": ("GET", "/v1/staff", 200),
    "referrer": ("POST", "/v1/me/recovery-code", 201),
}


def test_who_holds_no_keys_comes_back_by_the_dpo_alone(world: World) -> None:
    """Reporter, administrator, referrer: no role before the vouch, and nothing is left to give."""
    for role, (method, path, status) in KEYLESS.items():
        login = world.person(roles=(role,), team=None, by="dora")
        assert world.call(method, path, login).status_code == status, role
        _begin_anew(world, login)
        assert world.get("/v1/me", login).json()["vouched"] is False
        assert world.call(method, path, login).json()["code"] == "refused.role", role
        assert _regrant(world, login, "dora").json()["code"] == "vouch.missing"
        assert world.vouch(login, "sue").json()["code"] == "vouch.scope"
        assert world.vouch(login, "dora").status_code == 201
        assert world.call(method, path, login).status_code == status, role
        assert _regrant(world, login, "dora").json() == {"groups": 0, "cases": 0, "left": 0}


def test_new_keys_of_a_case_do_not_forget_who_waits(world: World) -> None:
    """Between reset and regrant a case gets new keys: it is given again all the same."""
    login, leaver = world.person(), world.person()
    case = world.open(login)
    assert world.assign(case, leaver).status_code == 204
    code = _reset(world, login)
    assert world.call("DELETE", f"/v1/cases/{case}/grants/{world.staff[leaver]}", "sue").is_success
    world.enrol(login, code)
    world._tokens.pop(login, None)
    assert world.vouch(login, "sue").status_code == 201
    assert _reads(world, case, login) == 404
    assert _regrant(world, login, "sue").json()["cases"] == 1
    assert _reads(world, case, login) == 200
    again = world.call("DELETE", f"/v1/cases/{case}/grants/{world.staff[login]}", "sue")
    assert again.is_success
    assert _reads(world, case, login) == 404


def test_what_was_revoked_meanwhile_is_not_given_again(world: World) -> None:
    """Neither a revoked case, nor one whose assignment has expired."""
    login = world.person()
    revoked, kept = world.open("cara"), world.open("cara")
    for case in (revoked, kept):
        assert world.assign(case, login).status_code == 204
    _begin_anew(world, login)
    gone = world.call("DELETE", f"/v1/cases/{revoked}/grants/{world.staff[login]}", "sue")
    assert gone.is_success
    assert world.vouch(login, "sue").status_code == 201
    assert _regrant(world, login, "sue").json() == {"groups": 0, "cases": 1, "left": 0}
    assert (_reads(world, revoked, login), _reads(world, kept, login)) == (404, 200)


def test_drafts_are_lost_with_the_old_keys(world: World) -> None:
    """Only their author could open them: they are gone, and nothing alarms."""
    login = world.person()
    draft = {"form": "note", "content": {"text": "Half a made-up note"}}
    assert world.post("/v1/drafts", login, draft).status_code == 201
    _begin_anew(world, login)
    assert world.vouch(login, "sue").status_code == 201
    assert world.get("/v1/drafts", login).json()["items"] == []


def test_who_resets_and_who_regrants(world: World) -> None:
    """The administrator, and nobody themselves; those of the table, each their own part."""
    login = world.person()
    case = world.open(login)
    path = f"/v1/staff/{world.staff[login]}"
    for by in ("sue", "dora", "ada", "cara"):
        assert world.post(path + "/reset", by, None).json()["code"] == "refused.role"
    own = f"/v1/staff/{world.staff['adi']}/reset"
    assert world.post(own, "adi", None).json()["code"] == "refused.self"
    assert world.post(f"/v1/staff/{unknown_id()}/reset", "adi", None).status_code == 404
    assert world.post(f"/v1/staff/{unknown_id()}/regrants", "sue", None).status_code == 404
    _begin_anew(world, login)
    assert world.vouch(login, "sue").status_code == 201
    for by in ("adi", "cara"):
        assert _regrant(world, login, by).json()["code"] == "refused.role"
    assert _regrant(world, login, login).json()["code"] in ("refused.role", "refused.self")
    for by in ("sid", "ada", "dora"):
        assert _regrant(world, login, by).json()["code"] == "regrant.scope"
    assert _reads(world, case, login) == 404


def test_a_second_code_kills_the_first(world: World) -> None:
    """Also for somebody who never enrolled: a lost code is replaced."""
    login = a_login()
    first = world.add(login, team=SOUTH)
    second = _reset(world, login)
    body = {"code": first, "passphrase": a_passphrase()}
    assert world.post("/v1/auth/enrolments", None, body).status_code == 401
    world.enrol(login, second)


# --- eight words on paper ------------------------------------------------------------------------


def _code(world: World, login: str) -> str:
    answer = world.post("/v1/me/recovery-code", login, None)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def _restore(world: World, login: str, code: str, passphrase: str):
    body = {"login": login, "code": code, "passphrase": passphrase}
    return world.post("/v1/auth/passphrase", None, body)


def test_the_words_on_paper_set_a_new_passphrase_once(world: World) -> None:
    """No grant changes, sessions end, and neither the words nor the old passphrase work again."""
    login = world.person()
    case = world.open(login)
    fingerprint = world.get("/v1/me", login).json()["fingerprint"]
    code, old, new = _code(world, login), world.passphrases[login], a_passphrase()
    assert len(code.split()) == 8
    shouted = "  ".join(code.upper().split())
    assert _restore(world, login, shouted, new).status_code == 204
    assert world.get("/v1/me", login).status_code == 401
    signs = {"login": login, "passphrase": old}
    assert world.post("/v1/auth/sessions", None, signs).status_code == 401
    world.passphrases[login] = new
    world._tokens.pop(login)
    assert _reads(world, case, login) == 200
    assert world.get("/v1/me", login).json()["fingerprint"] == fingerprint
    again = _restore(world, login, code, a_passphrase())
    assert (again.status_code, again.json()["code"]) == (401, "recovery-code")
    codes = {entry["code"] for entry in world.entries(actor=world.staff[login])}
    assert {"auth.recovery_code", "auth.restore", "auth.restore_failed"} <= codes


def test_wrong_words_say_nothing(world: World) -> None:
    """Wrong words, no words ever made, no such person: the same answer, nothing changed."""
    login, bare = world.person(), world.person()
    code = _code(world, login)
    wrong = " ".join(reversed(code.split()))
    answers = [
        _restore(world, *asked, a_passphrase())
        for asked in ((login, wrong), (bare, code), (a_login(), code), (login, code[:-1]))
    ]
    shown = {(a.status_code, a.json()["code"], a.json()["detail"]) for a in answers}
    assert len(shown) == 1
    assert not any(code.split()[0] in a.text for a in answers)
    assert _restore(world, login, code, "short").json()["code"] == "passphrase.short"
    assert world.sign_in(login)
    assert _restore(world, login, code, a_passphrase()).status_code == 204


@pytest.mark.parametrize("by", ["code", "reset"])
def test_words_die_with_new_words_and_with_a_reset(world: World, by: str) -> None:
    """Only the newest paper counts, and none after the administrator's reset."""
    login = world.person()
    code = _code(world, login)
    if by == "code":
        _code(world, login)
    else:
        _reset(world, login)
    assert _restore(world, login, code, a_passphrase()).json()["code"] == "recovery-code"


def test_making_words_asks_for_the_passphrase(world: World) -> None:
    """A screen left open is not enough to take the way back."""
    login = world.person()
    headers = {"Authorization": f"Bearer {world.sign_in(login)}"}
    with world.later(minutes=6):
        answer = world.call("POST", "/v1/me/recovery-code", login, headers=headers, step_up=False)
        assert answer.json()["code"] == "refused.step-up"
