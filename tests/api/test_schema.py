"""Requests made from the interface's own description: whatever fits it is answered, never with 5xx.

schemathesis makes them, over ASGI, with a world and people of this file: an administrator's request
that fits may well end somebody's sessions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from casevault.api import docs_page, examples
from casevault.domain.staff.access import RULES, Permission, Role
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
ENDS = {"begin_lockdown", "end_session", "end_sessions", "end_other_session"}


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
    assert set(OPERATIONS) > ENDS


def test_every_operation_is_named_by_a_verb_and_a_noun():
    """As whoever generates a client meets it."""
    assert [name for name in OPERATIONS if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []


def test_every_body_has_an_example_that_fits():
    """On the page for people and in the document: one whole body, and its schema takes it."""
    document = json.loads(openapi_snapshot.present())
    found, wrong = 0, []
    for name, operation in OPERATIONS.items():
        body = operation.definition.raw.get("requestBody", {}).get("content", {})
        if "application/json" not in body:
            continue
        schema = document["components"]["schemas"].get(_named(body), {})
        example = examples.of(body["application/json"], schema)
        whole = {**body["application/json"]["schema"], "components": document["components"]}
        found += 1
        if example is None or not jsonschema_rs.is_valid(whole, example):
            wrong.append(name)
    assert wrong == []
    assert found > 100
    assert "Zaziwe Testperson" in docs_page.render(document)


def _named(body):
    return body["application/json"]["schema"].get("$ref", "").rpartition("/")[2]


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
