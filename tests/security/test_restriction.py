"""While a case is frozen at the survivor's request, nothing that writes to it goes through.

Generated from the OpenAPI document: a new operation on a case is refused, or is listed in
`domain.case.restricting` with the reason why it is not.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from casevault.domain.case import casefile
from casevault.domain.case.restricting import ALLOWED, EXCEPTIONS
from casevault.domain.staff.access import RULES
from casevault.store.case import cases
from casevault.store.casework import holding
from tests.api.test_rights import freeze, lift
from tests.security.interface import CASE, NOTE, Ask, Stage, operations, request_for, send

# Operations whose requests go on, beside the permissions in ALLOWED: by name, or as said here.
NOT_OF_ITS_CONTENT = {"ask_access": "it gives nothing by itself"}


def writing(client):
    """Return the operations that write to one case."""
    found = [one for one in operations(client) if one.of_case and RULES[one.permission].writes]
    assert len(found) > 25, "the document must name the operations"
    return found


def free(operation):
    """Say whether a restriction lets an operation through."""
    listed = EXCEPTIONS.keys() | NOT_OF_ITS_CONTENT.keys()
    return operation.id in listed or operation.permission in ALLOWED


def passed(world, stage, asks):
    """Return the operations that a frozen case did not refuse."""
    found = []
    for operation, ask in asks:
        answer = send(world, operation, stage, ask, operation.who)
        if (answer.status_code, answer.json().get("code")) != (409, "case.restricted"):
            found.append(f"{operation.name}: {answer.status_code} {answer.text[:200]}")
    return found


def asked(operation, stage):
    """Return a request about this case, also where the example is about one of its own."""
    ask = request_for(operation, stage)
    return replace(ask, ids={name: one for name, one in ask.ids.items() if name != CASE})


@pytest.fixture
def stage(sqlite_world):
    """Open a case, and make in it what the requests are about."""
    return Stage.opened(sqlite_world)


def test_a_frozen_case_refuses_every_change_and_is_still_read(sqlite_world, stage):
    """Everything that writes and is no exception; reading goes on; lifted, it is used again."""
    world, client = sqlite_world, sqlite_world.client
    asks = [(one, asked(one, stage)) for one in writing(client) if not free(one)]
    # Without a restriction they are not refused by one: the first would be as good as any.
    frozen = freeze(world, stage.case)
    assert passed(world, stage, asks) == []
    for path in ("", "/identity", "/notes", "/timeline", "/access"):
        assert world.get(stage.at + path, "cara").status_code == 200, path
    assert lift(world, frozen["id"]).status_code == 204
    note = next((one, ask) for one, ask in asks if one.id == "add_note")
    (first,) = passed(world, stage, [note])
    assert first.startswith("POST /v1/cases/{case_id}/notes: 201")


def test_what_protects_the_person_goes_on(sqlite_world, stage):
    """A consent is withdrawn, a referral called back, a colleague refused, the contact mended."""
    world = sqlite_world
    by_id = {one.id: one for one in operations(world.client)}
    names = ("withdraw_consent", "refuse_staff")
    asks = [(by_id[name], request_for(by_id[name], stage)) for name in names]
    freeze(world, stage.case)
    for operation, ask in asks:
        answer = send(world, operation, stage, ask, operation.who)
        assert answer.status_code < 300, (operation.name, answer.text)
    shown = world.get(stage.at + "/identity", "cara")
    for change, status in (
        ({"safe_contact": {"who": "A made-up aunt"}}, 204),
        ({"name_to_use": "Other Made-up"}, 409),
    ):
        content = {**shown.json(), **change}
        tag = world.get(stage.at + "/identity", "cara").headers["etag"]
        answer = world.put(stage.at + "/identity", "cara", content, tag)
        assert answer.status_code == status, answer.text


def test_an_older_row_put_back_ends_no_restriction(sqlite_world, stage):
    """The keyring counts: whoever writes to the database, or was cut off, frees nothing."""
    world, stores = sqlite_world, sqlite_world.vault.stores
    freeze(world, stage.case)
    with stores.data.writing() as connection:
        found = cases.find_case(connection, stores.roots, UUID(stage.case), lock=True)
        older = casefile.next_version(replace(found, restriction=False))
        cases.change_case(connection, stores.roots, older)
    assert world.get(stage.at, "cara").json()["restriction"] is False
    note = world.post(stage.at + "/notes", "cara", {"content": NOTE})
    assert note.json()["code"] == "case.restricted"
    # Whoever comes next puts right what shows.
    holding.show(stores, UUID(stage.case))
    assert world.get(stage.at, "cara").json()["restriction"] is True


def test_the_check_can_fail(sqlite_world, stage):
    """On a case that is not frozen, a change goes through and is found."""
    by_id = {one.id: one for one in operations(sqlite_world.client)}
    note = by_id["add_note"], Ask(body=request_for(by_id["add_note"], stage).body)
    assert passed(sqlite_world, stage, [note])
