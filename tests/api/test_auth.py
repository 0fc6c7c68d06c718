"""Enrolling, signing in and out, and how long a session lives."""

from __future__ import annotations

import secrets

import pytest

from casevault import bootstrap
from tests.api.world import World, a_login, a_passphrase, started

DAY = 86_400.0


def _body(answer) -> dict:
    """Return a problem document without what differs in every answer."""
    return {name: value for name, value in answer.json().items() if name != "instance"}


def _enrol(world: World, code: str, passphrase: str | None = None):
    body = {"code": code, "passphrase": passphrase or a_passphrase()}
    return world.call("POST", "/v1/auth/enrolments", None, body)


def _sign_in(world: World, login: str, passphrase: str):
    body = {"login": login, "passphrase": passphrase}
    return world.call("POST", "/v1/auth/sessions", None, body)


def test_enrolling_makes_keys_and_nobody_vouches_for_them_yet(world: World) -> None:
    """A one-time code gives an account with a fingerprint, and no power."""
    login = a_login()
    answer = _enrol(world, world.add(login))
    assert answer.status_code == 201
    found = answer.json()
    assert found["login"] == login
    assert found["enrolled"] is True
    assert found["vouched"] is False
    assert len(found["fingerprint"].replace(" ", "")) == 32


def test_a_one_time_code_works_once(world: World) -> None:
    """The second use of a code is refused like a wrong one."""
    code = world.add(a_login())
    assert _enrol(world, code).status_code == 201
    again = _enrol(world, code)
    wrong = _enrol(world, "0000-0000-0000-0000-0000")
    assert again.status_code == wrong.status_code == 401
    assert _body(again) == _body(wrong)


def test_a_one_time_code_may_be_typed_as_people_read_it(world: World) -> None:
    """Small letters, no dashes and O for 0 are the same code."""
    code = world.add(a_login())
    typed = code.replace("-", " ").lower().replace("0", "o").replace("1", "l")
    assert _enrol(world, typed).status_code == 201


def test_a_one_time_code_ends_after_seven_days(world: World) -> None:
    """An expired code looks like a wrong one; a minute before it still works."""
    late, early = world.add(a_login()), world.add(a_login())
    with world.later(seconds=7 * DAY + 1):
        assert _enrol(world, late).status_code == 401
    with world.later(seconds=7 * DAY - 60):
        assert _enrol(world, early).status_code == 201


@pytest.mark.parametrize(
    ("passphrase", "code"),
    [("short", "passphrase.short"), ("a" * 40, "passphrase.simple")],
)
def test_a_weak_passphrase_leaves_the_code_usable(world: World, passphrase: str, code: str) -> None:
    """A refused passphrase uses nothing up."""
    one_time = world.add(a_login())
    refused = _enrol(world, one_time, passphrase)
    assert refused.status_code == 422
    assert refused.json()["code"] == code
    assert _enrol(world, one_time).status_code == 201


def test_signing_in_gives_a_token_that_opens_me(world: World) -> None:
    """A token names its person and its absolute end."""
    answer = _sign_in(world, "cara", world.passphrases["cara"])
    assert answer.status_code == 201
    assert answer.json()["staff_id"] == world.staff["cara"]
    headers = {"Authorization": "Bearer " + answer.json()["token"]}
    me = world.get("/v1/me", headers=headers)
    assert me.status_code == 200
    assert me.json()["login"] == "cara"


def test_a_login_may_be_spelt_in_capitals(world: World) -> None:
    """Spelling variants of a login are one login."""
    assert _sign_in(world, "  CARA ", world.passphrases["cara"]).status_code == 201


def test_unknown_login_and_wrong_passphrase_get_the_same_answer(world: World) -> None:
    """Nobody learns which of the two was wrong, nor whether an account is enrolled."""
    pending = a_login()
    world.add(pending)
    answers = [
        _sign_in(world, "nobody.at.all", a_passphrase()),
        _sign_in(world, "cara", a_passphrase()),
        _sign_in(world, pending, a_passphrase()),
    ]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert _body(answers[0]) == _body(answers[1]) == _body(answers[2])
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"


def test_failed_sign_ins_are_on_the_ledger(world: World) -> None:
    """A wrong passphrase names the account it was tried on."""
    _sign_in(world, "colin", a_passphrase())
    found = world.entries(actor=world.staff["colin"], code="auth.login_failed")
    assert found
    assert found[0]["outcome"] == 4
    assert found[0]["actor_id"] == world.staff["colin"]


