"""Requests made from the interface's own description: whatever fits it is answered, never with 5xx.

schemathesis makes them, over ASGI, with a world and people of this file: an administrator's request
that fits may well end somebody's sessions.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from casevault.domain.access import RULES, Permission, Role
from tests import openapi_snapshot
from tests.api.copies import a_world
from tests.api.world import World, bearer
from tests.security.interface import USUAL

SCHEMA = schemathesis.openapi.from_dict(json.loads(openapi_snapshot.present()))
OPERATIONS = {
    one.ok().definition.raw["operationId"]: one.ok() for one in SCHEMA.get_all_operations()
}
EXAMPLES = 3
# Each of these ends what the others need: the vault itself, or the session of who asks.
ENDS = {"lock_down", "end_session", "end_own_session", "end_all_sessions"}


@pytest.fixture(scope="module")
def strangers(make_databases: Callable[..., object], tmp_path_factory: pytest.TempPathFactory):
    """Give a world that nobody else uses."""
    made = a_world(make_databases("sqlite"), tmp_path_factory.mktemp("schema"))
    yield made
    made.close()


def who(operation) -> str | None:
    """Return somebody who may send this, if anybody has to."""
    rule = RULES[Permission(operation.definition.raw["x-permission"])]
    if rule.public:
        return None
    roles = rule.roles or {Role.CASEWORKER}
    return next(login for role, login in USUAL.items() if role in roles)


def test_every_operation_is_tried():
    """The description is read as the tests read it: none is lost on the way."""
    described = json.loads(openapi_snapshot.present())["paths"]
    assert len(OPERATIONS) == sum(len(methods) for methods in described.values())
    assert set(OPERATIONS) > ENDS & set(OPERATIONS)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_what_fits_the_description_is_answered(strangers: World, name: str):
    """No 5xx; a refusal is a problem document with a code; an answer has the described type."""
    operation = OPERATIONS[name]
    login = None if name in ENDS else who(operation)

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def answered(case):
        headers = dict(case.headers or {})
        if login is not None:
            headers |= bearer(strangers.token(login))
        body = {} if case.body is schemathesis.core.NOT_SET else {"json": case.body}
        answer = strangers.client.request(
            case.method, case.formatted_path, headers=headers, params=case.query, **body
        )
        assert answer.status_code < 500, (name, answer.status_code)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"]
            return
        described = operation.definition.raw["responses"]
        assert str(answer.status_code) in described, (name, answer.status_code)

    answered()
