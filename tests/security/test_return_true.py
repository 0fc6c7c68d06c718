"""The authorisation layer says yes to everything: without a grant there is nothing to read."""

from __future__ import annotations

import functools
import json

import pytest

from casevault.domain import access
from tests import openapi_snapshot
from tests.api.world import an_identity

NAME, PHONE, STORY = "Verity Canary-Madeup", "+390000009999", "the canary sang in the cellar"


@pytest.fixture
def case(world):
    """Open a case of cara's with words that nobody else types."""
    identity = an_identity(NAME, phones=[PHONE], aliases=["Canarybird"])
    return world.open("cara", identity, {"presenting_situation": STORY})


@pytest.fixture
def always_yes(monkeypatch):
    """Replace the decision by `return True`."""
    monkeypatch.setattr(access, "decide", lambda *_a, **_k: access.Decision(True, "permit:patched"))


@functools.cache
def readable():
    """Return every GET path of the interface."""
    paths = json.loads(openapi_snapshot.present())["paths"]
    return [path for path, found in paths.items() if "get" in found]


def readable_paths(case):
    """Return them for this case."""
    return [path.replace("{case_id}", case).replace("{staff_id}", case) for path in readable()]


def leaks(world, case, login):
    """Return the paths whose answers hold a word of the case."""
    found = []
    for path in readable_paths(case):
        text = world.get(path, login).text
        if any(word in text for word in (NAME, PHONE, STORY, "Canarybird")):
            found.append(path)
    return found


@pytest.mark.parametrize("login", ["stra", "sofia", "sid", "uma", "dora", "ada", "adi"])
def test_without_a_key_nothing_is_read(world, case, always_yes, login):
    """Colleague, other team, unvouched, DPO, auditor, administrator: no key, no word."""
    assert leaks(world, case, login) == []


def test_the_search_finds_what_is_readable(world, case):
    """The holder's own answers do hold the words: the check can fail."""
    found = leaks(world, case, "cara")
    assert f"/v1/cases/{case}/identity" in found
    assert f"/v1/cases/{case}/profile" in found
