"""How long a case is kept: what happens to it moves its dates, and some things never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from casevault.domain.case import casefile, keeping
from casevault.domain.case.casefile import Compartment, Status
from casevault.domain.case.retention import ERASED, SHIPPED, WARNING_DAYS, Reference
from casevault.errors import Conflict, Invalid
from casevault.ids import CaseId, CaseReference, TeamId

DAY = date(2026, 11, 24)
LATER = date(2027, 5, 3)
# As shipped, and a class that is counted from the last contact, as an organisation may have one.
SCHEDULE = replace(
    SHIPPED,
    classes={
        **SHIPPED.classes,
        "by-contact": replace(SHIPPED.classes["standard"], counted_from=Reference.LAST_CONTACT),
    },
)
BY = {
    reference: next(name for name, one in SCHEDULE.classes.items() if one.counted_from is reference)
    for reference in {one.counted_from for one in SCHEDULE.classes.values()}
}
NAMES = frozenset(one.value for one in Compartment)


def a_case(retention_class="standard", **changes):
    """Return a case of today."""
    made = casefile.new_case(
        CaseId(UUID(int=1)),
        CaseReference("CV-7K3M-9QXP"),
        TeamId(UUID(int=2)),
        retention_class,
        DAY,
        of_age=None,
        schedule=SCHEDULE,
    )
    return replace(made, **changes)


def dues(case):
    """Return the due dates."""
    return keeping.due_of(case)


def test_the_schedule_knows_every_way_of_counting():
    """So that the tests below are about each of them."""
    assert set(BY) == set(Reference)


@pytest.mark.parametrize("reference", list(Reference))
def test_closing_counts_for_whatever_is_not_counted_from_opening(reference):
    """From the end of the month of closing; what is counted from opening stays."""
    case = a_case(BY[reference])
    found = keeping.closed(SCHEDULE, case, LATER)
    if reference is Reference.OPENED:
        assert found == case
    else:
        assert found.counted_from == "2027-05-31"
        assert all(found_due > dues(case)[name] for name, found_due in dues(found).items())


@pytest.mark.parametrize("reference", list(Reference))
def test_contact_counts_where_the_class_says_so(reference):
    """And nowhere else."""
    case = a_case(BY[reference])
    moved = keeping.contacted(SCHEDULE, case, LATER) != case
    assert moved == (reference is Reference.LAST_CONTACT)


def test_a_reopened_case_has_a_time_of_grace():
    """Nothing goes within it, and a longer limit stays."""
    case = a_case()
    found = keeping.reopened(SCHEDULE, case, LATER)
    assert found.not_before is not None
    assert min(dues(found).values()) >= found.not_before > LATER.isoformat()
    longer = replace(case, not_before="2099-01-31")
    assert keeping.reopened(SCHEDULE, longer, LATER).not_before == "2099-01-31"


def test_changes_of_status_are_told_apart():
    """Closing closes, opening reopens, anything else leaves the dates."""
    opened, shut = a_case(), a_case(status=Status.CLOSED)
    followed = replace(opened, status=Status.FOLLOW_UP)
    assert keeping.moved(SCHEDULE, opened, shut, LATER) == keeping.closed(SCHEDULE, shut, LATER)
    assert keeping.moved(SCHEDULE, shut, opened, LATER) == keeping.reopened(SCHEDULE, opened, LATER)
    assert keeping.moved(SCHEDULE, opened, followed, LATER) == followed


@pytest.mark.parametrize("months", [0, -1, SCHEDULE.extension_months + 1])
def test_a_case_is_not_kept_longer_than_the_schedule_says(months):
    """Nor shorter."""
    with pytest.raises(Invalid) as caught:
        keeping.extended(SCHEDULE, a_case(), months)
    assert caught.value.code == "retention.extension"


def test_extensions_have_one_limit_together():
    """Each is counted from the schedule; two are not longer than the longer one."""
    case = a_case()
    one = keeping.extended(SCHEDULE, case, 6)
    assert keeping.extended(SCHEDULE, one, 6) == one
    assert keeping.extended(SCHEDULE, one, 3).not_before == one.not_before
    assert min(dues(one).values()) > min(dues(case).values())
    with pytest.raises(Conflict) as caught:
        keeping.extended(SCHEDULE, keeping.erased(case, NAMES), 6)
    assert caught.value.code == "case.erased"


def test_a_withdrawn_consent_ends_the_keeping_and_a_new_one_resumes_it():
    """All goes soon, whatever was longer; with consent the schedule counts again."""
    case = a_case()
    found = keeping.withdrawn(SCHEDULE, keeping.extended(SCHEDULE, case, 6), LATER)
    assert set(dues(found).values()) == {found.not_after}
    assert keeping.due_now(SCHEDULE, found, date(2027, 12, 1)) == NAMES
    assert dues(keeping.agreed(SCHEDULE, found)) == dues(case)
    assert keeping.agreed(SCHEDULE, case) is case


def test_an_open_case_that_is_counted_from_closing_is_never_due():
    """However long it lasts."""
    far = date(2199, 1, 1)
    by_closing = a_case(BY[Reference.CLOSED])
    assert keeping.due_now(SCHEDULE, by_closing, far) == frozenset()
    shut = replace(by_closing, status=Status.CLOSED)
    assert keeping.due_now(SCHEDULE, shut, far) == NAMES
    assert keeping.due_now(SCHEDULE, shut, DAY) == frozenset()


@pytest.mark.parametrize(("hold", "restriction"), [(True, False), (False, True), (False, False)])
def test_what_is_held_or_frozen_is_not_free(hold, restriction):
    """Neither by date nor at somebody's wish; a hold is named first."""
    case = a_case(hold=hold, restriction=restriction)
    assert keeping.is_free(case) == (not hold and not restriction)
    if hold or restriction:
        with pytest.raises(Conflict) as caught:
            keeping.check_free(case)
        assert caught.value.code == ("case.hold" if hold else "case.restricted")
    else:
        keeping.check_free(case)


def test_people_are_warned_before_something_goes():
    """In the steps of the schedule; not of what is held, far away, or already gone."""
    case = replace(a_case(BY[Reference.OPENED]), status=Status.CLOSED)
    first = min(dues(case).values())
    near = date.fromordinal(date.fromisoformat(first).toordinal() - 1)
    assert keeping.warning(SCHEDULE, case, near) == (first, min(WARNING_DAYS))
    assert keeping.warning(SCHEDULE, case, DAY) is None
    assert keeping.warning(SCHEDULE, replace(case, hold=True), near) is None
    assert keeping.warning(SCHEDULE, keeping.erased(case, NAMES), near) is None


def test_what_is_erased_stays_erased():
    """Counting anew brings no date back."""
    gone = keeping.erased(a_case(), {"identity"})
    assert gone.due_identity == ERASED
    assert dues(keeping.recounted(SCHEDULE, gone)).keys() == NAMES - {"identity"}


def test_a_row_from_before_is_never_due_earlier():
    """The day of counting was not kept then: the month of opening stands for it."""
    case = replace(a_case(), counted_from=None)
    late = replace(case, due_identity="2199-12-31")
    assert keeping.recounted(SCHEDULE, late).due_identity == "2199-12-31"
