"""Every id in an address is resolved through what stands before it.

The id of a record of another case of the same person, put under this case, is answered like an id
that nothing has; so is a record of another kind. Generated from the OpenAPI document: a new nested
id is covered, or fails for want of an example request.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi import FastAPI, Response
from starlette.testclient import TestClient

from casevault.errors import NotFound
from tests.api.world import ORIGIN, unknown_id
from tests.security import interface
from tests.security.interface import Ask, Operation, Stage, operations, request_for, send
from tests.security.matrix import compared
from tests.security.stored import changed, digests

# Ids that stand under no case, and through what they are resolved.
ELSEWHERE = {
    "staff_id": "the directory of colleagues is for everybody in it",
    "draft_id": "its author: see below",
    "position": "a place in the log: its leaf is for everybody, tests/api/test_oversight.py",
    "approval_id": "whoever may decide any; whose word counts: tests/api/test_approvals.py",
    "break_glass_id": "the DPO reviews any: tests/api/test_break_glass.py",
    "entry_id": "the register is for everybody who may read it: tests/api/test_register.py",
    "session_id": "of the caller: tests/api/test_own_sessions.py",
    "alert_id": "whoever audits: sealed to their group, tests/api/test_alerts.py",
    "period": "a period of time: tests/api/test_register.py",
    "partner_id": "the directory is for everybody who may read it: tests/api/test_partners.py",
    "page_id": "opens with the code of its letter: tests/api/test_referrals.py",
    "arrival_id": "who opens the team's inbox: tests/api/test_inbox.py, test_team_referrals.py",
    "letter_id": "of the caller's team: tests/api/test_exchange.py",
    "deadline_id": "the DPO reviews any: tests/api/test_consents.py",
    "hold_id": "the DPO reviews and releases any: tests/api/test_retention.py",
    "right_id": "the DPO decides any, supervisors see their team's: tests/api/test_rights.py",
    "complaint_id": "the DPO answers any: tests/api/test_rights.py",
    "restriction_id": "the DPO lifts any: tests/api/test_rights.py",
    "certificate_id": "written to be shown to anybody: tests/api/test_retention.py",
    "access_request_id": "who holds the case of it: tests/api/test_access_requests.py",
    "reference": "a case of the own team: tests/api/test_access_requests.py",
    "transfer_id": "whoever supervises the team it is to: tests/api/test_transfers.py",
    "team_id": "of the supervisor's own team: tests/api/test_break_glass.py",
    "token": "an id and the key by which it opens: tests/api/test_feeds.py",
    "release_id": "whoever may read releases: tests/api/test_release_life.py",
    "name": "a file of a release",
    "form": "the name of a form, the same for everybody",
}


@pytest.fixture
def pair(sqlite_world):
    """Open two cases of cara's."""
    return Stage.opened(sqlite_world), Stage.opened(sqlite_world)


def nested(client) -> list[Operation]:
    """Return every operation with an id below a case."""
    return [operation for operation in operations(client) if operation.nested]


def strays(world, operation, mine, ask):
    """Return how an id from elsewhere is answered differently from an unknown one."""
    unknown = replace(ask, ids=dict.fromkeys(ask.ids, unknown_id()))
    found = send(world, operation, mine, ask, operation.who)
    expected = send(world, operation, mine, unknown, operation.who)
    if expected.status_code != 404:
        return [f"{operation.name}: an unknown id is {expected.status_code}"]
    if compared(found) != compared(expected):
        return [f"{operation.name}: an id from elsewhere is {found.status_code}, not like unknown"]
    return []


def test_an_id_of_another_case_is_unknown_here(sqlite_world, pair):
    """Read, correct, redact, delete, decide: nothing of the other case answers or changes."""
    mine, other = pair
    wrong = []
    found = nested(sqlite_world.client)
    asks = [request_for(operation, other) for operation in found]
    before = digests(sqlite_world.vault)
    for operation, ask in zip(found, asks, strict=True):
        wrong += strays(sqlite_world, operation, mine, ask)
    if names := changed(before, digests(sqlite_world.vault)):
        wrong.append(f"an id from elsewhere changed {names}")
    assert not wrong, "\n".join(wrong)
    assert len(found) >= 12
    for operation in found:
        # Such a request is right in all but the case.
        there = send(sqlite_world, operation, other, request_for(operation, other), operation.who)
        assert there.status_code < 300, (operation.name, there.text)


