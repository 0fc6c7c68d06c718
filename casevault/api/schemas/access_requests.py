"""Shapes of asking for a case."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from casevault.api.schemas.common import Shape, Words, moment
from casevault.domain.case.casefile import Compartment
from casevault.services.casework.access_requests import Listed
from casevault.store.casework.access_requests import AccessRequest, RequestState


class NewAccessRequest(Shape):
    """Why you ask, for how much of the case, and until when (92 days at most).

    The reason is sealed to those who hold the case; you cannot read it back.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reason": "She is at our desk and says that you helped her before.",
                    "compartments": ["narrative"],
                    "until": "2026-12-24T17:00:00Z",
                }
            ]
        }
    )
    reason: Annotated[Words, Field(min_length=1, max_length=2000)]
    compartments: list[Annotated[Compartment, Field(strict=False)]] = Field(
        default_factory=lambda: list(Compartment), min_length=1, max_length=len(Compartment)
    )
    until: AwareDatetime = Field(strict=False)


class AskedAccess(Shape):
    """A request: `waiting`, `granted` or `declined`."""

    id: UUID
    state: RequestState
    compartments: list[str]
    until: datetime | None

    @classmethod
    def of(cls, found: AccessRequest) -> Self:
        """Return the shape of a request."""
        return cls(
            id=found.id,
            state=found.state,
            compartments=list(found.compartments),
            until=moment(found.until),
        )


class AccessRequestItem(Shape):
    """A request of yours (`mine`), or one that waits for you as a holder of the case."""

    id: UUID
    reference: str | None
    mine: bool
    state: RequestState
    asked_by: UUID
    asked_at: datetime | None
    compartments: list[str]
    until: datetime | None
    decided_by: UUID | None
    reason: str | None
    answer: str | None

    @classmethod
    def of(cls, found: Listed) -> Self:
        """Return the shape of a listed request."""
        one = found.request
        return cls(
            id=one.id,
            reference=found.reference,
            mine=found.mine,
            state=one.state,
            asked_by=one.asker,
            asked_at=moment(one.asked_at),
            compartments=list(one.compartments),
            until=moment(one.until),
            decided_by=one.decider,
            reason=found.reason,
            answer=found.answer,
        )


class AccessRequestList(Shape):
    """Oldest first; answered ones for 30 days."""

    items: list[AccessRequestItem]


class AccessDecision(Shape):
    """Whether the access is given, and why; who asked reads the reason."""

    grant: bool
    reason: Annotated[Words, Field(min_length=1, max_length=2000)]
