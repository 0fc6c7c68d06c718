"""The interface answers every role and relation as reviewed in `matrix.json`."""

from __future__ import annotations

import itertools

import pytest

from casevault.domain.staff import access
from casevault.errors import NotFound
from casevault.store.case import cases
from tests.api.world import unknown_id
from tests.security import matrix
from tests.security.interface import Stage, operations, request_for, send
from tests.security.matrix import compared


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


def erased(world):
    """Open a case of cara's, which sue assigned to colin, and erase it by two people's word."""
    case = world.open("cara")
    assert world.assign(case, "colin").status_code == 204
    asked = world.post(f"/v1/cases/{case}/erasure", "sue", {"reason": "request"})
    assert asked.status_code == 201, asked.text
    path = f"/v1/approvals/{asked.json()['id']}/decision"
    assert world.post(path, "dora", {"approve": True}).status_code == 200
    return case


def told(cast, case, role):
    """Return where somebody is told an erased case from one that never was."""
    world, login = cast.world, cast.people[role]
    gone, never = (Stage(world, None, case=one, by=login) for one in (case, unknown_id()))
    wrong, found = [], [one for one in operations(world.client) if one.of_case]
    assert len(found) >= 80
    for operation in found:
        ask = request_for(operation, never)
        answers = [send(world, operation, at, ask, login) for at in (gone, never)]
        if compared(answers[0]) != compared(answers[1]):
            wrong.append(f"{operation.name} as {role}: {[a.status_code for a in answers]}")
    return wrong


def test_an_erased_case_is_answered_like_one_that_never_was(cast):
    """To who opened it, who supervised it and who decided its end; by every operation."""
    case = erased(cast.world)
    found = [told(cast, case, role) for role in ("caseworker", "supervisor", "dpo")]
    assert not any(found), "\n".join(itertools.chain(*found))


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
