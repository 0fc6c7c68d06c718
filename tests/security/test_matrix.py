"""The interface answers every role and relation as reviewed in `matrix.json`."""

from __future__ import annotations

import pytest

from casevault.domain import access
from casevault.errors import NotFound
from casevault.store import cases
from tests.security import matrix
from tests.security.interface import operations


@pytest.fixture(scope="module")
def cast(worlds):
    """Give one person per role in the world on SQLite: answers do not depend on the database."""
    return matrix.Cast(worlds("sqlite"))


def some(cast, *ids):
    """Return the operations of these ids."""
    found = [one for one in operations(cast.world.client) if one.id in ids]
    assert len(found) == len(ids)
    return found


def test_every_cell_is_the_reviewed_one(cast):
    """Every operation × role × relation; and a foreign case is answered like an unknown one."""
    found, differing = matrix.walk(cast, operations(cast.world.client))
    wrong = matrix.difference(found, matrix.reviewed()) + differing
    assert not wrong, "\n".join(wrong)


def test_the_file_is_as_the_command_writes_it():
    """So that a review sees cells, not white space."""
    assert matrix.FILE.read_text() == matrix.text_of(matrix.reviewed())


def test_an_operation_without_a_row_is_found():
    """The sentence says how to write the row, and that it is to be reviewed."""
    reviewed = matrix.reviewed()
    found = {**reviewed, "GET /v1/planted": {}}
    (line,) = matrix.difference(found, reviewed)
    assert line.startswith("GET /v1/planted has no row")
    assert "matrix --write" in line
    assert "review" in line
    assert len(matrix.difference(reviewed, found)) == 1


def test_a_gate_that_says_yes_is_found(cast, monkeypatch):
    """With every decision a yes, cells change: of lists, and of those who hold a key."""
    monkeypatch.setattr(access, "decide", lambda *_a, **_k: access.Decision(True, "permit:patched"))
    planted = some(cast, "list_staff", "list_cases", "decide_closing")
    found, _ = matrix.walk(cast, planted)
    reviewed = {name: matrix.reviewed()[name] for name in found}
    lines = matrix.difference(found, reviewed)
    assert any(line.startswith("GET /v1/staff as referrer is {'any': '200'}") for line in lines)
    assert any("decision as caseworker" in line for line in lines)


def test_an_answer_that_tells_unknown_from_foreign_is_found(cast, monkeypatch):
    """Another code for cases that do not exist would tell everybody which ones do."""
    find = cases.find_case

    def telling(*args, **kwargs):
        case = find(*args, **kwargs)
        if case is None:
            raise NotFound(code="planted")
        return case

    monkeypatch.setattr(cases, "find_case", telling)
    _, differing = matrix.walk(cast, some(cast, "read_case"))
    assert "GET /v1/cases/{case_id} as caseworker: team and unknown differ" in differing
    assert "GET /v1/cases/{case_id} as auditor: other and unknown differ" in differing
