"""Whoever reads or changes anything personal is on the ledger before the answer leaves.

Refusals too. When the ledger cannot be written, the answer is 503 and holds nothing.
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import replace

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import func, select

from casevault.domain.staff.access import RULES
from casevault.store.context import intents
from casevault.store.engine import tables
from casevault.store.log import ledger_reading
from casevault.store.log.ledger import Act, Actor, Ledger
from tests.api.world import ORIGIN, a_passphrase, unknown_id
from tests.asgi import Client
from tests.peer import Peer
from tests.security.interface import (
    Ask,
    Stage,
    operations,
    refused_by_content,
    request_for,
    send,
)
from tests.security.stored import changed, digests, unwritable_ledger

# Operations that touch nothing about anybody, each with the reason.
EXEMPT = {
    "read_liveness": "says that the process runs, and asks no store",
    "read_readiness": "booleans about the installation",
    "read_openapi": "the interface itself, the same for everybody",
    "read_docs": "the interface itself, as a page",
    "read_docs_style": "a style sheet",
    "read_vocabulary": "code lists, the same for everybody",
    "propose_passphrase": "random words that nobody keeps",
    "read_form": "a blank form, the same for everybody",
    "print_form": "a blank form, the same for everybody",
    "read_form_style": "a style sheet",
    "show_collect_page": "asks for a code, and says nothing else",
}
# What may be written although it could not be recorded, each with the reason.
KEYS_FIRST = {
    "open_case": ["access_grant", "access_grant_key", "card_keys", "case_key"],
    "open_cases": ["access_grant", "access_grant_key", "card_keys", "case_key"],
    "save_draft": ["access_grant", "access_grant_key"],
    "make_feed": ["access_grant", "access_grant_key"],
    "open_review": ["access_grant", "access_grant_key"],
    "draw_sample": ["access_grant", "access_grant_key"],
    "sign_off": ["access_grant", "access_grant_key"],
    "release_looks": ["access_grant", "access_grant_key"],
    "release_counts": ["access_grant", "access_grant_key"],
    # The sealed reason of an extension that did not come about: it moves no date.
    "extend_case": ["access_grant", "access_grant_key", "matter"],
    # Power is taken first and recorded until it is; the intent remembers that it must be.
    "end_session": ["intent", "session"],
    "set_hold": ["access_grant", "access_grant_key", "deadline", "intent", "matter"],
    "set_restriction": ["access_grant", "access_grant_key", "deadline", "intent", "matter"],
    "review_hold": ["deadline", "intent", "matter"],
    "end_sessions": ["intent", "session"],
    "end_other_session": ["intent", "session"],
    "suspend_staff": ["intent", "session", "staff"],
    "reset_staff": [
        "access_grant",
        "access_grant_key",
        "enrolment",
        "envelope",
        "intent",
        "keyring_trust",
        "revocation",
        "second_factor",
        "session",
    ],
    "depart_staff": [
        "access_grant",
        "access_grant_key",
        "envelope",
        "intent",
        "second_factor",
        "session",
    ],
    "revoke_case": ["access_grant", "access_grant_key", "case_key", "intent"],
    "transfer_case": [
        "access_grant",
        "access_grant_key",
        "card_keys",
        "case_key",
        "intent",
    ],
    "decline_case": [
        "access_grant",
        "access_grant_key",
        "card_keys",
        "case_key",
        "intent",
    ],
    # A guess is counted before it is looked at, and taken back.
    "open_collect_page": ["collect_page"],
    # What a withdrawn consent stops is stopped at once.
    "withdraw_consent": ["collect_page"],
    "delete_draft": ["access_grant", "access_grant_key", "intent"],
    "end_feed": ["access_grant", "access_grant_key", "intent"],
}


class Observed:
    """The application, and how large the ledger was when each answer began to leave."""

    def __init__(self, app, vault):
        self._app, self._vault = app, vault
        self.size = -1

    async def __call__(self, scope, receive, send):
        async def sending(message):
            if message["type"] == "http.response.start":
                self.size = entries(self._vault)
            await send(message)

        await self._app(scope, receive, sending)


def entries(vault):
    """Return how many entries are durable."""
    with vault.stores.data.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.ledger_entry)).scalar()


def observed(world, app=None):
    """Return the world behind an observer, and the observer."""
    watch = Observed(app or world.client.app, world.vault)
    client = Client(watch, ORIGIN, world.client.portal)
    return replace(world, client=client), watch


def names_request(world, request_id):
    """Say whether one of the newest entries names a request."""
    stores = world.vault.stores
    for _ in range(40):
        world.vault.caretaker.integrate()
        with stores.data.reading() as connection:
            found = ledger_reading.entries(
                connection,
                stores.roots,
                stores.organisation,
                stores.months.current(),
                limit=10,
            )
        if any(entry.body.request == request_id for entry in found):
            return True
        if stores.data.is_sqlite:
            return False
        # Another integrator may be at work on it at this moment.
        time.sleep(0.05)
    return False


def silent(world, asked):
    """Send requests; return those that were answered before they were on the ledger."""
    watched, watch = observed(world)
    found = []
    for operation, stage, ask, by in asked:
        before = entries(world.vault)
        answer = send(watched, operation, stage, ask, by)
        name = f"{operation.name} by {by}: {answer.status_code}"
        if watch.size <= before:
            found.append(f"{name} was answered before anything was recorded")
        elif not names_request(world, answer.headers["x-request-id"]):
            found.append(f"{name} is on the ledger without the id of its request")
    return found


def personal(world):
    """Return every operation that is not exempt."""
    found = operations(world.client)
    assert EXEMPT.keys() <= {operation.id for operation in found}, "an exemption is out of date"
    return [operation for operation in found if operation.id not in EXEMPT]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(request, worlds):
    """Give a world; the gate walks the interface on one database, the nightly run on both."""
    return worlds(request.param)


@pytest.fixture
def stage(world):
    """Open a case of cara's."""
    return Stage.opened(world)


