"""The case file: its plain metadata and its states."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from datetime import date
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain.case import casefile
from casevault.domain.case.casefile import CaseMetadata, Compartment, DocumentKind, Status
from casevault.errors import Conflict, Invalid
from casevault.ids import CaseId, CaseReference, TeamId

LEGAL = {
    (Status.ACTIVE, Status.FOLLOW_UP),
    (Status.ACTIVE, Status.CLOSED),
    (Status.ACTIVE, Status.CLOSED_REFERRED),
    (Status.FOLLOW_UP, Status.ACTIVE),
    (Status.FOLLOW_UP, Status.CLOSED),
    (Status.FOLLOW_UP, Status.CLOSED_REFERRED),
    (Status.CLOSED, Status.ACTIVE),
    (Status.CLOSED_REFERRED, Status.ACTIVE),
}


def a_case(retention_class: str = "standard", *, minor: bool = False) -> CaseMetadata:
    return casefile.new_case(
        CaseId(UUID(int=1)),
        CaseReference("CV-7K3M-9QXP"),
        TeamId(UUID(int=2)),
        retention_class,
        date(2026, 11, 24),
        of_age=date(2044, 12, 31) if minor else None,
    )


def test_a_new_case_tells_no_day():
    """The opening is a month, and every due date a month's end."""
    case = a_case()
    assert case.status is Status.ACTIVE
    assert case.opened_month == "2026-11"
    assert case.next_review == "2027-02-28"
    assert (case.due_identity, case.due_narrative, case.due_facts) == (
        "2031-11-30",
        "2033-11-30",
        "2036-11-30",
    )
    assert (case.version, case.key_version) == (1, 1)
    assert (case.hold, case.restriction, case.rekey_due) == (False, False, False)


def test_the_class_of_a_minor_is_the_class_of_anyone():
    """Only the due dates move for a minor; nothing else in the row differs."""
    adult, minor = a_case(), a_case(minor=True)
    same = {"due_identity", "due_narrative", "due_facts", "of_age"}
    for name in {f.name for f in fields(CaseMetadata)} - same:
        assert getattr(adult, name) == getattr(minor, name)
    assert minor.due_identity == "2049-12-31"


def test_the_plain_columns_are_these():
    """What a case shows without a key is a reviewed list."""
    assert [f.name for f in fields(CaseMetadata)] == [
        "id",
        "reference",
        "team",
        "status",
        "retention_class",
        "opened_month",
        "next_review",
        "due_identity",
        "due_narrative",
        "due_facts",
        "hold",
        "restriction",
        "rekey_due",
        "version",
        "key_version",
        "counted_from",
        "of_age",
        "not_before",
        "not_after",
        "schedule",
    ]


def test_a_case_cannot_be_changed_in_place():
    """Metadata is frozen."""
    with pytest.raises(FrozenInstanceError):
        a_case().status = Status.CLOSED


def test_an_unknown_retention_class_is_refused_without_its_name():
    """The error names the place, never the input."""
    with pytest.raises(Invalid) as caught:
        a_case("canary-class")
    assert caught.value.errors[0].pointer == "/retention_class"
    assert "canary-class" not in str(caught.value)


@pytest.mark.parametrize(("current", "target"), sorted(LEGAL))
def test_legal_transitions_change_the_status_only(current, target):
    """Each transition of the table, with a reason."""
    before = replace(a_case(), status=current)
    after = casefile.transition(before, target, "made-up reason")
    assert after == replace(before, status=target)


@pytest.mark.parametrize(
    ("current", "target"), sorted(p for p in product(Status, Status) if p not in LEGAL)
)
def test_illegal_transitions_are_conflicts(current, target):
    """Every other pair is a conflict, staying included."""
    with pytest.raises(Conflict) as caught:
        casefile.transition(replace(a_case(), status=current), target, "made-up reason")
    assert caught.value.code == "case.transition"


@pytest.mark.parametrize(("current", "target"), sorted(LEGAL))
@pytest.mark.parametrize("reason", [None, ""])
def test_closing_and_reopening_need_a_reason(current, target, reason):
    """Between Active and FollowUp no reason is asked; into and out of closure one is."""
    case = replace(a_case(), status=current)
    if {current, target} == {Status.ACTIVE, Status.FOLLOW_UP}:
        assert casefile.transition(case, target, reason).status is target
        return
    with pytest.raises(Invalid) as caught:
        casefile.transition(case, target, reason)
    assert [e.pointer for e in caught.value.errors] == ["/reason"]


@given(targets=st.lists(st.sampled_from(list(Status)), max_size=12))
def test_versions_only_grow(targets):
    """Whatever is tried in whatever order, the version counts the transitions that happened."""
    case, done = a_case(), 0
    for target in targets:
        try:
            case = casefile.next_version(casefile.transition(case, target, "made-up reason"))
        except Conflict:
            continue
        done += 1
    assert case.version == 1 + done


@pytest.mark.parametrize("kind", DocumentKind)
def test_every_kind_of_document_has_a_compartment(kind):
    """No document is without keys."""
    assert casefile.compartment_of(kind) in Compartment


def test_what_names_a_person_is_apart_from_what_happened():
    """Identity and profile never share a key."""
    assert casefile.compartment_of(DocumentKind.IDENTITY) is Compartment.IDENTITY
    assert casefile.compartment_of(DocumentKind.PROFILE) is Compartment.NARRATIVE
    assert casefile.compartment_of(DocumentKind.FACTS) is Compartment.FACTS


def test_an_open_case_is_looked_at_again_when_its_month_comes():
    """Whoever looked through it moves the month on; a closed case is not reviewed."""
    case = a_case()
    due = date.fromisoformat(case.next_review)
    assert not casefile.review_is_due(case, date(2026, 11, 24))
    assert casefile.review_is_due(case, due)
    assert casefile.review_is_due(case, due.replace(day=1))
    later = casefile.reviewed(case, due)
    assert later.next_review > case.next_review
    assert not casefile.review_is_due(later, due)
    for status in Status:
        closed = replace(case, status=status)
        assert casefile.is_closed(status) == status.value.startswith("Closed")
        if casefile.is_closed(status):
            assert not casefile.review_is_due(closed, due)
            with pytest.raises(Conflict) as caught:
                casefile.reviewed(closed, due)
            assert caught.value.code == "case.closed"
