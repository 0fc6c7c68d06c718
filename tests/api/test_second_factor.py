"""The second factor: set up, asked for, used once, replaced; without it a session opens nothing."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from casevault import bootstrap
from casevault.clock import unix_seconds
from casevault.crypto import totp
from casevault.domain.staff import access
from casevault.store.engine import keyring_tables as tables
from tests.api.world import Phone, World, a_login, an_identity, bearer, started

AT = "/v1/me/second-factor"
GIVE = "/v1/auth/sessions/current/second-factor"


@pytest.fixture
def login(world: World) -> str:
    """Add somebody who has a passphrase and no second factor yet."""
    found = a_login()
    world.enrol(found, world.add(found))
    return found


def as_token(world: World, token: str, path: str, body: object, method: str = "POST"):
    """Send a request with a token."""
    return world.call(method, path, None, body, headers=bearer(token))


def sign_in(world: World, login: str, code: str | None):
    """Try to sign in with a code."""
    body = {"login": login, "passphrase": world.passphrases[login], "code": code}
    return world.call("POST", "/v1/auth/sessions", None, body)


def now(world: World) -> int:
    """Return the world's time."""
    return unix_seconds(world.clock.now())


def test_a_passphrase_alone_leads_to_a_second_factor_and_nowhere_else(
    world: World, login: str
) -> None:
    """`me` can be read; all else says what is missing."""
    answer = sign_in(world, login, None)
    assert answer.json()["assurance"] == "passphrase"
    assert answer.json()["second_factor"] is False
    token = answer.json()["token"]
    assert as_token(world, token, "/v1/me", None, "GET").status_code == 200
    for path in ("/v1/staff", "/v1/cases", "/v1/worklist", "/v1/teams"):
        refused = as_token(world, token, path, None, "GET")
        assert refused.status_code == 403, path
        assert refused.json()["code"] == "refused.assurance"


def test_a_phone_is_set_up_with_a_qr_code(world: World, login: str) -> None:
    """A drawing, text for terminals, the secret to type; the first code switches it on."""
    token = world.begin(login)
    proposed = as_token(world, token, AT, {}).json()
    assert proposed["qr_svg"].startswith("<svg")
    assert len(proposed["qr_text"].splitlines()) > 15
    assert f"secret={proposed['secret']}&" in proposed["uri"]
    assert sign_in(world, login, None).json()["second_factor"] is False
    phone = Phone(base64.b32decode(proposed["secret"]))
    body = {"code": phone.next_code(now(world))}
    confirmed = as_token(world, token, AT + "/confirmation", body)
    assert confirmed.status_code == 201
    assert len(set(confirmed.json()["codes"])) == 10
    # The session in which it was set up has it now.
    assert as_token(world, token, "/v1/cases", None, "GET").json()["code"] == "refused.role"
    assert sign_in(world, login, None).json()["second_factor"] is True


def test_a_wrong_first_code_switches_nothing_on(world: World, login: str) -> None:
    """Nor does a code without a proposal."""
    token = world.begin(login)
    early = as_token(world, token, AT + "/confirmation", {"code": "000000"})
    assert (early.status_code, early.json()["code"]) == (409, "second-factor.none")
    secret = base64.b32decode(as_token(world, token, AT, {}).json()["secret"])
    far = totp.code_of(secret, totp.step_at(now(world)) + 5)
    wrong = as_token(world, token, AT + "/confirmation", {"code": far})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "second-factor.code")
    assert sign_in(world, login, None).json()["second_factor"] is False


def test_a_code_works_once(world: World, login: str) -> None:
    """An authenticator's code and a printed one, at sign-in and afterwards."""
    world.set_up_phone(login)
    phone = world.phones[login]
    with world.later(seconds=90):
        for code in (phone.next_code(now(world)), phone.printed.pop()):
            assert sign_in(world, login, code).json()["assurance"] == "second_factor"
            again = sign_in(world, login, code)
            assert (again.status_code, again.json()["code"]) == (401, "second-factor.code")
            refused = as_token(world, world.begin(login), GIVE, {"code": code})
            assert (refused.status_code, refused.json()["code"]) == (403, "second-factor.code")


def test_a_code_of_before_or_of_another_is_refused(world: World, login: str) -> None:
    """An hour, ten years, a colleague's paper."""
    world.set_up_phone(login)
    world.token("cara")
    secret = world.phones[login].secret
    for seconds in (3600, -3600, 315_360_000):
        step = totp.step_at(now(world) + seconds)
        assert sign_in(world, login, totp.code_of(secret, step)).status_code == 401
    other = world.phones["cara"].printed[0]
    assert sign_in(world, login, other).status_code == 401


def test_a_session_is_given_its_factor_afterwards(world: World) -> None:
    """The same token opens the caseload once a code was given."""
    login = world.person()
    token = world.begin(login)
    assert as_token(world, token, "/v1/cases", None, "GET").status_code == 403
    assert as_token(world, token, GIVE, {"code": world.code(login)}).status_code == 204
    assert as_token(world, token, "/v1/cases", None, "GET").status_code == 200


