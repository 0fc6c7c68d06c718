"""The authorisation layer says yes to everything: without a grant there is nothing to read.

Every operation of the interface, with a request that is right for a case full of words that nobody
else types. Whoever holds no key of it gets none of them, by any route, whatever it changes.
"""

from __future__ import annotations

import pytest

from casevault.domain.staff import access
from tests.api.world import an_identity
from tests.security import interface
from tests.security.interface import Stage, operations, request_for, send

NAME, PHONE, STORY = "Verity Canary-Madeup", "+390000009999", "the canary sang in the cellar"
# What `interface` writes into notes, services, tasks, bases and files of the case.
WRITTEN = "Canary Quay"
WORDS = (NAME, PHONE, STORY, "Canarybird", WRITTEN)
# Colleague, other team, administrator; other supervisor, unvouched, DPO, auditor: none of them
# holds the case.
STRANGERS = [
    ("stra", "sofia", "adi"),
    pytest.param(("sid", "uma", "dora", "ada"), marks=pytest.mark.slow),
]
# These are about people of the world, who are needed for the next request, or end its service.
CAST = {"begin_lockdown", "end_session", "end_sessions", "end_other_session"}


@pytest.fixture
def stage(sqlite_world, monkeypatch):
    """Open a case of cara's with those words in it, and in all that is written into it."""
    for name in ("NOTE", "SERVICE", "TASK", "BASIS"):
        monkeypatch.setattr(interface, name, _renamed(getattr(interface, name)))
    content = {kind: _renamed(value) for kind, value in interface.CONTENT.items()}
    monkeypatch.setattr(interface, "CONTENT", content)
    identity = an_identity(NAME, phones=[PHONE], aliases=["Canarybird"])
    case = sqlite_world.open("cara", identity, {"presenting_situation": STORY})
    return Stage(sqlite_world, "cara", case)


def _renamed(content):
    return {
        name: value.replace("Blue Street", WRITTEN) if isinstance(value, str) else value
        for name, value in content.items()
    }


def always_yes(monkeypatch):
    """Replace the decision by `return True`."""
    monkeypatch.setattr(access, "decide", lambda *_a, **_k: access.Decision(True, "permit:patched"))


def prepared(stage):
    """Return every operation with a request about the case, as its rightful sender makes it."""
    found = []
    for operation in operations(stage.world.client):
        if operation.id not in CAST:
            stage.by = operation.who or "cara"
            found.append((operation, request_for(operation, stage)))
    return found


def leaks(stage, asked, login):
    """Return the operations whose answers hold a word of the case that was not sent with it."""
    found = []
    for operation, ask in asked:
        answer = send(stage.world, operation, stage, ask, login)
        sent = f"{ask.body}{ask.raw}"
        if any(word in answer.text and word not in sent for word in WORDS):
            found.append(operation.id)
    return found


@pytest.mark.parametrize("strangers", STRANGERS)
def test_without_a_key_nothing_is_read(stage, monkeypatch, strangers):
    """No word in any answer to who holds no key; the holder's answers have them, then and before.

    So the check can fail.
    """
    asked = prepared(stage)
    assert len(asked) > 200
    reading = [one for one in asked if one[0].method == "GET" and one[0].of_case]
    found = set(leaks(stage, reading, "cara"))
    assert {"read_identity", "read_profile", "list_notes", "read_timeline"} <= found
    for login in strangers:
        stage.world.token(login)
    with monkeypatch.context() as patched:
        always_yes(patched)
        leaked = {login: leaks(stage, asked, login) for login in strangers}
    assert not any(leaked.values()), leaked
    assert stage.world.get(stage.at + "/identity", "cara").json()["name_to_use"] == NAME
