"""How long things are kept, and what a plain date may tell."""

from __future__ import annotations

import calendar
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain.case import facts, keeping, retention
from casevault.domain.case.casefile import Status
from casevault.domain.case.retention import ERASED, SHIPPED, Periods, Reference, Schedule
from casevault.errors import Conflict, Invalid
from tests.unit.domain.test_casefile import a_case

DAYS = st.dates(date(2020, 1, 1), date(2100, 12, 31))
TODAY = date(2026, 11, 24)


def of_age(minor, opened):
    return retention.of_age(0, opened) if minor else None


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
    first = retention.due_dates(SHIPPED, name, opened.replace(day=1), of_age=of_age(minor, opened))
    last_day = calendar.monthrange(opened.year, opened.month)[1]
    assert (
        retention.due_dates(
            SHIPPED, name, opened.replace(day=last_day), of_age=of_age(minor, opened)
        )
        == first
    )


@given(opened=DAYS, name=CLASSES)
def test_a_minor_is_kept_until_majority_at_least(opened, name):
    """Of whose age nothing is known: 18 years later or more, at a year's end."""
    adult = retention.due_dates(SHIPPED, name, opened)
    minor = retention.due_dates(SHIPPED, name, opened, of_age=retention.of_age(0, opened))
    for part in ("identity", "narrative", "facts"):
        late, early = getattr(minor, part), getattr(adult, part)
        assert late.year - early.year in (18, 19)
        assert (late.month, late.day) == (12, 31)


@given(opened=DAYS, name=CLASSES, minor=st.booleans())
def test_identity_goes_first_and_facts_last(opened, name, minor):
    """What names a person is never kept longer than what happened, nor that than the counts."""
    due = retention.due_dates(SHIPPED, name, opened, of_age=of_age(minor, opened))
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
    with pytest.raises(Invalid):
        retention.due_dates(SHIPPED, "no-such-class", date(2026, 1, 1))