def test_an_id_of_another_kind_is_unknown(sqlite_world, pair):
    """A note is no service, no link and no closing that waits, in its own case either."""
    mine, _ = pair
    found = [one for one in nested(sqlite_world.client) if one.nested == ["record_id"]]
    rows = {}
    for operation in found:
        kind = operation.path.split("/")[4]
        rows[kind] = request_for(operation, mine).ids["record_id"]
    assert len(rows) >= 6
    wrong = []
    for operation in found:
        ask = request_for(operation, mine)
        for kind, row in rows.items():
            if kind != operation.path.split("/")[4]:
                wrong += strays(sqlite_world, operation, mine, replace(ask, ids={"record_id": row}))
    assert not wrong, "\n".join(wrong)


def test_every_other_id_says_through_what_it_is_resolved(sqlite_world):
    """A new kind of id outside a case needs a line in this file, and a test if it is owned."""
    found = {
        name
        for operation in operations(sqlite_world.client)
        if not operation.of_case
        for name in operation.parameters
    }
    assert found == ELSEWHERE.keys()


def test_a_draft_of_somebody_else_is_unknown(sqlite_world):
    """Whoever wrote it is its parent."""
    hers = Stage(sqlite_world, None, by="cara")
    wrong = []
    found = [one for one in operations(sqlite_world.client) if "draft_id" in one.parameters]
    for operation in found:
        ask = request_for(operation, hers)
        theirs = send(sqlite_world, operation, hers, ask, "colin")
        unknown = replace(ask, ids={"draft_id": unknown_id()})
        if compared(theirs) != compared(send(sqlite_world, operation, hers, unknown, "colin")):
            wrong.append(operation.name)
        assert send(sqlite_world, operation, hers, ask, "cara").status_code < 300
    assert not wrong, "\n".join(wrong)
    assert len(found) >= 3


# --- planted violations --------------------------------------------------------------------------


def planted(world, by_parent, monkeypatch):
    """Return a world with one nested id, resolved through its parent or through nothing."""
    app, kept = FastAPI(), {}

    @app.get(
        "/v1/cases/{case_id}/planted/{planted_id}",
        operation_id="read_planted",
        openapi_extra={"x-permission": "case:read"},
    )
    def read_planted(case_id: str, planted_id: str, response: Response):
        response.headers["X-Request-Id"] = "the same"
        known = kept.get(planted_id) == case_id if by_parent else planted_id in kept
        response.status_code = 200 if known else 404
        return {"code": "found" if known else NotFound().code}

    monkeypatch.setitem(
        interface.VALID, "read_planted", lambda stage: Ask(ids={"planted_id": kept_for(stage)})
    )

    def kept_for(stage):
        kept.setdefault("the row", stage.case)
        return "the row"

    client = TestClient(app, base_url=ORIGIN)
    document = client.get("/openapi.json").json()["paths"]
    ((path, methods),) = document.items()
    operation = Operation("read_planted", "GET", path, interface.Permission.CASE_READ, methods)
    return replace(world, client=client, _tokens={"cara": "a token"}), operation


@pytest.mark.parametrize("by_parent", [True, False])
def test_an_id_that_is_found_without_its_case_is_found(sqlite_world, monkeypatch, by_parent):
    """A small broken application: it looks the record up and forgets the case."""
    world, operation = planted(sqlite_world, by_parent, monkeypatch)
    mine, other = Stage(world, None, unknown_id()), Stage(world, None, unknown_id())
    wrong = strays(world, operation, mine, request_for(operation, other))
    assert bool(wrong) is not by_parent


def test_a_nested_id_without_an_example_is_found(sqlite_world, pair, monkeypatch):
    """The sentence says where the example belongs."""
    monkeypatch.delitem(interface.VALID, "read_note")
    (read,) = (one for one in nested(sqlite_world.client) if one.id == "read_note")
    with pytest.raises(AssertionError, match="has no example request"):
        request_for(read, pair[0])
