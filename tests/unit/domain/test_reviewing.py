"""Reviews: every step that is possible and every one that is not; what a sign-off says."""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest

from casevault.domain.audit import reviewing
from casevault.domain.audit.reviewing import NEEDS_NOTE, STEPS, UNDECIDED, State
from casevault.errors import Conflict, Invalid

ME, YOU = UUID(int=1), UUID(int=2)
WAY = {
    ("open", "in_review"),
    ("in_review", "needs_info"),
    ("needs_info", "in_review"),
    *(("in_review", end) for end in ("justified", "violation", "noise")),
    *((end, "closed") for end in ("justified", "violation", "noise")),
}


@pytest.mark.parametrize(("present", "to"), list(product(State, State)))
def test_only_these_steps_are_possible(present, to):
    """All pairs of states, one by one."""
    if (present.value, to.value) in WAY:
        reviewing.check_step(present, to, "a reason")
    else:
        with pytest.raises(Conflict):
            reviewing.check_step(present, to, "a reason")


@pytest.mark.parametrize("to", sorted(NEEDS_NOTE))
def test_a_conclusion_has_a_reason(to):
    """Nothing but blanks is no reason."""
    present = next(state for state in State if to in STEPS[state])
    for note in ("", "  \n"):
        with pytest.raises(Invalid):
            reviewing.check_step(present, to, note)


def test_beginning_and_closing_need_no_note():
    """What was concluded stands there already."""
    reviewing.check_step(State.OPEN, State.IN_REVIEW, "")
    reviewing.check_step(State.NOISE, State.CLOSED, "")
    assert {State.JUSTIFIED, State.CLOSED}.isdisjoint(UNDECIDED)


def test_ones_own_access_is_ones_own():
    """Also when others are named beside."""
    assert reviewing.is_own([YOU, ME], ME)
    assert not reviewing.is_own([YOU], ME)
    assert not reviewing.is_own([], ME)


def test_a_sign_off_has_one_fact_per_line():
    """In a fixed order, every state named, whatever the order of what is given."""
    text = reviewing.sign_off_text(
        "example.org/log",
        ("2026-11-01", "2026-11-30"),
        ((7, "b2xk"), (9, "bmV3")),
        ME,
        {"volume-own": 2, "after-hours": 1},
        {State.OPEN: 2, State.NOISE: 1},
        [YOU, ME],
    )
    assert text.splitlines() == [
        "casevault/1/sign-off",
        "log example.org/log",
        "period 2026-11-01 2026-11-30",
        "from 7 b2xk",
        "to 9 bmV3",
        f"auditor {ME}",
        "raised after-hours 1",
        "raised volume-own 2",
        "state open 2",
        "state in_review 0",
        "state needs_info 0",
        "state justified 0",
        "state violation 0",
        "state noise 1",
        "state closed 0",
        f"open {ME}",
        f"open {YOU}",
    ]
    assert text.endswith("\n")
