"""Shapes of consents, other lawful bases, and deadlines that passed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape, Words, moment
from casevault.domain.audit.oversight import Finding
from casevault.domain.sharing.cascade import Consequence, Effect
from casevault.services.rights.deadlines import Missed
from casevault.services.sharing.consents import Withdrawn

_POINTS = ("interview", "purpose", "use", "research", "access", "storage", "withdrawal")


class NewConsent(Shape):
    """What the survivor agreed to, in one purpose; the form `consent` says what is asked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "content": {
                        "purpose": "referral",
                        "categories": ["name", "situation_and_needs"],
                        "recipients": ["Made-Up House of Calm"],
                        "method": "verbal",
                        "language": "fr",
                        "wording": "2026-1",
                        "given_on": "2026-11-20",
                        "valid_until": "2027-05-20",
                        "explained": {**dict.fromkeys(_POINTS, True)},
                    }
                }
            ]
        }
    )
    content: dict[str, Any]


class NewWithdrawal(Shape):
    """A consent is taken back; nobody has to say why."""

    reason: Words = Field(default="", max_length=1000)


class Follows(Shape):
    """One thing that follows from a withdrawal; `about` names the record that it is about."""

    what: Consequence
    about: UUID | None

    @classmethod
    def of(cls, effect: Effect) -> Self:
        """Return the shape of an effect."""
        return cls(what=effect.what, about=effect.about)


class Withdrawal(Shape):
    """What followed, and what cannot be called back: tell the survivor."""

    followed: list[Follows]
    stays: list[Follows]

    @classmethod
    def of(cls, found: Withdrawn) -> Self:
        """Return the shape of a withdrawal."""
        return cls(
            followed=[Follows.of(one) for one in found.followed],
            stays=[Follows.of(one) for one in found.stays],
        )


class NewBasis(Shape):
    """Another basis than consent, with the reason by which a supervisor decides."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "content": {
                        "basis": "vital_interests",
                        "purpose": "referral",
                        "categories": ["name", "contact"],
                        "recipients": ["Made-Up Hospital"],
                        "reason": "Made up: unconscious, brought by friends.",
                        "from": "2026-11-20",
                        "valid_until": "2026-11-21",
                    }
                }
            ]
        }
    )
    content: dict[str, Any]


class BasisState(Shape):
    """What became of it: ``done`` or ``declined``."""

    state: str


class MissedDeadline(Shape):
    """Something that should have been done by now; what it is about lies in the case."""

    id: UUID
    kind: str
    case_id: UUID
    reference: str | None
    staff_id: UUID
    due_at: datetime | None

    @classmethod
    def of(cls, missed: Missed) -> Self:
        """Return the shape of a deadline."""
        one = missed.deadline
        return cls(
            id=one.id,
            kind=one.kind.value,
            case_id=one.case,
            reference=missed.reference,
            staff_id=one.person,
            due_at=moment(one.due_at),
        )


class MissedDeadlines(Shape):
    """Everything that passed and waits for the DPO."""

    items: list[MissedDeadline]


class DeadlineReview(Shape):
    """What the DPO found."""

    outcome: Annotated[Finding, Field(strict=False)]
