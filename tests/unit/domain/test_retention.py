"""How long things are kept, and what a plain date may tell."""

from __future__ import annotations

import calendar
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain import retention

DAYS = st.dates(date(2020, 1, 1), date(2100, 12, 31))
CLASSES = st.sampled_from(sorted(retention.SCHEDULE))


@pytest.mark.parametrize(
    ("day", "minor", "rounded"),
    [
        (date(2026, 2, 1), False, date(2026, 2, 28)),
        (date(2028, 2, 29), False, date(2028, 2, 29)),
        (date(2026, 12, 31), False, date(2026, 12, 31)),
        (date(2026, 1, 1), True, date(2026, 12, 31)),
        (date(2026, 12, 31), True, date(2026, 12, 31)),
    ],
)
def test_dates_are_rounded_up(day, minor, rounded):
    """To the month's end, or for a minor the year's."""
    assert retention.rounded_due(day, minor=minor) == rounded


@given(day=DAYS, minor=st.booleans())
def test_rounding_never_shortens_and_is_final(day, minor):
    """A rounded date is not before the true one, and rounding again changes nothing."""
    rounded = retention.rounded_due(day, minor=minor)
    assert rounded >= day
    assert retention.rounded_due(rounded, minor=minor) == rounded


@given(opened=DAYS, name=CLASSES, minor=st.booleans())
def test_due_dates_tell_no_day(opened, name, minor):
    """Two cases opened on different days of one month get the same dates."""
    first = retention.due_dates(name, opened.replace(day=1), minor=minor)
    last_day = calendar.monthrange(opened.year, opened.month)[1]
    assert retention.due_dates(name, opened.replace(day=last_day), minor=minor) == first


@given(opened=DAYS, name=CLASSES)
def test_a_minor_is_kept_until_majority_at_least(opened, name):
    """Every compartment of a minor is due 18 years later or more, at a year's end."""
    adult = retention.due_dates(name, opened, minor=False)
    minor = retention.due_dates(name, opened, minor=True)
    for part in ("identity", "narrative", "facts"):
        late, early = getattr(minor, part), getattr(adult, part)
        assert late.year - early.year == 18
        assert (late.month, late.day) == (12, 31)


@given(opened=DAYS, name=CLASSES, minor=st.booleans())
def test_identity_goes_first_and_facts_last(opened, name, minor):
    """What names a person is never kept longer than what happened, nor that than the counts."""
    due = retention.due_dates(name, opened, minor=minor)
    assert due.identity <= due.narrative <= due.facts


@given(day=DAYS)
def test_a_review_comes_within_four_months(day):
    """The next review is the end of the third month after."""
    review = retention.next_review(day)
    assert (review.year * 12 + review.month) - (day.year * 12 + day.month) == 3
    assert review.day == calendar.monthrange(review.year, review.month)[1]


def test_a_short_month_does_not_break_the_sum():
    """Three months after 30 November is February, whose end is the 28th or 29th."""
    assert retention.next_review(date(2027, 11, 30)) == date(2028, 2, 29)


@pytest.mark.parametrize("name", sorted(retention.SCHEDULE))
def test_a_class_never_tells_age_and_says_its_basis(name):
    """Names of classes hold no word of age; each class says in words why."""
    assert not any(word in name for word in ("minor", "child", "adult", "age", "young"))
    assert retention.SCHEDULE[name].basis


def test_the_schedule_cannot_be_changed_at_run_time():
    """The schedule is read-only."""
    with pytest.raises(TypeError):
        retention.SCHEDULE["forever"] = retention.SCHEDULE["short"]


def test_an_unknown_class_is_an_error():
    """There is no default class to fall back to."""
    with pytest.raises(KeyError):
        retention.due_dates("no-such-class", date(2026, 1, 1), minor=False)
