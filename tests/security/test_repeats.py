"""A request that is sent twice, because its answer was lost, makes nothing twice.

Every operation that makes something takes an Idempotency-Key, or is listed here with the reason
why a second request does no harm.
"""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.security.interface import Stage, operations, request_for, send
from tests.security.stored import changed, digests

HEADER = "Idempotency-Key"
# Operations that answer 201 and take no key, each with the reason.
HARMLESS = {
    "add_staff": "a login is given once: the second request is refused",
    "ask_access": "who asked and waits is refused a second time",
    "ask_counted_import": "a wish that nobody approved does nothing, and ends by itself",
    "ask_erasure": "a wish that nobody approved does nothing, and ends by itself",
    "ask_hold_release": "a wish that nobody approved does nothing, and ends by itself",
    "ask_right": "what was asked for and is not done is refused a second time",
    "ask_recovery": "a wish that nobody approved does nothing, and ends by itself",
    "break_glass": "who asked and waits is refused a second time",
    "complete_enrolment": "the one-time code is used up",
    "confirm_second_factor": "what is confirmed is not there to be confirmed again",
    "create_session": "the second factor's code is used up, and an idle session ends",
    "give_cover": "whoever covers already is given nothing more",
    "issue_vouch": "it says the same of the same keys",
    "make_feed": "a new address replaces the one before",
    "make_recovery_code": "a new code replaces the one before",
    "merge_inbox_entry": "what was placed is not in the inbox any more",
    "pack_referral": "a referral that left is not packed again",
    "print_codes": "the printed code that asks for new ones is used up",
    "propose_schedule": "a wish that nobody approved does nothing, and ends by itself",
    "propose_second_factor": "a new secret replaces the one that was not confirmed",
    "receive_right": "what was asked for and is not done is refused a second time",
    "send_complaint": "two complaints: the DPO answers either",
    "ask_partner_vault": "two questions about one person who is not named: either is answered",
    "send_referral_to_vault": "what has left is not there to be sent again; it arrives once",
    "send_referral": "what has left is not there to be sent again",
    "set_hold": "the case is kept until both holds are released",
    "set_restriction": "the case is frozen until both are lifted",
    "sign_off": "a second note of the same days: both are kept, both verify",
    "submit_intake": "two intakes of one person: the team declines one as a duplicate",
    "take_over_inbox_entry": "what was placed is not in the inbox any more",
    "transfer_case": "who gave a case away does not find it any more",
    "unpack_package": "a package is opened once: the second time it is refused",
}


def made_by(client):
    """Return the operations that make something."""
    return [
        one
        for one in operations(client)
        if one.method == "POST" and "201" in one.schema["responses"]
    ]


def unprotected(found):
    """Return in sentences what would be made twice, and which reasons are out of date."""
    without = {one.id for one in found if not one.header(HEADER)}
    lines = [
        f"{name} makes something and takes no {HEADER}: let it take OnceCaller, or say why not"
        for name in sorted(without - HARMLESS.keys())
    ]
    gone = sorted(HARMLESS.keys() - without)
    return lines + [f"{name} takes the key or is gone: its reason is out of date" for name in gone]


def test_whatever_makes_something_takes_a_key(sqlite_world):
    """Or is listed with a reason."""
    assert unprotected(made_by(sqlite_world.client)) == []


def test_an_operation_without_a_key_is_found(sqlite_world):
    """The test can fail: a route that forgot it, and a reason that nobody needs any more."""
    found = made_by(sqlite_world.client)
    fewer = [one for one in found if one.id != "make_feed"]
    assert unprotected(fewer) == ["make_feed takes the key or is gone: its reason is out of date"]
    (note,) = (one for one in found if one.id == "add_note")
    bare = replace(note, id="add_planted", schema={**note.schema, "parameters": []})
    (line,) = unprotected([*found, bare])
    assert line.startswith("add_planted makes something")


def said(answer):
    """Return what a repeated answer must be equal in."""
    return answer.status_code, *(answer.headers.get(name) for name in ("location", "etag"))


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_request_that_comes_twice_makes_nothing_twice(worlds, kind):
    """The same status, address, version and id; both stores are what they were."""
    world, wrong, count = worlds(kind), [], 0
    for operation in made_by(world.client):
        if not operation.header(HEADER):
            continue
        stage = Stage.opened(world, by=operation.who)
        ask, headers = request_for(operation, stage), {HEADER: uuid4().hex}
        by = operation.who
        first = send(world, operation, stage, ask, by, headers=headers)
        assert first.status_code == 201, (operation.name, first.text)
        before = digests(world.vault)
        again = send(world, operation, stage, ask, by, headers=headers)
        other = send(
            world, operation, stage, replace(ask, body=None, raw=None), by, **spelt(ask, headers)
        )
        if said(again) != said(first) or again.json().get("id") != first.json().get("id"):
            wrong.append(f"{operation.name}: {said(first)}, and then {said(again)}")
        if (other.status_code, other.json().get("code")) != (409, "idempotency.reused"):
            wrong.append(f"{operation.name}: another body under the key: {other.status_code}")
        if names := changed(before, digests(world.vault)):
            wrong.append(f"{operation.name}: sent twice, it changed {names}")
        count += 1
    assert not wrong, "\n".join(wrong)
    assert count >= 11


def spelt(ask, headers):
    """Return the same body in other bytes: to the service another request."""
    if ask.raw is not None:
        return {"content": ask.raw + b" ", "headers": headers}
    content = json.dumps(ask.body, indent=1).encode()
    return {"content": content, "headers": headers | {"Content-Type": "application/json"}}
