"""The case file: its plain metadata, its documents, and the states it goes through.

Pure. States are HTCDS's; illegal transitions are a `Conflict`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from casevault.domain.case import retention
from casevault.domain.case.retention import Schedule
from casevault.errors import Conflict, FieldError, Invalid
from casevault.ids import CaseId, CaseReference, TeamId


class Compartment(StrEnum):
    """Parts of a case with keys of their own."""

    IDENTITY = "identity"
    NARRATIVE = "narrative"
    FACTS = "facts"


class DocumentKind(StrEnum):
    """Kinds of sealed documents in a case."""

    IDENTITY = "identity"
    PROFILE = "profile"
    FACTS = "facts"
    NOTE = "note"
    SERVICE = "service"
    TASK = "task"
    LINK = "link"
    TRANSITION = "transition"
    REFUSED_STAFF = "refused_staff"
    CONSENT = "consent"
    BASIS = "basis"
    FILE = "file"
    REFERRAL = "referral"


class Status(StrEnum):
    """HTCDS case statuses."""

    ACTIVE = "Active"
    FOLLOW_UP = "FollowUp"
    CLOSED = "Closed"
    CLOSED_REFERRED = "ClosedReferred"


_COMPARTMENT_OF = MappingProxyType(
    {
        DocumentKind.IDENTITY: Compartment.IDENTITY,
        DocumentKind.PROFILE: Compartment.NARRATIVE,
        DocumentKind.FACTS: Compartment.FACTS,
        DocumentKind.NOTE: Compartment.NARRATIVE,
        DocumentKind.SERVICE: Compartment.NARRATIVE,
        DocumentKind.TASK: Compartment.NARRATIVE,
        DocumentKind.LINK: Compartment.NARRATIVE,
        DocumentKind.TRANSITION: Compartment.NARRATIVE,
        DocumentKind.REFUSED_STAFF: Compartment.NARRATIVE,
        DocumentKind.CONSENT: Compartment.NARRATIVE,
        DocumentKind.BASIS: Compartment.NARRATIVE,
        # Or the identity, if that is what it shows.
        DocumentKind.FILE: Compartment.NARRATIVE,
        DocumentKind.REFERRAL: Compartment.NARRATIVE,
    }
)

_CLOSED = frozenset({Status.CLOSED, Status.CLOSED_REFERRED})
_TRANSITIONS = MappingProxyType(
    {
        Status.ACTIVE: frozenset({Status.FOLLOW_UP}) | _CLOSED,
        Status.FOLLOW_UP: frozenset({Status.ACTIVE}) | _CLOSED,
        Status.CLOSED: frozenset({Status.ACTIVE}),
        Status.CLOSED_REFERRED: frozenset({Status.ACTIVE}),
    }
)


@dataclass(frozen=True, slots=True)
class CaseMetadata:
    """Everything about a case that is stored in plain text, and nothing else.

    `opened_month` is ``2026-11``; `next_review` and the due dates are ``2026-11-30``, rounded up.
    """

    id: CaseId
    reference: CaseReference
    team: TeamId
    status: Status
    retention_class: str
    opened_month: str
    next_review: str
    due_identity: str
    due_narrative: str
    due_facts: str
    hold: bool = False
    restriction: bool = False
    rekey_due: bool = False
    version: int = 1
    key_version: int = 1
    # From when it is counted, by when a minor has come of age (rounded up), before when nothing
    # goes, after when nothing stays, and by which version of the schedule: see
    # `domain.case.keeping`.
    counted_from: str | None = None
    of_age: str | None = None
    not_before: str | None = None
    not_after: str | None = None
    schedule: int | None = None


def compartment_of(kind: DocumentKind) -> Compartment:
    """Return the compartment in which documents of a kind lie."""
    return _COMPARTMENT_OF[kind]


def new_case(
    case_id: CaseId,
    reference: CaseReference,
    team: TeamId,
    retention_class: str,
    opened: date,
    *,
    of_age: date | None = None,
    schedule: Schedule = retention.SHIPPED,
) -> CaseMetadata:
    """Return the metadata of a case opened on `opened`; `of_age` says when a minor comes of age."""
    due = retention.due_dates(schedule, retention_class, opened, of_age=of_age)
    return CaseMetadata(
        id=case_id,
        reference=reference,
        team=team,
        status=Status.ACTIVE,
        retention_class=retention_class,
        opened_month=f"{opened:%Y-%m}",
        next_review=retention.next_review(opened).isoformat(),
        due_identity=due.identity.isoformat(),
        due_narrative=due.narrative.isoformat(),
        due_facts=due.facts.isoformat(),
        counted_from=retention.month_end(opened).isoformat(),
        of_age=None if of_age is None else of_age.isoformat(),
        schedule=schedule.version,
    )


def is_closed(status: Status) -> bool:
    """Say whether a case in this status is closed."""
    return status in _CLOSED


def review_is_due(case: CaseMetadata, today: date) -> bool:
    """Say whether an open case is to be looked at again by the end of this month."""
    return not is_closed(case.status) and case.next_review[:7] <= f"{today:%Y-%m}"


def reviewed(case: CaseMetadata, today: date) -> CaseMetadata:
    """Return the case as somebody who looked through it today leaves it; closed: a `Conflict`."""
    if is_closed(case.status):
        raise Conflict("A closed case is not reviewed. Reopen it first.", code="case.closed")
    return replace(case, next_review=retention.next_review(today).isoformat())


def next_version(case: CaseMetadata) -> CaseMetadata:
    """Return the case as its next write finds it."""
    return replace(case, version=case.version + 1)


def transition(case: CaseMetadata, target: Status, reason: str | None) -> CaseMetadata:
    """Return the case in its next state, same version; closing and reopening need a reason."""
    if target not in _TRANSITIONS[case.status]:
        raise Conflict("The case cannot go to this status from here.", code="case.transition")
    if not reason and (target in _CLOSED or case.status in _CLOSED):
        raise Invalid(
            "Closing and reopening need a reason.",
            code="case.reason",
            errors=(FieldError("/reason", "case.reason"),),
        )
    return replace(case, status=target)
