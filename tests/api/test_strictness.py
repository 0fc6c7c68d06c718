"""Bad input of every kind against every operation of the real application.

The operations are read from the interface itself, so that a new one is tried without being named
here. What must hold: a problem document with 4xx, nothing of the input in it, nothing stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter
from sqlalchemy import func, select

from casevault.domain.case import dictionary
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Permission
from casevault.store.engine import tables
from tests import openapi_snapshot
from tests.api.world import World, an_identity, unknown_id
from tests.unit.api.bad_json import BAD, MARKER
from tests.unit.api.test_middleware import SECURITY

DOCUMENT = json.loads(openapi_snapshot.present())
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
WRITING = sorted(name for name, (method, *_) in OPERATIONS.items() if method != "GET")
# A file is no JSON: tests/api/test_files.py says what is refused of one.
NO_JSON = {"add_file"}
JSON_ONLY = [name for name in WRITING if name not in NO_JSON]
WITH_BODY = [name for name in JSON_ONLY if "requestBody" in OPERATIONS[name][2]]
COLUMNS = sorted(column.name for column in tables.case_file.columns)
# What somebody may choose when a case is opened.
CHOSEN = {"retention_class", "team"}
# Forms and code lists hold nothing about anybody; a calendar program can show its token only in
# the address.
PUBLIC = ("/v1/forms", "/v1/vocabulary", "/v1/feed/")
# A half-filled form is kept as it was typed: its content need not be valid yet.
AS_TYPED = {"save_draft", "change_draft"}

# The feed's token is an id and a key; a form is one of a few names; a reference is said aloud; a
# period is a year.
NO_UUID = {"token", "form", "reference", "period", "position", "name"}


# --- bodies from the interface -------------------------------------------------------------------


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references and take the first of alternatives."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        else:
            schema = schema["anyOf"][0]
    return schema


def sample(schema: dict[str, Any]) -> Any:
    """Return a value of a schema; the fields that may be left out are there too."""
    schema = resolved(schema)
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: sample(found) for name, found in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(schema["items"])]
    if kind == "string":
        made = {"uuid": unknown_id(), "date": "2020-02-02", "date-time": "2020-02-02T00:00:00Z"}
        return made.get(schema.get("format", ""), "x" * schema.get("minLength", 1))
    return {"integer": schema.get("minimum", 1), "boolean": True}.get(kind)


def body_of(name: str) -> Any:
    """Return a body that an operation describes."""
    content = OPERATIONS[name][2]["requestBody"]["content"]
    return sample(content["application/json"]["schema"])


def spoilt(value: Any) -> Iterator[Any]:
    """Yield copies of a body, each with one thing of another type or one name too many."""
    yield [[MARKER]]
    yield 7.5 if isinstance(value, str) else MARKER
    if isinstance(value, dict):
        yield value | {MARKER: MARKER}
        for name, inner in value.items():
            yield from (value | {name: bad} for bad in spoilt(inner))
    if isinstance(value, list) and value:
        yield from ([bad] for bad in spoilt(value[0]))


def path_of(world: World, name: str, /, **ids: str) -> str:
    """Return the path of an operation on the shared case."""
    known = {"case_id": world.case, "staff_id": world.staff["colin"]} | ids
    path: str = OPERATIONS[name][1]
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, known.get(part.strip("{}"), unknown_id()))
    return path


def send(
    world: World, name: str, body: bytes | None = None, by: str | None = "cara", **kwargs: Any
):
    """Send raw bytes to an operation as JSON."""
    headers = {"Content-Type": "application/json", "If-Match": '"v1"'} | kwargs.pop("headers", {})
    path = kwargs.pop("path", None) or path_of(world, name)
    return world.call(OPERATIONS[name][0], path, by, None, content=body, headers=headers, **kwargs)


def faults(answer: Any, low: int = 400) -> list[str]:
    """Say what is wrong with a refusal."""
    found = []
    if not low <= answer.status_code < 500:
        found.append(f"status {answer.status_code}")
    if MARKER.lower() in answer.text.lower() + str(answer.headers).lower():
        found.append("the marker came back")
    if answer.status_code >= 400:
        if answer.headers.get("content-type") != "application/problem+json":
            found.append("no problem document")
        elif answer.json()["instance"] != "urn:uuid:" + answer.headers["x-request-id"]:
            found.append("another request's id")
    missing = [name for name in SECURITY if name not in answer.headers]
    return found + [f"no {name}" for name in missing]


def cases(world: World) -> int:
    """Return how many cases are stored; the shared one, made when first asked for, is one."""
    assert world.case
    with world.vault.stores.data.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.case_file)).scalar_one()


# --- the interface -------------------------------------------------------------------------------


def test_the_interface_is_read():
    """The tests below are about something."""
    assert len(WRITING) >= 20
    assert len(WITH_BODY) >= 15
    assert {"open_case", "amend_identity", "add_note", "create_session"} <= set(WITH_BODY)


def test_a_planted_echo_is_found(sqlite_world: World, monkeypatch):
    """The tests below can fail: an operation that answers 500 and one that repeats are found."""
    world, app = sqlite_world, sqlite_world.client.app

    # A router of its own: one of the product's would keep the route for every test after this.
    router = APIRouter()

    @router.post("/planted", openapi_extra={"x-permission": Permission.DOCS_READ.value})
    def planted(body: dict[str, Any]) -> dict[str, Any]:
        if "fail" in body:
            raise ValueError(MARKER)
        return body

    routes = list(app.router.routes)
    app.include_router(router, prefix="/x")
    try:
        echo = world.call("POST", "/x/planted", None, {"a": MARKER})
        crash = world.call("POST", "/x/planted", None, {"fail": MARKER})
    finally:
        app.router.routes[:] = routes
    assert faults(echo) == ["status 200", "the marker came back"]
    assert faults(crash) == ["status 500"]
    assert crash.json()["code"] == "internal"


# --- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", JSON_ONLY)
def test_bad_json_is_refused_by_every_operation(sqlite_world: World, name: str):
    """Signed in or not: 400, the code of the fault, nothing of the body."""
    before = cases(sqlite_world)
    for kind, (body, code) in BAD.items():
        answer = send(sqlite_world, name, body)
        assert faults(answer) == [], kind
        assert (answer.status_code, answer.json()["code"]) == (400, "json." + code), kind
    assert send(sqlite_world, name, b"{", by=None).status_code == 400
    assert cases(sqlite_world) == before


@pytest.mark.parametrize("name", JSON_ONLY)
def test_a_body_of_ten_megabytes_is_refused_by_every_operation(sqlite_world: World, name: str):
    """Before it is read, and whoever sends it."""
    body = b'["' + MARKER.encode() * 600_000 + b'"]'
    answer = send(sqlite_world, name, body)
    assert faults(answer) == []
    assert answer.status_code == 413


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_missing_body_is_refused(sqlite_world: World, name: str):
    """What an operation needs is not made up."""
    for body in (None, b"", b"null"):
        answer = send(sqlite_world, name, body)
        assert faults(answer) == []


# Pages whose forms a browser sends: tests/api/test_referrals.py says what is refused of those.
FORMS = {"open_collect_page", "answer_collect_page"}


@pytest.mark.parametrize("name", [name for name in WITH_BODY if name not in FORMS])
def test_another_type_is_refused(sqlite_world: World, name: str):
    """A form, a text and a file are not JSON, even where they hold some."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        body = json.dumps({"name": MARKER}).encode()
        answer = send(sqlite_world, name, body, headers={"Content-Type": kind})
        assert faults(answer) == []
        assert answer.status_code == 415


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_spoilt_body_is_refused(sqlite_world: World, name: str):
    """One value of another type or one unknown name, anywhere in a body that is fine otherwise."""
    before, fine = cases(sqlite_world), body_of(name)
    for body in spoilt(fine):
        content = body.get("content") if isinstance(body, dict) else None
        if name in AS_TYPED and isinstance(content, dict) and content != fine["content"]:
            continue
        answer = send(sqlite_world, name, json.dumps(body).encode())
        assert faults(answer) == [], json.dumps(body)
    assert cases(sqlite_world) == before