@given(opened=DAYS, age=st.integers(0, 17))
def test_coming_of_age_tells_no_birth_date(opened, age):
    """Of six years of birth all get the same date, never before the eighteenth birthday."""
    told = retention.of_age(age, opened)
    assert told == date(opened.year + -(-(18 - age) // 6) * 6, 12, 31)
    same = [a for a in range(18) if retention.of_age(a, opened) == told]
    assert len(same) == 6
    assert told.year >= opened.year + 18 - age


@given(opened=DAYS)
def test_the_year_of_birth_is_hidden_however_it_was_said(opened):
    """As an age, a year or a band: a date in steps; an adult has none."""
    by_year = facts.of_age({"birth_year": opened.year - 15}, opened)
    assert by_year == facts.of_age({"age": 14}, opened) == retention.of_age(14, opened)
    assert facts.of_age({"age_band": "under_18"}, opened) == retention.of_age(0, opened)
    assert facts.of_age({"age": 18}, opened) is facts.of_age({}, opened) is None


def test_a_schedule_is_signed_parameter_by_parameter():
    """What people sign is all there is: reading it back gives the same schedule."""
    assert retention.from_parameters(SHIPPED.parameters()) == SHIPPED
    assert "closed identity=60 narrative=84 facts=120: " in SHIPPED.parameters()["class.standard"]


def changed(**classes):
    return Schedule(1, {**retention.SCHEDULE, **classes}, 6, 24)


@pytest.mark.parametrize(
    "wanted",
    [
        Schedule(1, {}, 6, 24),
        Schedule(1, {"standard": retention.SCHEDULE["standard"]}, 6, 24),
        Schedule(1, retention.SCHEDULE, 61, 24),
        Schedule(1, retention.SCHEDULE, 6, 121),
        changed(standard=Periods(24, 12, 60, "Names longer than events")),
        changed(standard=Periods(0, 12, 60, "Not at all")),
        changed(standard=Periods(12, 24, 601, "For ever")),
        changed(standard=Periods(12, 24, 60, "")),
        changed(minors=Periods(12, 24, 60, "A class that tells age")),
        changed(**{"Wrong Name": Periods(12, 24, 60, "A name")}),
    ],
)
def test_a_schedule_that_cannot_be_carried_out_is_refused(wanted):
    """A class that goes, names kept longest, no limit, no reason, a class that tells age."""
    with pytest.raises(Invalid):
        retention.check_change(SHIPPED, wanted)


def test_a_change_is_the_next_version():
    """Whatever version somebody sent."""
    wanted = changed(standard=Periods(24, 36, 48, "Shorter", Reference.CLOSED))
    assert retention.check_change(SHIPPED, wanted).version == 2


@pytest.mark.parametrize("gone", ["version", "grace_months", "class.short"])
def test_parameters_that_say_no_schedule_are_refused(gone):
    """A number that is missing, or a line that is no class."""
    given = SHIPPED.parameters()
    given[gone] = "whatever"
    with pytest.raises(Invalid):
        retention.from_parameters(given)


# --- what a row says -----------------------------------------------------------------------------


def close(case, today=TODAY):
    after = keeping.replace(case, status=Status.CLOSED)
    return keeping.moved(SHIPPED, case, after, today)


def test_time_runs_from_closing():
    """An open case is not due, however old; closing counts from that month; reopening has grace."""
    old, late = a_case(), date(2050, 1, 1)
    assert keeping.due_now(SHIPPED, old, late) == frozenset()
    shut = close(old, date(2030, 2, 3))
    assert (shut.due_identity, shut.due_facts) == ("2035-02-28", "2040-02-29")
    assert keeping.due_now(SHIPPED, shut, date(2035, 2, 28)) == frozenset()
    assert keeping.due_now(SHIPPED, shut, date(2035, 3, 1)) == {"identity"}
    again = keeping.moved(
        SHIPPED, shut, keeping.replace(shut, status=Status.ACTIVE), date(2035, 2, 1)
    )
    assert again.not_before == "2035-08-31"
    assert again.due_identity == "2035-08-31"
    assert close(again, date(2035, 3, 2)).due_identity == "2040-03-31"


def test_some_classes_run_while_a_case_is_open():
    """Counted from opening; closing changes nothing; contact counts where the class says so."""
    case = a_case("short")
    assert keeping.due_now(SHIPPED, case, date(2027, 12, 1)) == {"identity"}
    assert close(case).due_identity == case.due_identity
    assert keeping.contacted(SHIPPED, case, TODAY) == case
    contact = changed(short=Periods(12, 24, 60, "Contact", Reference.LAST_CONTACT))
    later = keeping.contacted(contact, case, date(2027, 5, 5))
    assert later.due_identity == "2028-05-31"


def test_an_extension_has_one_limit():
    """Counted from the schedule, so that extensions of extensions end too."""
    case = close(a_case())
    longer = keeping.extended(SHIPPED, case, 12)
    assert (longer.due_identity, longer.due_narrative) == ("2032-11-30", "2033-11-30")
    assert keeping.extended(SHIPPED, longer, 12) == longer
    assert keeping.extended(SHIPPED, longer, 24).due_identity == "2033-11-30"
    for months in (0, 25):
        with pytest.raises(Invalid):
            keeping.extended(SHIPPED, case, months)
    with pytest.raises(Conflict):
        keeping.extended(SHIPPED, keeping.erased(case, ("identity", "narrative", "facts")), 1)


def test_a_withdrawn_consent_ends_the_keeping():
    """Within the month after thirty days, an extension or not; a new consent ends that."""
    case = keeping.extended(SHIPPED, close(a_case()), 12)
    going = keeping.withdrawn(SHIPPED, case, TODAY)
    assert going.due_identity == going.due_facts == "2026-12-31"
    assert keeping.due_now(SHIPPED, going, date(2027, 1, 1)) == {"identity", "narrative", "facts"}
    assert keeping.agreed(SHIPPED, going).due_identity == "2031-11-30"
    assert keeping.agreed(SHIPPED, case) is case


def test_people_are_warned_twice():
    """Thirty days before, and seven; not of what is held, frozen or not counted."""
    case = close(a_case(), date(2026, 11, 1))
    assert keeping.warning(SHIPPED, case, date(2031, 10, 31)) is None
    assert keeping.warning(SHIPPED, case, date(2031, 11, 1)) == ("2031-11-30", 30)
    assert keeping.warning(SHIPPED, case, date(2031, 11, 24)) == ("2031-11-30", 7)
    assert keeping.warning(SHIPPED, a_case(), date(2031, 11, 24)) is None
    for kept in ({"hold": True}, {"restriction": True}):
        assert keeping.warning(SHIPPED, keeping.replace(case, **kept), date(2031, 11, 24)) is None


def test_what_is_erased_stays_so():
    """A compartment that is gone is never due again, whatever the schedule says later."""
    case = keeping.erased(close(a_case()), ["identity"])
    assert case.due_identity == ERASED
    again = keeping.recounted(changed(standard=Periods(1, 2, 3, "Short", Reference.CLOSED)), case)
    assert (again.due_identity, again.due_narrative) == (ERASED, "2027-01-31")
    assert keeping.due_now(SHIPPED, again, date(2027, 2, 1)) == {"narrative"}


def test_a_row_from_before_is_never_due_earlier():
    """Its day of counting was not kept: the later of both dates holds."""
    case = keeping.replace(a_case(), counted_from=None, schedule=None, due_identity="2049-12-31")
    again = keeping.recounted(SHIPPED, case)
    assert (again.due_identity, again.due_narrative) == ("2049-12-31", "2033-11-30")


def test_a_status_that_opens_or_closes_nothing_counts_nothing_anew():
    """From active to followed up."""
    case = a_case()
    after = keeping.replace(case, status=Status.FOLLOW_UP)
    assert keeping.moved(SHIPPED, case, after, TODAY) == after


def test_a_hold_forbids_to_destroy():
    """Whatever is to be destroyed of the case."""
    keeping.check_free(a_case())
    with pytest.raises(Conflict):
        keeping.check_free(keeping.replace(a_case(), hold=True))


def test_a_class_that_was_lost_is_no_default():
    """A line that is no class, and a month beyond any calendar."""
    with pytest.raises(Invalid):
        retention.from_parameters({**SHIPPED.parameters(), "class.other": "closed for ever"})


def test_no_class_and_no_minor():
    """A schedule without classes is none; of age, or of an age that nobody knows: no date."""
    with pytest.raises(Invalid):
        retention.check(Schedule(1, {}, 6, 24))
    assert retention.of_age(18, TODAY) is retention.of_age(None, TODAY) is None


def test_a_schedule_without_a_class_keeps_nothing():
    """It could not be carried out."""
    with pytest.raises(Invalid) as caught:
        retention.check(Schedule(1, {}, grace_months=6, extension_months=24))
    assert [fault.pointer for fault in caught.value.errors] == ["/classes"]


@pytest.mark.parametrize("youngest", [None, 18, 40])
def test_an_adult_does_not_come_of_age(youngest):
    """Nor does somebody of whom nobody knows the age."""
    assert retention.of_age(youngest, date(2026, 11, 24)) is None