def test_two_workers_take_a_code_once(world: World, login: str) -> None:
    """Eight at once on two workers with one code: one is signed in. The same for printed ones."""
    world.set_up_phone(login)
    phone = world.phones[login]
    vault = bootstrap.open_vault(world.settings, world.boot_secret, world.clock)
    client = started(vault)
    try:
        with world.later(seconds=90):
            for code in (phone.next_code(now(world)), phone.printed.pop()):
                body = {"login": login, "passphrase": world.passphrases[login], "code": code}
                with ThreadPoolExecutor(8) as pool:
                    sent = [
                        pool.submit(one.post, "/v1/auth/sessions", json=body)
                        for one in (world.client, client) * 4
                    ]
                statuses = sorted(each.result().status_code for each in sent)
                assert statuses == [201] + [401] * 7
    finally:
        client.__exit__(None, None, None)


def test_a_lost_phone_is_replaced_with_the_paper(world: World, login: str) -> None:
    """Two printed codes: one to sign in, one to replace. Old phone, paper and sessions are void."""
    world.set_up_phone(login)
    phone = world.phones[login]
    elsewhere = world.begin(login, phone.printed.pop())
    token = world.begin(login, phone.printed.pop())
    without = as_token(world, token, AT, {})
    assert (without.status_code, without.json()["code"]) == (403, "second-factor.code")
    proposed = as_token(world, token, AT, {"code": phone.printed.pop()})
    assert proposed.status_code == 201
    # Until the new one is confirmed, the old one goes on.
    assert sign_in(world, login, phone.printed.pop()).status_code == 201
    new = Phone(base64.b32decode(proposed.json()["secret"]))
    body = {"code": new.next_code(now(world))}
    assert as_token(world, token, AT + "/confirmation", body).status_code == 201
    assert as_token(world, elsewhere, "/v1/me", None, "GET").status_code == 401
    assert as_token(world, token, "/v1/me", None, "GET").status_code == 200
    with world.later(seconds=90):
        assert sign_in(world, login, phone.next_code(now(world))).status_code == 401
        assert sign_in(world, login, phone.printed.pop()).status_code == 401
        assert sign_in(world, login, new.next_code(now(world))).status_code == 201


def test_a_stolen_passphrase_replaces_no_factor(world: World, login: str) -> None:
    """Without a code of the present one there is no new one, and there are no new printed codes."""
    world.set_up_phone(login)
    token = world.begin(login)
    for body in ({}, {"code": "000000"}):
        refused = as_token(world, token, AT, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "second-factor.code")
    assert as_token(world, token, AT + "/codes", {"code": "000000"}).status_code == 403


def test_new_printed_codes_void_the_old(world: World, login: str) -> None:
    """Ten new ones for one old one."""
    token = world.set_up_phone(login)
    old = world.phones[login].printed
    new = as_token(world, token, AT + "/codes", {"code": old[0]}).json()["codes"]
    assert len(new) == 10
    assert not set(new) & set(old)
    assert sign_in(world, login, old[1]).status_code == 401
    assert sign_in(world, login, new[0]).status_code == 201


def test_what_happens_to_a_factor_is_on_the_ledger(world: World, login: str) -> None:
    """Set up, switched on, given, printed; and a wrong code."""
    token = world.set_up_phone(login)
    as_token(world, token, AT + "/codes", {"code": world.phones[login].printed[0]})
    sign_in(world, login, "000000")
    as_token(world, token, GIVE, {"code": "000000"})
    codes = [entry["code"] for entry in world.entries(actor=world.staff[login])]
    assert codes[:6] == [
        "auth.factor_give_failed",
        "auth.login_failed",
        "auth.factor_print",
        "auth.factor",
        "auth.factor_propose",
        "auth.login",
    ]


def test_without_the_factor_there_is_no_key(world: World, monkeypatch) -> None:
    """With every decision a yes, a session of a holder without its second factor opens nothing."""
    canary = "Verity Factorless-Madeup"
    case = world.open("cara", an_identity(canary), {"presenting_situation": canary})
    token = world.begin("cara")
    monkeypatch.setattr(access, "decide", lambda *_a, **_k: access.Decision(True, "permit:patched"))
    for part in ("identity", "profile", "facts", "notes", "timeline", ""):
        path = f"/v1/cases/{case}/{part}".rstrip("/")
        with_factor = world.get(path, "cara")
        without = as_token(world, token, path, None, "GET")
        assert with_factor.status_code == 200, part
        assert canary not in without.text
        assert without.status_code == 404, part
    assert canary in world.get(f"/v1/cases/{case}/identity", "cara").text
    listed = as_token(world, token, "/v1/cases", None, "GET")
    assert canary not in listed.text
    note = {"type": "visit", "date": "2026-11-20", "text": "Made up."}
    for path, body in (
        ("/v1/cases", {"identity": an_identity(), "profile": {}}),
        (f"/v1/cases/{case}/notes", {"content": note}),
    ):
        assert as_token(world, token, path, body).status_code == 404, path


def test_nothing_of_a_factor_is_readable_in_the_keyring(world: World, login: str) -> None:
    """Not even with every key of the server: the rows open with the person's own seed."""
    world.set_up_phone(login)
    phone = world.phones[login]
    with world.vault.stores.keyring.reading() as tx:
        rows = tx.find(tables.second_factor, staff_id=UUID(world.staff[login]))
    assert len(rows) == 11
    kept = b"".join(row.content for row in rows)
    assert phone.secret not in kept
    for code in phone.printed:
        assert code.encode() not in kept
        assert code.replace("-", "").encode() not in kept
