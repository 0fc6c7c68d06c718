"""Lockdown: one person shuts the vault, two open it again, at the server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from casevault import bootstrap
from casevault.api import middleware
from casevault.cli.app import app
from casevault.errors import Conflict, Invalid, Misconfigured, Refused
from casevault.ids import new_id
from casevault.store.engine import keyring_tables as tables
from casevault.store.staff import lockdowns
from tests.api.copies import a_world
from tests.api.world import bearer

NAME = "Example Red Cross (made up)"
PEOPLE = ("sue", "dora", "adi", "ada", "cara")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, make_databases, tmp_path_factory):
    """Give a vault of its own: what is done here would shut everybody else's tests out."""
    made = a_world(make_databases(request.param), Path(tmp_path_factory.mktemp("shut")))
    for login in PEOPLE:
        made.token(login)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def looking(monkeypatch):
    """Let the service look at every request."""
    monkeypatch.setattr(middleware, "LOOK_SECONDS", 0.0)


@pytest.fixture
def command(world, config_of, runner):
    """Run the command as people who type what is asked for."""

    def run(*arguments, who=(), typed=""):
        given = ["lockdown", *arguments, "--config", str(config_of(world))]
        for option, login in zip(("--login", "--second-login"), who, strict=False):
            given += [option, login]
        return runner.invoke(app, given, input=typed + "".join(map(world.typed, who)))

    for login in PEOPLE:
        _more_codes(world, login)
    yield run
    with world.vault.stores.keyring.reading() as tx:
        shut = lockdowns.is_shut(tx)
    if shut:
        assert run("--end", who=("sue", "dora")).exit_code == 0
    world._tokens.clear()


def _more_codes(world, login):
    """Print new codes while somebody can still sign in, if few are left."""
    phone = world.phones[login]
    if len(phone.printed) > 5:
        return
    token = world.begin(login, phone.printed.pop())
    body = {"code": phone.printed.pop()}
    answer = world.post("/v1/me/second-factor/codes", None, body, headers=bearer(token))
    phone.printed = answer.json()["codes"]


def signs_in(world, login):
    """Return how a sign-in is answered by the running service."""
    body = {"login": login, "passphrase": world.passphrases[login], "code": world.code(login)}
    return world.post("/v1/auth/sessions", None, body)


def test_one_shuts_and_two_open_again(world, command):
    """All sessions end, nobody signs in, nothing serves; both statements are kept, and recorded."""
    case = world.case
    token = world.token("cara")
    before = {one.wish.id for one in opened(world)}
    assert command(who=("adi",), typed=NAME + "\n").exit_code == 0
    assert world.get("/v1/me", headers=bearer(token)).status_code == 503
    refused = signs_in(world, "cara")
    assert (refused.status_code, refused.json()["code"]) == (503, "lockdown")
    with pytest.raises(Misconfigured) as caught:
        bootstrap.begin_service(world.settings)
    assert caught.value.code == "lockdown"
    assert "lockdown --end" in caught.value.detail
    again = command("--yes", who=("dora",))
    assert isinstance(again.exception, Conflict)
    assert command("--end", who=("sue", "dora")).exit_code == 0
    world._tokens.clear()
    assert signs_in(world, "cara").status_code == 201
    assert world.get(f"/v1/cases/{case}/identity", "cara").status_code == 200
    (new,) = (one for one in opened(world) if one.wish.id not in before)
    people = {new.asked.person, *(one.person for one in new.statements)}
    assert people == {UUID(world.staff["sue"]), UUID(world.staff["dora"])}
    for code in ("system.lockdown", "system.lockdown_end"):
        assert world.entries(code=code)[0]["outcome"] == 0


def opened(world):
    """Return the statements of everybody who ever opened this vault again."""
    with world.vault.stores.keyring.reading() as tx:
        found = lockdowns.opened(tx)
    return sorted(found, key=lambda one: one.wish.asked_at)


def examined(world, config_of, runner):
    """Return what the doctor says about lockdowns."""
    done = runner.invoke(app, ["doctor", "--json", "--config", str(config_of(world))])
    codes = {one["code"] for one in json.loads(done.stdout)["findings"]}
    return {code for code in codes if code.startswith("lockdown")}