# --- mass assignment -----------------------------------------------------------------------------

_VALUES: tuple[Any, ...] = (MARKER, None)


def _holding(place: str, name: str, value: Any) -> tuple[str, Any]:
    """Return an operation and a body that tries to set a column."""
    extra = {name: value}
    bodies: dict[str, tuple[str, Any]] = {
        "case": ("open_case", {"identity": an_identity(), **extra}),
        "identity of a case": ("open_case", {"identity": an_identity(**extra)}),
        "profile of a case": ("open_case", {"identity": an_identity(), "profile": extra}),
        "batch": ("open_cases", {"cases": [{"identity": an_identity()}], **extra}),
        "case of a batch": ("open_cases", {"cases": [{"identity": an_identity(), **extra}]}),
        "identity": ("amend_identity", an_identity(**extra)),
        "profile": ("amend_profile", extra),
        "facts": ("amend_facts", extra),
        "note": ("add_note", {"content": {"text": "made up", **extra}}),
        "beside a note": ("add_note", {"content": {"text": "made up"}, **extra}),
        "grant": ("assign_case", {"staff_id": unknown_id(), **extra}),
        "transition": ("change_status", {"content": extra}),
        "beside a transition": ("change_status", {"content": {}, **extra}),
    }
    return bodies[place]


PLACES = (
    "case",
    "identity of a case",
    "profile of a case",
    "batch",
    "case of a batch",
    "identity",
    "profile",
    "facts",
    "note",
    "beside a note",
    "grant",
    "transition",
    "beside a transition",
)


@pytest.mark.parametrize("place", PLACES)
def test_no_column_of_a_case_can_be_set(sqlite_world: World, place: str):
    """Whoever names id, status, due dates, hold, versions or the MAC is refused, not ignored."""
    world = sqlite_world
    before, seen = cases(world), world.get(f"/v1/cases/{world.case}", "cara").json()
    for name in sorted({*COLUMNS, "team", "due", "open_compartments", "sealed", "grants"}):
        known = {"case", "batch", "case of a batch"}
        if name in CHOSEN and place in known:
            continue
        for value in _VALUES:
            operation, body = _holding(place, name, value)
            answer = send(world, operation, json.dumps(body).encode())
            assert faults(answer) == [], (place, name, value)
            assert answer.status_code == 422, (place, name, value)
    assert cases(world) == before
    assert world.get(f"/v1/cases/{world.case}", "cara").json() == seen