def test_every_operation_that_is_allowed_is_recorded(world, stage):
    """One valid request per operation by somebody who may do it."""
    asked = (
        (operation, stage, request_for(operation, replace_by(stage, operation)), operation.who)
        for operation in personal(world)
    )
    found = silent(world, asked)
    assert not found, "\n".join(found)


def replace_by(stage, operation):
    """Return the stage as the person sees it who will send the request."""
    stage.by = operation.who or stage.holder
    return stage


@pytest.fixture(scope="module")
def mute(worlds):
    """Give a referrer of each world: signed in, and without any right to read."""
    made = {}

    def get(world):
        if world.kind not in made:
            made[world.kind] = world.person(roles=("referrer",), team=None, by="dora")
        return made[world.kind]

    return get


def test_every_refusal_is_recorded(world, stage, mute):
    """By role, for want of a key, and for a case that does not exist."""
    unknown = Stage(world, None)
    asked = []
    for operation in personal(world):
        if operation.who is None:
            continue
        ask = request_for(operation, replace_by(stage, operation))
        asked.append((operation, stage, replace(ask, token=None), mute(world)))
        if operation.of_case:
            asked.append((operation, stage, ask, "stra"))
            asked.append((operation, unknown, request_for(operation, unknown), "cara"))
    asked = [each for each in asked if not RULES[each[0].permission].anyone]
    found = silent(world, asked)
    assert not found, "\n".join(found)


def test_wrong_credentials_are_recorded(world, stage):
    """Guessing leaves a trace: passphrases, one-time codes, addresses of feeds; so do vaults that
    nobody pinned."""
    wrong = {
        # Of an account and minute the first is recorded at once, the others with their count.
        "create_session": {"login": world.person(), "passphrase": "not the made-up words"},
        "complete_enrolment": {"code": secrets.token_hex(10), "passphrase": a_passphrase()},
        "restore_passphrase": {
            "login": world.person(),
            "code": "no",
            "passphrase": a_passphrase(),
        },
    }
    asks = {name: Ask(body=body) for name, body in wrong.items()}
    asks["read_feed"] = Ask(ids={"token": "M" * 64})
    asks["open_collect_page"] = Ask(ids={"page_id": unknown_id()}, body={"code": "0"})
    answer = {"ticket": "0", "answer": "accepted"}
    asks["answer_collect_page"] = Ask(ids={"page_id": unknown_id()}, body=answer)
    stranger = Peer(world)
    message = base64.b64encode(stranger.said(stranger.question())).decode()
    asks["receive_vault_message"] = Ask(body={"message": message})
    public = [operation for operation in personal(world) if operation.who is None]
    assert {operation.id for operation in public} == asks.keys()
    found = silent(world, [(one, stage, asks[one.id], None) for one in public])
    assert not found, "\n".join(found)