def test_the_doctor_proves_every_lockdown_again(world, command, config_of, runner):
    """A row that somebody deleted, and an end that nobody signed, are red; two people's is well."""
    stores = world.vault.stores
    assert command("--yes", who=("sue",)).exit_code == 0
    assert examined(world, config_of, runner) == {"lockdown.shut"}
    with stores.keyring.writing() as tx:
        lockdown, by, at = lockdowns.shut_by(tx)
        tx.remove(tables.lockdown, id=lockdown)
    world.vault.caretaker.integrate()
    assert examined(world, config_of, runner) == {"lockdown.vanished"}
    with stores.keyring.writing() as tx:
        lockdowns.shut(tx, lockdown, by, at)
    assert command("--end", who=("sue", "adi")).exit_code == 0
    assert examined(world, config_of, runner) == set()
    (one, *_) = opened(world)
    forged = replace(one, wish=replace(one.wish, id=new_id()))
    alone = replace(one, wish=replace(one.wish, id=new_id()), statements=(one.asked,))
    for made in (forged, alone):
        with stores.keyring.writing() as tx:
            tx.add(tables.lockdown, made.encode(), id=made.wish.id, kind=lockdowns.OPENED)
        assert examined(world, config_of, runner) == {"lockdown.unsigned"}
        with stores.keyring.writing() as tx:
            tx.remove(tables.lockdown, id=made.wish.id)


@pytest.mark.parametrize("pair", [("sue", "sue"), ("sue", "cara"), ("ada", "dora")])
def test_not_by_one_twice_nor_by_others(world, command, pair):
    """The vault stays shut."""
    assert command("--yes", who=("sue",)).exit_code == 0
    result = command("--end", who=pair)
    assert isinstance(result.exception, Refused)
    assert result.exception.code == "lockdown.people"
    assert signs_in(world, "cara").status_code == 503


def test_a_passphrase_alone_does_not_open_it(world, command, config_of, runner):
    """Both give their second factor too."""
    assert command("--yes", who=("sue",)).exit_code == 0
    given = ["lockdown", "--end", "--config", str(config_of(world))]
    given += ["--login", "sue", "--second-login", "dora"]
    typed = "".join(f"{world.passphrases[login]}\n\n" for login in ("sue", "dora"))
    assert runner.invoke(app, given, input=typed).exit_code != 0
    assert signs_in(world, "cara").status_code == 503


def test_it_is_confirmed_and_only_by_some(world, command):
    """Another name shuts nothing; caseworkers and auditors shut nothing."""
    wrong = command(who=("sue",), typed="Another organisation\n")
    assert isinstance(wrong.exception, Invalid)
    assert wrong.exception.code == "lockdown.confirm"
    for login in ("cara", "ada"):
        assert isinstance(command("--yes", who=(login,)).exception, Refused)
    none = command("--end", who=("sue", "dora"))
    assert isinstance(none.exception, Conflict)
    assert none.exception.code == "lockdown.none"
    assert signs_in(world, "cara").status_code == 201


def test_by_http_from_wherever_one_is(world, command):
    """A supervisor at home types the organisation's name; it takes two at the server to undo."""
    body = {"organisation": "example red cross  (made up)"}
    assert world.post("/v1/lockdown", "sue", body).status_code == 204
    assert signs_in(world, "dora").status_code == 503
    assert command("--end", who=("dora", "adi")).exit_code == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/auth/enrolments"),
        ("POST", "/v1/auth/passphrase"),
        ("GET", "/v1/feeds/" + "M" * 64 + ".ics"),
        ("GET", "/readyz"),
        ("GET", "/openapi.json"),
        ("GET", "/no/such/route"),
    ],
)
def test_a_running_service_answers_nothing(world, command, method, path):
    """Neither enrolment nor recovery codes nor feeds; only that it lives. Afterwards all again."""
    before = world.client.request(method, path).status_code
    assert before != 503
    assert command("--yes", who=("sue",)).exit_code == 0
    answer = world.client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (503, "lockdown")
    assert world.get("/livez").status_code == 200
    assert command("--end", who=("sue", "dora")).exit_code == 0
    assert world.client.request(method, path).status_code == before
