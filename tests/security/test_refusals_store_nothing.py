"""What is refused changes nothing: a digest over all tables of both stores stays what it was.

Only the ledger grows (`stored.LEDGER`), and a session may remember when its person was last seen
(`stored.SEEN`). Refused here: bad bodies, other types, unknown fields, old versions, unknown and
foreign ids, people without the role or the key, and what the state of a case forbids.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import update

from casevault.domain.staff.access import RULES, Role
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables
from tests.api.world import REFERRER, a_login, a_passphrase, an_identity, unknown_id
from tests.security.interface import (
    CASE,
    Ask,
    Stage,
    operations,
    refused_by_content,
    request_for,
    send,
)
from tests.security.stored import changed, digests

# What people typed so far is kept as they typed it: only the names of fields are checked.
AS_TYPED = {"save_draft", "change_draft"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(request, worlds):
    """Give a world; the gate walks the interface on one database."""
    return worlds(request.param)


@pytest.fixture
def stage(world):
    """Open a case of cara's."""
    return Stage.opened(world)


@pytest.fixture(scope="module")
def mute(worlds):
    """Give a referrer of each world: signed in, and without any right to read."""
    made = {}

    def get(world):
        if world.kind not in made:
            made[world.kind] = world.person(roles=("referrer",), team=None, by="dora")
        return made[world.kind]

    return get


def leaves(value, at=()):
    """Yield the places of all texts in a body."""
    if isinstance(value, str):
        yield at
    for name, one in value.items() if isinstance(value, dict) else ():
        yield from leaves(one, (*at, name))
    for place, one in enumerate(value) if isinstance(value, list) else ():
        yield from leaves(one, (*at, place))


def replaced(value, at, new):
    """Return a body with something else at a place."""
    if not at:
        return new
    head, *rest = at
    if isinstance(value, dict):
        return {**value, head: replaced(value[head], rest, new)}
    return [replaced(one, rest, new) if n == head else one for n, one in enumerate(value)]