def test_a_refused_change_of_a_case_is_recorded(world, stage):
    """A record that is not there, an old version: the answer tells something about the case."""
    asked = list(refused_by_content(world, stage))
    part = world.person()
    assert world.assign(stage.case, part, compartments=["identity"]).status_code == 204
    for operation in personal(world):
        ask = request_for(operation, replace_by(stage, operation))
        if operation.of_case:
            asked.append((operation, stage, ask, part))
        if operation.nested:
            ids = dict.fromkeys(operation.nested, unknown_id())
            asked.append((operation, stage, replace(ask, ids=ids), operation.who))
        if operation.of_case and ask.etag is not None:
            asked.append((operation, stage, replace(ask, etag='"v77"'), operation.who))
    found = silent(world, asked)
    assert not found, "\n".join(found)


def unrecorded(world, asked):
    """Send requests while the ledger cannot be written; return what went wrong."""
    found = []
    asked = [(*each, each[3] and world.token(each[3])) for each in asked]
    with unwritable_ledger(world.vault):
        after = digests(world.vault)
        for operation, stage, ask, by, _signed_in in asked:
            before = after
            answer = send(world, operation, stage, ask, by)
            name = f"{operation.name} by {by}"
            if answer.status_code != 503:
                found.append(f"{name} was answered with {answer.status_code}")
            elif answer.json()["type"] != "/problems/unrecorded":
                found.append(f"{name} was answered with {answer.json()['code']}")
            elif answer.json().keys() - {"type", "title", "status", "detail", "code", "instance"}:
                found.append(f"{name} holds more than the refusal")
            if by != operation.who:
                # The next digest would tell.
                continue
            after = digests(world.vault)
            tables = changed(before, after)
            if tables and tables != KEYS_FIRST.get(operation.id):
                found.append(f"{name} changed {tables}")
    # What was begun is recorded now, rather than in the midst of another test.
    with world.later(seconds=intents.LEFT_BEHIND_SECONDS + 1):
        intents.finish_all(world.vault.stores)
    return found


def test_nothing_is_answered_that_cannot_be_recorded(world, stage, mute):
    """Every operation, by somebody who may and by somebody who may not: 503, and no data."""
    asked = []
    for operation in personal(world):
        ask = request_for(operation, replace_by(stage, operation))
        asked.append((operation, stage, ask, operation.who))
        if operation.who and not RULES[operation.permission].anyone:
            asked.append((operation, stage, replace(ask, token=None), mute(world)))
    found = unrecorded(world, asked)
    assert not found, "\n".join(found)
    assert world.get(stage.at, "cara").status_code == 200


# --- planted violations --------------------------------------------------------------------------


def test_a_use_case_that_does_not_record_is_found(sqlite_world, monkeypatch):
    """Without `record`, reading is silent, and answers although the ledger is full."""
    stage = Stage.opened(sqlite_world)
    read = next(one for one in operations(sqlite_world.client) if one.id == "read_identity")
    monkeypatch.setattr(Ledger, "record", lambda *_: None)
    asked = [(read, stage, Ask(), "cara")]
    assert "before anything was recorded" in silent(sqlite_world, asked)[0]
    assert "was answered with 200" in unrecorded(sqlite_world, asked)[0]


def test_recording_after_the_answer_is_found(sqlite_world):
    """What follows `yield` in a dependency runs when the answer has left."""
    ledger = sqlite_world.vault.stores.ledger
    app = FastAPI()

    def late():
        yield
        ledger.record(Act("staff.list", Actor(roles=("service",))))

    @app.get("/planted", dependencies=[Depends(late)])
    def planted() -> dict[str, bool]:
        return {"late": True}

    watched, watch = observed(sqlite_world, app)
    before = entries(sqlite_world.vault)
    assert watched.get("/planted").status_code == 200
    assert watch.size == before
    assert entries(sqlite_world.vault) == before + 1
