"""Shapes of opening a case in an emergency, and of who is on call."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape, Words, moment
from casevault.domain.audit.oversight import Finding
from casevault.domain.case.casefile import Compartment
from casevault.services.casework.emergencies import Emergency
from casevault.services.staff.duty import OnDuty
from casevault.store.casework.dossiers import Dossier

_SOMEBODY = "00000000-0000-4000-8000-000000000001"


class NewBreakGlass(Shape):
    """Which case (its id, or its reference as people say it), why, and how much of it.

    You cannot read the reason back: it is sealed to the DPO and to the team's supervisors.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "case": "CV-7K3M-9QXP",
                    "reason": "The ambulance asks for allergies.",
                    "compartments": ["narrative"],
                }
            ]
        }
    )
    case: str = Field(min_length=1, max_length=40)
    reason: Annotated[Words, Field(min_length=1, max_length=2000)]
    compartments: list[Annotated[Compartment, Field(strict=False)]] = Field(
        default_factory=lambda: list(Compartment), min_length=1, max_length=len(Compartment)
    )


class BreakGlass(Shape):
    """`asked`: waits for an approval until `ends_at`; `open`: the case opens until then."""

    id: UUID
    case_id: UUID
    state: str
    compartments: list[str]
    ends_at: datetime | None

    @classmethod
    def of(cls, dossier: Dossier, now: int) -> Self:
        """Return the shape of what was asked for or opened."""
        return cls(
            id=dossier.id,
            case_id=dossier.case,
            state=dossier.state(now).value,
            compartments=list(dossier.compartments),
            ends_at=moment(dossier.ends_at),
        )


class BreakGlassItem(Shape):
    """An emergency with its reason; `reason` is null if its text does not open any more."""

    id: UUID
    reference: str | None
    state: str
    asked_by: UUID
    opened_by: UUID | None
    compartments: list[str]
    asked_at: datetime | None
    opened_at: datetime | None
    ends_at: datetime | None
    overdue: bool
    reason: str | None

    @classmethod
    def of(cls, found: Emergency) -> Self:
        """Return the shape of an emergency."""
        one = found.dossier
        return cls(
            id=one.id,
            reference=found.reference,
            state=found.state.value,
            asked_by=one.asker,
            opened_by=one.opened_by,
            compartments=list(one.compartments),
            asked_at=moment(one.asked_at),
            opened_at=moment(one.opened_at),
            ends_at=moment(one.ends_at),
            overdue=found.overdue,
            reason=found.reason,
        )


class BreakGlassList(Shape):
    """What waits, oldest first."""

    items: list[BreakGlassItem]


class BreakGlassReview(Shape):
    """What the DPO found. The note is sealed to the DPO's group."""

    outcome: Annotated[Finding, Field(strict=False)]
    note: Annotated[Words, Field(min_length=1, max_length=4000)]


class NewDuty(Shape):
    """Who is on call from now on: exactly these colleagues, or nobody."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"members": [_SOMEBODY]}]})
    members: list[Annotated[UUID, Field(strict=False)]] = Field(max_length=50)


class Duty(Shape):
    """The duty group; `left` cases could not be given and need a look."""

    group: UUID
    members: list[UUID]
    given: int
    left: int

    @classmethod
    def of(cls, found: OnDuty) -> Self:
        """Return the shape of a duty group."""
        return cls(
            group=found.group, members=list(found.members), given=found.given, left=found.left
        )