def bad_bodies(operation, ask):
    """Yield what differs from a valid request by one fault of its body."""
    body = ask.body
    yield {"ask": replace(ask, body=[body])}
    yield {"ask": replace(ask, body="text")}
    yield {"ask": replace(ask, body={**body, "id": unknown_id()})}
    yield {"ask": replace(ask, body={**body, "unknown": 1})}
    headers = {"Content-Type": "application/json"}
    for raw in (b"", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xef\xbb\xbf{}", b'{"a": 1e999}'):
        yield {"ask": replace(ask, body=None), "content": raw, "headers": headers}
    yield {"ask": replace(ask, body=None), "content": b"{}", "headers": {"Content-Type": "a/b"}}
    if operation.id not in AS_TYPED:
        for at in leaves(body):
            for wrong in ({"x": 1}, 7, "x" * 30_000, "\u202e\n"):
                yield {"ask": replace(ask, body=replaced(body, at, wrong))}


def faults(operation, stage, ask, mute):
    """Yield requests that differ from a valid one by one fault, and who sends them."""
    by = operation.who
    if ask.body is not None:
        yield from ({**fault, "by": by} for fault in bad_bodies(operation, ask))
    if operation.header("If-Match"):
        for etag in (None, '"v77"', "W/*", '"v0"'):
            yield {"ask": replace(ask, etag=etag), "by": by}
    for name in operation.parameters:
        for wrong in ("no-uuid", "00000000-0000-0000-0000-000000000000"):
            yield {"ask": replace(ask, ids={**ask.ids, name: wrong}), "by": by}
    if any(p["name"] == "cursor" for p in operation.schema["parameters"]):
        yield {"ask": replace(ask, query={**ask.query, "cursor": "forged"}), "by": by}
    if by is not None:
        yield {"ask": ask, "by": None}
        yield {"ask": ask, "by": None, "headers": {"Authorization": "Bearer " + "A" * 70}}
        rule = RULES[operation.permission]
        if not rule.anyone and Role.REFERRER not in rule.roles:
            yield {"ask": replace(ask, token=None), "by": mute}
    if operation.of_case:
        yield {"ask": ask, "by": "stra"}
        yield {"ask": ask, "by": "sofia"}


def sent(world, operation, stage, fault):
    """Send a faulty request."""
    fault = dict(fault)
    ask = fault.pop("ask")
    case = ask.ids.get(CASE, stage.case)
    ids = {name: value for name, value in ask.ids.items() if name != CASE}
    there = Stage(world, stage.holder, case)
    return send(world, operation, there, replace(ask, ids=ids), fault.pop("by"), **fault)


def taken(world, operation, stage, found):
    """Send what must be refused; return what was not."""
    wrong = []
    for number, fault in enumerate(found):
        answer = sent(world, operation, stage, fault)
        if not 400 <= answer.status_code < 500:
            wrong.append(f"{operation.name}, fault {number}: {answer.status_code}: {fault}")
    return wrong


def signed_in(world, people):
    """Let people sign in before anything is compared."""
    for login in people:
        world.token(login)


def test_a_refused_request_changes_nothing(world, stage, mute):
    """Every operation, with every fault of its own."""
    wrong, count, asked = [], 0, []
    signed_in(world, ("stra", "sofia", "cara", "sue", "ada", "adi", "dora", REFERRER, mute(world)))
    for operation in operations(world.client):
        stage.by = operation.who or "cara"
        asked.append((operation, request_for(operation, stage)))
    after = digests(world.vault)
    for operation, ask in asked:
        before, found = after, list(faults(operation, stage, ask, mute(world)))
        count += len(found)
        wrong += taken(world, operation, stage, found)
        after = digests(world.vault)
        if names := changed(before, after):
            wrong.append(f"{operation.name}: refusals changed {names}")
    assert not wrong, "\n".join(wrong)
    assert count > 500


def test_what_the_state_of_a_case_forbids_changes_nothing(world, stage):
    """Twice the same link, an absent passage, the refused colleague, the status that is."""
    asked = list(refused_by_content(world, stage))
    assert len(asked) >= 6
    before = digests(world.vault)
    for operation, where, ask, by in asked:
        answer = send(world, operation, where, ask, by)
        assert 400 <= answer.status_code < 500, operation.name
    assert changed(before, digests(world.vault)) == []


def test_what_rules_about_people_forbid_changes_nothing(world):
    """Roles that exclude each other, a login twice, a wrong fingerprint, code or passphrase."""
    login, code = a_login(), world.add(a_login())
    assert world.add(login)
    staff = {"name": "Made up", "login": login, "roles": ["caseworker"], "team": world.team()}
    case = world.open("sue")
    wish = {"content": {"to": "Closed", "reason": "made up"}}
    closing = world.post(f"/v1/cases/{case}/transitions", "sue", wish).json()["id"]
    key = {"Idempotency-Key": uuid4().hex}
    body = {"identity": an_identity()}
    assert world.post("/v1/cases", "cara", body, headers=key).status_code == 201
    other = {"identity": an_identity("Another Madeup")}
    many = {"cases": [body, {"identity": {"name_to_use": ""}}]}
    fingerprint = {"staff_id": world.staff["uma"], "fingerprint": "0" * 32}
    requests = [
        ("/v1/staff", "adi", staff),
        ("/v1/staff", "adi", {**staff, "login": a_login(), "roles": ["auditor", "reporter"]}),
        ("/v1/staff", "adi", {**staff, "login": a_login(), "team": None}),
        ("/v1/staff", "adi", {**staff, "login": a_login(), "team": unknown_id()}),
        ("/v1/vouches", "sue", fingerprint),
        ("/v1/vouches", "sue", {**fingerprint, "staff_id": world.staff["sue"]}),
        ("/v1/vouches", "sid", fingerprint),
        ("/v1/auth/enrolments", None, {"code": code, "passphrase": "short"}),
        ("/v1/auth/enrolments", None, {"code": code[::-1], "passphrase": a_passphrase()}),
        ("/v1/auth/sessions", None, {"login": "cara", "passphrase": a_passphrase()}),
        ("/v1/auth/sessions", None, {"login": a_login(), "passphrase": a_passphrase()}),
        ("/v1/cases/batch", "cara", many),
        ("/v1/cases", "cara", {**body, "team": world.team("South team (made up)")}),
        ("/v1/cases", "cara", {**body, "retention_class": "for-ever"}),
        (f"/v1/cases/{case}/transitions/{closing}/decision", "sue", {"approve": True}),
    ]
    before = digests(world.vault)
    for path, by, content in requests:
        answer = world.post(path, by, content)
        assert 400 <= answer.status_code < 500, (path, answer.status_code)
    assert world.post("/v1/cases", "cara", other, headers=key).status_code == 409
    assert changed(before, digests(world.vault)) == []


def test_a_refusal_that_writes_is_found(worlds, monkeypatch, mute):
    """A gate that counts refusals in a table of its own leaves something behind."""
    world = worlds("sqlite")
    stage, deny = Stage.opened(world), Gate.deny
    table = keyring_tables.keyring_trust

    def counting(gate, *args):
        with world.vault.stores.keyring.database.writing() as connection:
            connection.execute(update(table).values(version=table.c.version + 1))
        deny(gate, *args)

    (read,) = (one for one in operations(world.client) if one.id == "read_identity")
    found = [{"ask": Ask(), "by": mute(world)}]
    signed_in(world, ("cara", mute(world)))
    before = digests(world.vault)
    assert taken(world, read, stage, found) == []
    assert changed(before, digests(world.vault)) == []
    monkeypatch.setattr(Gate, "deny", counting)
    assert taken(world, read, stage, found) == []
    assert changed(before, digests(world.vault)) == ["keyring_trust"]
    (line,) = taken(world, read, stage, [{"ask": Ask(), "by": "cara"}])
    assert "fault 0: 200" in line
