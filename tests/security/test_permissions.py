"""Every operation names exactly one permission, and reading never writes."""

from __future__ import annotations

import json

import pytest

from casevault.domain.staff.access import RULES, Permission
from tests import openapi_snapshot

METHODS_THAT_WRITE = {"post", "put", "patch", "delete"}


def operations(document):
    """Return (method, path, permission) of every operation of an OpenAPI document."""
    return [
        (method, path, operation.get("x-permission"))
        for path, found in document["paths"].items()
        for method, operation in found.items()
    ]


def faults(document):
    """Return what is wrong with an interface's permissions."""
    known = {permission.value for permission in Permission}
    found = operations(document)
    wrong = [f"{m} {p}: no permission" for m, p, name in found if name not in known]
    for method, path, name in found:
        if name in known and RULES[Permission(name)].writes != (method in METHODS_THAT_WRITE):
            wrong.append(f"{method} {path}: {name} does not fit the method")
    unused = known - {name for *_, name in found}
    return wrong + [f"{name}: no operation needs it" for name in sorted(unused)]


@pytest.fixture(scope="module")
def document():
    """Give the interface as OpenAPI, which knows all routes (a walk over app.routes does not)."""
    return json.loads(openapi_snapshot.present())


def test_every_operation_needs_one_permission(document):
    """And every permission is needed by an operation."""
    assert len(operations(document)) >= 20
    assert faults(document) == []


@pytest.mark.parametrize(
    "planted",
    [
        {"get": {}},
        {"get": {"x-permission": "case:everything"}},
        {"get": {"x-permission": "case:amend"}},
        {"post": {"x-permission": "case:read"}},
    ],
)
def test_a_planted_operation_is_found(document, planted):
    """The check can fail."""
    assert faults({"paths": {**document["paths"], "/planted": planted}})


def test_an_unused_permission_is_found(document):
    """A permission that nothing checks is a promise that nothing keeps."""
    paths = {path: found for path, found in document["paths"].items() if "/ledger" not in path}
    unused = ("ledger:export", "ledger:query", "ledger:release", "ledger:review", "sign-off:read")
    assert faults({"paths": paths}) == [f"{name}: no operation needs it" for name in unused]


def test_the_committed_interface_is_the_present_one():
    """`make snapshots` writes it anew; the difference is then reviewed."""
    assert openapi_snapshot.FILE.read_text() == openapi_snapshot.present()


def test_no_name_in_the_interface_is_that_of_a_module():
    """Two schemas of one name get modules' names, which break whoever uses them when we tidy up."""
    schemas = json.loads(openapi_snapshot.FILE.read_text())["components"]["schemas"]
    assert [name for name in schemas if "__" in name] == []
