"""Purposes of a programme: what is stored under one outlives its switching off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from casevault import bootstrap
from tests.api.world import World, started

SEEING = {"seeing": "a_lot"}


@pytest.fixture
def switched_on(world) -> Iterator[World]:
    """Give the same vault, served with the purpose on."""
    settings = world.settings.model_copy(update={"purposes": ("disability",)})
    vault = bootstrap.open_vault(settings, world.boot_secret, world.clock)
    on = replace(world, settings=settings, vault=vault, client=started(vault))
    yield on
    on.close()


def test_a_field_that_is_off_cannot_be_written(world):
    """The refusal names the field and a code."""
    body = {"identity": {"name_to_use": "Made-up Mira"}, "profile": {"disability": SEEING}}
    answer = world.post("/v1/cases", "cara", body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/profile/disability", "code": "field.off"}]


def test_what_was_stored_under_a_purpose_stays_readable_and_is_not_lost(world, switched_on):
    """Off: read, kept by an amendment that does not name it, unchangeable, gone with null."""
    case = switched_on.open(profile={"disability": SEEING, "risk_level": "low"})
    path = f"/v1/cases/{case}/profile"
    read = world.get(path, "cara")
    assert read.json() == {"disability": SEEING, "risk_level": "low"}

    kept = world.put(path, "cara", {"risk_level": "high"}, read.headers["etag"])
    assert kept.status_code == 204
    read = world.get(path, "cara")
    assert read.json() == {"disability": SEEING, "risk_level": "high"}

    changed = world.put(path, "cara", {"disability": {"seeing": "no"}}, read.headers["etag"])
    assert changed.status_code == 422
    assert changed.json()["errors"] == [{"pointer": "/disability", "code": "field.off"}]

    gone = world.put(path, "cara", {"disability": None}, read.headers["etag"])
    assert gone.status_code == 204
    assert world.get(path, "cara").json() == {}


def test_forms_ask_what_is_on(world, switched_on):
    """The same address, in two programmes."""
    for one, asked in ((world, False), (switched_on, True)):
        schema = one.get("/v1/forms/intake").json()
        assert ("disability" in schema["properties"]["profile"]["properties"]) is asked
        assert ("Washington" in one.get("/v1/forms/intake/print").text) is asked