def test_the_columns_are_those_of_the_table():
    """The test above tries what there is to protect."""
    protected = {"id", "reference", "team_id", "status", "hold", "version", "key_version", "mac"}
    assert protected | {"due_identity", "due_narrative", "due_facts"} <= set(COLUMNS)


def test_what_the_system_writes_cannot_be_sent(sqlite_world: World):
    """Fields that CaseVault itself fills in are refused as read-only."""
    own = [
        (kind, field.name)
        for kind in DocumentKind
        for field in dictionary.fields_of(kind)
        # Of a file nobody sends fields: it is a body, and headers.
        if field.system and kind is not DocumentKind.FILE
    ]
    assert (DocumentKind.FACTS, "pid") in own
    for kind, name in own:
        answer = send(sqlite_world, f"amend_{kind.value}", json.dumps({name: MARKER}).encode())
        assert faults(answer) == []
        assert answer.status_code == 422
        assert {"pointer": f"/{name}", "code": "field.read-only"} in answer.json()["errors"]


# --- addresses, queries and headers --------------------------------------------------------------

ODD = ("%00", "%FF", "%ED%A0%80", "%0D%0A", "%F0%9F%98%80", "..%2F..", "'%20OR%201=1--", MARKER)
LONG = MARKER + "x" * 4000


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_odd_ids_in_an_address_are_refused(sqlite_world: World, name: str):
    """An id that is none, or nobody's, finds nothing."""
    path: str = OPERATIONS[name][1]
    places = [part for part in path.split("/") if part.startswith("{")]
    for odd in ("%00", "%FF", LONG, "00000000-0000-0000-0000-000000000000"):
        for place in places:
            asked = path_of(sqlite_world, name, **{place.strip("{}"): odd})
            answer = send(sqlite_world, name, b"{}" if name in WITH_BODY else None, path=asked)
            assert faults(answer) == [], (asked, answer.text)


QUERIES = [
    (name, parameter["name"])
    for name, (_, _, operation) in sorted(OPERATIONS.items())
    for parameter in operation.get("parameters", ())
    if parameter["in"] == "query"
]


@pytest.mark.parametrize(("name", "parameter"), QUERIES)
def test_odd_queries_do_no_harm(world: World, name: str, parameter: str):
    """Refused, or nothing found: never an error of the database, never an echo."""
    for odd in (*ODD, LONG, "", "-1", "99999999999999999999", unknown_id()):
        for by in ("cara", "ada"):
            path = f"{path_of(world, name)}?{parameter}={odd}"
            answer = send(world, name, by=by, path=path)
            assert faults(answer, 200) == [], (path, answer.text)


def test_queries_are_read_from_the_interface():
    """There are some, the ledger's filters among them."""
    assert ("query_ledger", "code") in QUERIES
    assert ("list_cases", "cursor") in QUERIES


@pytest.mark.parametrize(
    "header",
    ["Authorization", "If-Match", "Idempotency-Key", "Accept-Language", "X-Request-Id", "Cookie"],
)
def test_odd_headers_do_no_harm(sqlite_world: World, header: str):
    """On a reading and on a writing operation."""
    odd = (
        "",
        " ",
        MARKER,
        "Bearer " + MARKER,
        "é" * 9,
        "9" * 5000,
        '"v' + "9" * 30 + '"',
        "q=;,;=",
    )
    for value in odd:
        for name in ("read_identity", "amend_identity", "open_case"):
            answer = send(sqlite_world, name, b'{"x": 1}', headers={header: value.encode()})
            assert faults(answer, 200) == [], (name, value, answer.text)


def test_unknown_addresses_and_methods_are_problem_documents(sqlite_world: World):
    """The router's own refusals look like all others."""
    for method, path, status in (
        ("GET", f"/v1/{MARKER}", 404),
        ("GET", f"/{MARKER}?{MARKER}={MARKER}", 404),
        ("GET", "/v1/cases/", 404),
        ("PATCH", "/v1/cases", 405),
        ("TRACE", "/v1/cases", 405),
        (MARKER.upper(), "/v1/cases", 405),
        ("POST", "/livez", 405),
    ):
        answer = sqlite_world.call(method, path)
        assert answer.status_code == status, (method, path)
        assert faults(answer) == [], (method, path)


def test_every_id_about_people_is_a_uuid() -> None:
    """Nobody is named in an address; only what is the same for everybody has a name there."""
    for name, (_, path, operation) in OPERATIONS.items():
        for parameter in operation.get("parameters", ()):
            public = path.startswith(PUBLIC) or parameter["name"] in NO_UUID
            if parameter["in"] == "path" and not public:
                assert parameter["schema"].get("format") == "uuid", name
