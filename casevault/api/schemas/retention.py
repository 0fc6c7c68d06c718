"""Shapes of how long cases are kept: schedule, holds, extensions, erasures, certificates."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.approvals import Approval
from casevault.api.schemas.common import Shape, Words, moment
from casevault.domain.case.casefile import CaseMetadata, Compartment
from casevault.domain.case.retention import Periods, Reason, Reference, Schedule
from casevault.services.retention.keeping import Proposed
from casevault.store.casework.showing import Shown
from casevault.store.retention.counting_due import Preview

_Months = Annotated[int, Field(ge=1, le=600)]
_Why = Annotated[Words, Field(min_length=1, max_length=2000)]


class ClassPeriods(Shape):
    """Months after `counted_from` for which each part of a case is kept, and why."""

    name: str = Field(min_length=1, max_length=31)
    counted_from: Annotated[Reference, Field(strict=False)]
    identity: _Months
    narrative: _Months
    facts: _Months
    basis: Annotated[Words, Field(min_length=1, max_length=200)]

    @classmethod
    def of(cls, name: str, periods: Periods) -> Self:
        """Return the shape of a class."""
        return cls(
            name=name,
            counted_from=periods.counted_from,
            identity=periods.identity,
            narrative=periods.narrative,
            facts=periods.facts,
            basis=periods.basis,
        )


class NewSchedule(Shape):
    """All classes as they are to be; one that exists cannot be left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classes": [
                        {
                            "name": "standard",
                            "counted_from": "closed",
                            "identity": 48,
                            "narrative": 84,
                            "facts": 120,
                            "basis": "Follow-up, and claims within the usual terms",
                        }
                    ],
                    "grace_months": 6,
                    "extension_months": 24,
                }
            ]
        }
    )
    # A list: a name that somebody made up would stand in the place that an error points to.
    classes: list[ClassPeriods] = Field(min_length=1, max_length=20)
    grace_months: int = Field(default=6, ge=0, le=60)
    extension_months: int = Field(default=24, ge=0, le=120)

    def schedule(self) -> Schedule:
        """Return the schedule that is wished for; its version is given when it is checked."""
        classes = {
            one.name: Periods(one.identity, one.narrative, one.facts, one.basis, one.counted_from)
            for one in self.classes
        }
        return Schedule(0, classes, self.grace_months, self.extension_months)


class ScheduleVersion(Shape):
    """One version of the schedule."""

    version: int
    classes: list[ClassPeriods]
    grace_months: int
    extension_months: int

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """Return the shape of a version."""
        return cls(
            version=schedule.version,
            classes=[ClassPeriods.of(name, one) for name, one in schedule.classes.items()],
            grace_months=schedule.grace_months,
            extension_months=schedule.extension_months,
        )


class Schedules(Shape):
    """Every version, the shipped one first; the last one holds."""

    items: list[ScheduleVersion]


class DueCount(Shape):
    """How many cases have a part due."""

    retention_class: str
    compartment: str
    cases: int


class DuePreview(Shape):
    """What a run on that day would erase, and what it would leave."""

    day: str
    cases: int
    due: list[DueCount]
    held: int
    restricted: int
    unreadable: int

    @classmethod
    def of(cls, found: Preview) -> Self:
        """Return the shape of a preview."""
        due = [
            DueCount(retention_class=name, compartment=part, cases=count)
            for (name, part), count in sorted(found.due.items())
        ]
        return cls(
            day=found.day.isoformat(),
            cases=found.cases,
            due=due,
            held=found.held,
            restricted=found.restricted,
            unreadable=found.unreadable,
        )


class ProposedSchedule(Shape):
    """What waits for a second person, and what is due today without and with it."""

    approval: Approval
    version: int
    due_now: DuePreview
    due_then: DuePreview

    @classmethod
    def of(cls, proposed: Proposed) -> Self:
        """Return the shape of a proposal."""
        return cls(
            approval=Approval.of(proposed.wish),
            version=proposed.schedule.version,
            due_now=DuePreview.of(proposed.now),
            due_then=DuePreview.of(proposed.then),
        )


class NewHold(Shape):
    """Which case (id or reference) must be kept, why, who looks after it, when it is looked at.

    You cannot read the reason back by this: it is sealed to the DPO's group and the team's
    supervisors.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "case": "CV-7K3M-9QXP",
                    "reason": "A made-up court asked that the file be kept.",
                    "owner": "00000000-0000-4000-8000-000000000001",
                    "review": "2027-05-31",
                }
            ]
        }
    )
    case: str = Field(min_length=1, max_length=40)
    reason: _Why
    owner: UUID = Field(strict=False)
    review: date = Field(strict=False)


class HoldReview(Shape):
    """Until when a hold stands before somebody looks again."""

    review: date = Field(strict=False)


class Hold(Shape):
    """A hold; `reason` is null if it does not open for you, `signed` false if nobody signed it."""

    id: UUID
    case_id: UUID
    reference: str | None
    set_by: UUID
    owner: UUID
    set_at: datetime | None
    review: str
    signed: bool
    reason: str | None

    @classmethod
    def of(cls, hold: Shown) -> Self:
        """Return the shape of a hold."""
        one = hold.matter
        return cls(
            id=one.id,
            case_id=one.case,
            reference=hold.reference,
            set_by=one.author,
            owner=one.owner,
            set_at=moment(one.at),
            review=one.due,
            signed=hold.signed,
            reason=hold.text,
        )


class HoldList(Shape):
    """The holds, what is to be reviewed first."""

    items: list[Hold]


class NewErasure(Shape):
    """Why a case is to go before its time, as a code, and which parts of it (all by default)."""

    reason: Annotated[Reason, Field(strict=False)]
    compartments: list[Annotated[Compartment, Field(strict=False)]] = Field(
        default_factory=lambda: list(Compartment), min_length=1, max_length=len(Compartment)
    )


class NewExtension(Shape):
    """For how many months after it was due first a case is kept, and why."""

    months: int = Field(ge=1, le=120)
    reason: _Why


class Due(Shape):
    """When each part of a case is due; `erased` if it is gone."""

    due: dict[str, str]

    @classmethod
    def of(cls, case: CaseMetadata) -> Self:
        """Return the shape of a case's dates."""
        found = {one.value: str(getattr(case, f"due_{one}")) for one in Compartment}
        return cls(due=found)


class CertificateList(Shape):
    """The ids of certificates, in no order of time."""

    items: list[UUID]


class Certificate(Shape):
    """A certificate of erasure as its file holds it: docs/formats/certificate.md."""

    certificate: dict[str, Any]
    entry: dict[str, str]
    signature: str
