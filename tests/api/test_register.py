"""The programme register and its indicators through the interface."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from casevault.errors import Tampered
from casevault.store.counting import register
from casevault.store.engine import tables
from tests.api.world import REPORTER, unknown_id

TRAINING = {
    "region": "Made-Up North",
    "branch": "Made-Up Harbour",
    "held_on": "2026-11-20",
    "staff_total": 64,
    "people_trained": 41,
}


def added(world, kind="training", content=None):
    """Add a record; return its address."""
    body = {"kind": kind, "content": content or TRAINING}
    answer = world.post("/v1/register", REPORTER, body)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def test_reporters_keep_the_register_and_others_read_it(world):
    """Added, amended in the version that was read, removed; the history keeps every version."""
    at = added(world)
    one = world.get(at, "sue")
    assert (one.headers["etag"], one.json()["content"]) == ('"v1"', TRAINING)
    body = {"content": {**TRAINING, "people_trained": 50}}
    assert world.put(at, "sue", body, '"v1"').json()["code"] == "refused.role"
    assert world.put(at, REPORTER, body, '"v1"').status_code == 204
    assert world.put(at, REPORTER, body, '"v1"').status_code == 412
    assert world.call("DELETE", at, REPORTER).status_code == 204
    assert world.get(at, REPORTER).status_code == 404
    assert world.put(at, REPORTER, body, '"v3"').status_code == 404
    versions = world.get(at + "/history", "dora").json()["items"]
    assert [(v["version"], v["removed"]) for v in versions] == [(1, False), (2, False), (3, True)]
    assert world.get("/v1/register", "cara").json()["code"] == "refused.role"


def test_a_repeated_training_is_counted_once(world):
    """The same Idempotency-Key gives the same record; another body under it is refused."""
    key = {"Idempotency-Key": uuid4().hex}
    body = {"kind": "training", "content": {**TRAINING, "branch": "Made-Up Twice"}}
    first, second = (world.post("/v1/register", REPORTER, body, headers=key) for _ in range(2))
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["location"] == first.headers["location"]
    listed = world.get("/v1/register?kind=training", REPORTER).json()["items"]
    assert [one["content"]["branch"] for one in listed].count("Made-Up Twice") == 1
    other = {"kind": "training", "content": TRAINING}
    refused = world.post("/v1/register", REPORTER, other, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency.reused")


def test_what_looks_personal_is_refused_without_being_repeated(world):
    """The answer names the place."""
    body = {"kind": "training", "content": {**TRAINING, "note": "ask made.up@example.org"}}
    answer = world.post("/v1/register", REPORTER, body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/note", "code": "register.personal"}]
    assert "example.org" not in answer.text


def test_the_indicators_of_a_period(world):
    """From the register alone; a period that is none is refused."""
    added(world, content={**TRAINING, "branch": "Made-Up Hill", "held_on": "2031-02-01"})
    added(
        world, "cooperation", {"network": "bilateral", "type": "training", "held_on": "2031-03-01"}
    )
    found = world.get("/v1/indicators/2031-Q1", "dora").json()
    assert found["trained"]["staff_total"] >= 64
    assert {"codes": ["bilateral", "training"], "count": 1} in found["cooperation"]
    assert world.get("/v1/indicators/2031-Q9", "dora").status_code == 422
    shown = world.get("/v1/indicators/2031-Q1?format=html&lang=ar", "dora")
    assert shown.headers["content-language"] == "ar"
    assert "script" not in shown.headers["content-security-policy"]
    assert 'dir="rtl"' in shown.text
    assert "Made-Up" in shown.text
    numbers = world.get("/v1/indicators/2031-Q1?format=csv", "dora")
    assert numbers.headers["content-type"].startswith("text/csv")
    assert "pledge-4-cooperation,2031-01-01,2031-03-31,_T,network=bilateral" in numbers.text
    assert world.get("/v1/indicators/2031-Q1?format=pdf", "dora").status_code == 422
    assert world.get("/v1/indicators/2031-Q1?format=html", "cara").status_code == 403


def test_an_unknown_record_is_unknown(world):
    """Read, amended, removed, looked back at."""
    at = f"/v1/register/{unknown_id()}"
    for answer in (
        world.get(at, REPORTER),
        world.get(at + "/history", REPORTER),
        world.put(at, REPORTER, {"content": TRAINING}, '"v1"'),
        world.call("DELETE", at, REPORTER),
    ):
        assert answer.status_code == 404


def test_a_number_that_was_changed_from_outside_is_found(world):
    """The stamp binds what a record says to its id and version."""
    at = added(world)
    stores, entry_id = world.vault.stores, at.rpartition("/")[2]
    row = tables.register_entry.c
    with stores.data.writing() as connection:
        found = register.history(connection, stores.roots, UUID(entry_id))[0]
        body = '{"branch":"x"}'
        connection.execute(
            update(tables.register_entry).where(row.id == found.id).values(body=body)
        )
    try:
        with stores.data.reading() as connection, pytest.raises(Tampered):
            register.find(connection, stores.roots, found.id)
    finally:
        with stores.data.writing() as connection:
            connection.execute(tables.register_entry.delete().where(row.id == found.id))
