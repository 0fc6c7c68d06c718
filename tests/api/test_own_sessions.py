"""One's own sessions and passphrase: listed, ended, changed; parameters follow the present."""

from __future__ import annotations

from uuid import UUID

import pytest

from casevault.crypto.credentials import KdfProfile
from casevault.store.keys import people
from tests.api.world import a_passphrase, an_identity, bearer, unknown_id
from tests.integration.store.test_caseload import statements


def sessions(world, token):
    """Return a person's sessions as they see them."""
    answer = world.get("/v1/auth/sessions", headers=bearer(token))
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def begun(world, login, **more):
    """Begin a session of somebody's with both factors."""
    body = {"login": login, "passphrase": world.passphrases[login], "code": world.code(login)}
    answer = world.post("/v1/auth/sessions", None, body | more)
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


def status(world, token):
    """Return how a token is answered."""
    return world.get("/v1/me", headers=bearer(token)).status_code


@pytest.fixture
def me(world):
    """Give a person with a phone and no session but those of the test."""
    login = world.person()
    token = world.token(login)
    assert world.call("DELETE", "/v1/auth/sessions", headers=bearer(token)).status_code == 204
    assert status(world, token) == 401
    world._tokens.pop(login)
    return login


def test_sessions_are_listed_with_the_names_of_devices(world, me):
    """The newest first; which one asks; other people's are not among them."""
    first = begun(world, me, label="Phone (made up)")
    second = begun(world, me)
    found = sessions(world, second)
    assert {(one["device"], one["current"]) for one in found} == {
        ("Phone (made up)", False),
        ("", True),
    }
    assert {one["assurance"] for one in found} == {"second_factor"}
    assert status(world, first) == 200
    (entry, *_) = world.entries(actor=world.staff[me], code="auth.sessions")
    assert (entry["outcome"], entry["count"]) == (0, 2)
    hidden = {"login": me, "passphrase": "x", "label": "Pho\u202ene"}
    assert world.post("/v1/auth/sessions", None, hidden).status_code == 422


def test_one_session_ends_and_the_others_go_on(world, me):
    """At once; that of somebody else is not found, and goes on."""
    first, second = begun(world, me), begun(world, me)
    (other,) = [one["id"] for one in sessions(world, second) if not one["current"]]
    colleague = world.person()
    world.get("/v1/me", colleague)
    for wrong, by in ((other, world.token(colleague)), (unknown_id(), second)):
        path = f"/v1/auth/sessions/{wrong}"
        assert world.call("DELETE", path, headers=bearer(by)).status_code == 404
    assert status(world, first) == 200
    path = f"/v1/auth/sessions/{other}"
    assert world.call("DELETE", path, headers=bearer(second)).status_code == 204
    assert (status(world, first), status(world, second)) == (401, 200)
    ended = world.entries(actor=world.staff[me], code="auth.end", outcome="0")
    assert len(ended) >= 2


def test_six_words_are_proposed(world):
    """Others each time, and good enough for whoever checks them."""
    found = {world.get("/v1/auth/passphrase").json()["passphrase"] for _ in range(2)}
    assert len(found) == 2
    assert {len(words.split()) for words in found} == {6}
    login = world.person(by=None)
    token = world.sign_in(login)
    body = {"passphrase": world.passphrases[login], "new_passphrase": found.pop()}
    changed = world.call("PUT", "/v1/me/passphrase", None, body, headers=bearer(token))
    assert changed.status_code == 204


def test_a_changed_passphrase_holds_from_now_on(world, me):
    """The old one opens nothing, other sessions end, cases open as before."""
    case = world.open(me)
    here, there = begun(world, me), begun(world, me)
    before, new = world.passphrases[me], a_passphrase()
    body = {"passphrase": before, "new_passphrase": new}
    wrong = body | {"passphrase": a_passphrase()}
    answer = world.call("PUT", "/v1/me/passphrase", None, wrong, headers=bearer(here))
    assert (answer.status_code, answer.json()["code"]) == (403, "step-up.credentials")
    short = body | {"new_passphrase": "short"}
    answer = world.call("PUT", "/v1/me/passphrase", None, short, headers=bearer(here))
    assert answer.json()["errors"] == [{"pointer": "/new_passphrase", "code": "passphrase.short"}]
    assert status(world, there) == 200
    answer = world.call("PUT", "/v1/me/passphrase", None, body, headers=bearer(here))
    assert answer.status_code == 204
    assert (status(world, here), status(world, there)) == (200, 401)
    old = {"login": me, "passphrase": before, "code": world.code(me)}
    assert world.post("/v1/auth/sessions", None, old).status_code == 401
    world.passphrases[me] = new
    token = begun(world, me)
    assert world.get(f"/v1/cases/{case}/identity", headers=bearer(token)).status_code == 200


def test_a_passphrase_alone_cannot_change_the_passphrase(world, me):
    """Who found it out does not shut its person out."""
    token = world.begin(me)
    body = {"passphrase": world.passphrases[me], "new_passphrase": a_passphrase()}
    answer = world.call("PUT", "/v1/me/passphrase", None, body, headers=bearer(token))
    assert answer.status_code >= 400
    assert begun(world, me)


def test_parameters_are_raised_at_the_next_sign_in(world, me, monkeypatch):
    """The envelope is sealed anew, once, and opens as before; what is as it should be stays."""

    def envelope():
        with world.vault.stores.keyring.reading() as tx:
            return people.envelope_of(tx, staff)

    staff = UUID(world.staff[me])
    before = envelope()
    begun(world, me)
    assert envelope() == before
    stronger = KdfProfile(memory=20 * 1024, passes=2, lanes=1)
    monkeypatch.setattr(world.vault.sessions._kdf, "profile", stronger)
    begun(world, me)
    assert envelope().profile == stronger
    raised = envelope()
    begun(world, me)
    assert envelope() == raised


def test_a_session_is_found_by_one_statement(sqlite_world):
    """A look: its session with the number of who may what, the case, its keys, and the entry."""
    path = f"/v1/cases/{sqlite_world.open('cara', an_identity())}/identity"
    sqlite_world.get(path, "cara")
    answer, asked = statements(sqlite_world.vault, lambda: sqlite_world.get(path, "cara"))
    assert answer.status_code == 200
    # An entry is six statements on SQLite, where it takes its place in the tree at once.
    assert asked == 3 + 6
