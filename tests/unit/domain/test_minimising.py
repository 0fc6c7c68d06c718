"""When a file has outlived the work for which it was brought, and what to do about too much."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from casevault.domain.case import casefile
from casevault.domain.case.casefile import Status
from casevault.domain.retention import minimising
from casevault.domain.retention.minimising import NEXT, Finding
from casevault.domain.vocabulary import LANGUAGES
from casevault.ids import CaseId, TeamId, new_id, new_reference

TODAY = date(2026, 11, 26)


def a_case(**changes):
    """Return the plain row of a case that was opened long ago."""
    new = casefile.new_case(
        CaseId(new_id()), new_reference(), TeamId(new_id()), "standard", date(2020, 1, 5)
    )
    return replace(new, **changes)


def test_files_of_a_case_closed_long_ago_are_past_their_purpose():
    """Six months after the month's end of the closing; never those of an open or held case."""
    closed = a_case(status=Status.CLOSED, counted_from="2026-05-25")
    assert minimising.is_past_purpose(closed, TODAY)
    assert not minimising.is_past_purpose(replace(closed, counted_from="2026-05-26"), TODAY)
    assert not minimising.is_past_purpose(replace(closed, hold=True), TODAY)
    assert not minimising.is_past_purpose(a_case(counted_from="2026-05-25"), TODAY)


def test_a_row_from_before_days_were_kept_counts_from_its_opening():
    """The month in which the case was opened is all that it says."""
    assert minimising.is_past_purpose(a_case(status=Status.CLOSED, counted_from=None), TODAY)


def test_every_finding_has_a_next_step_in_every_language():
    """A number without what to do about it helps nobody."""
    assert tuple(NEXT) == LANGUAGES
    for steps in NEXT.values():
        assert set(steps) == set(Finding)
    assert len({step for steps in NEXT.values() for step in steps.values()}) == 20