def test_signing_out_ends_the_session_at_once(world: World) -> None:
    """The next request with the token is 401; other sessions of the person go on."""
    ended, other = world.sign_in("cara"), world.sign_in("cara")
    headers = {"Authorization": f"Bearer {ended}"}
    assert world.call("DELETE", "/v1/auth/sessions/current", headers=headers).status_code == 204
    after = world.get("/v1/me", headers=headers)
    assert after.status_code == 401
    assert after.json()["code"] == "session.over"
    assert world.get("/v1/me", headers={"Authorization": f"Bearer {other}"}).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic Y2FyYTp4", "Bearer no-token", "Bearer " + "A" * 70],
)
def test_without_a_valid_token_there_is_no_session(sqlite_world: World, header: str) -> None:
    """Missing, foreign and malformed credentials are 401 with WWW-Authenticate."""
    answer = sqlite_world.get("/v1/me", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("at", [0, 20, 30, 60, 68])
def test_a_changed_token_opens_nothing(world: World, at: int) -> None:
    """A change in the id, the secret or the host tag of a token is 401."""
    token = world.token("cara")
    other = "B" if token[at] != "B" else "C"
    changed = token[:at] + other + token[at + 1 :]
    answer = world.get("/v1/me", headers={"Authorization": f"Bearer {changed}"})
    assert answer.status_code == 401


def test_a_restart_ends_sessions(world: World) -> None:
    """With a new boot secret, a token of before belongs elsewhere."""
    vault = bootstrap.open_vault(world.settings, secrets.token_bytes(32), world.clock)
    client = started(vault)
    try:
        headers = {"Authorization": "Bearer " + world.token("cara")}
        answer = client.get("/v1/me", headers=headers)
    finally:
        client.__exit__(None, None, None)
    assert answer.status_code == 401
    assert answer.json()["code"] == "session-elsewhere"
    assert world.get("/v1/me", "cara").status_code == 200


def test_another_worker_of_the_host_opens_the_session(world: World) -> None:
    """Workers share the boot secret, so a session is valid on each of them."""
    vault = bootstrap.open_vault(world.settings, world.boot_secret, world.clock)
    client = started(vault)
    try:
        headers = {"Authorization": "Bearer " + world.token("cara")}
        assert client.get("/v1/me", headers=headers).status_code == 200
    finally:
        client.__exit__(None, None, None)


def test_an_unused_session_ends_after_fifteen_minutes(world: World) -> None:
    """Idle time is counted from the last request."""
    headers = {"Authorization": "Bearer " + world.sign_in("cara")}
    with world.later(minutes=14):
        assert world.get("/v1/me", headers=headers).status_code == 200
    with world.later(minutes=28):
        assert world.get("/v1/me", headers=headers).status_code == 200
    with world.later(minutes=28 + 16):
        over = world.get("/v1/me", headers=headers)
    assert over.status_code == 401
    assert over.json()["code"] == "session.over"


def test_a_session_in_use_ends_after_ten_hours(world: World) -> None:
    """Use prolongs a session only to its absolute end."""
    headers = {"Authorization": "Bearer " + world.sign_in("cara")}
    for minutes in range(14, 600, 14):
        with world.later(minutes=minutes):
            assert world.get("/v1/me", headers=headers).status_code == 200
    with world.later(minutes=601):
        assert world.get("/v1/me", headers=headers).status_code == 401


def test_an_eleventh_session_ends_the_oldest(world: World) -> None:
    """Ten sessions at a time, so that forgotten ones cannot pile up."""
    login = world.person()
    tokens = []
    for second in range(11):
        with world.later(seconds=second):
            tokens.append(world.sign_in(login))
    answers = [
        world.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code
        for token in tokens
    ]
    assert answers == [401] + [200] * 10


def test_refused_codes_are_on_the_ledger(world: World) -> None:
    """Guessing one-time codes leaves a trace, as guessing passphrases does."""
    request = secrets.token_hex(16)
    body = {"code": secrets.token_hex(10), "passphrase": a_passphrase()}
    world.call("POST", "/v1/auth/enrolments", None, body, headers={"X-Request-Id": request})
    assert any(entry["request"] == request for entry in world.entries())
