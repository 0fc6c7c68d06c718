"""Shapes of what comes in for a team."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Base64Bytes, ConfigDict, Field

from casevault.api.schemas.common import Shape, Words, moment
from casevault.domain.sharing.arriving import Declined
from casevault.services.sharing.inbox import Later, Opened
from casevault.store.sharing.arrivals import Arrival, ArrivalKind, ArrivalState

_PERSON: dict[str, Any] = {"name_to_use": "Ondine Obvious-Madeup", "languages": ["fr"]}


class NewIntake(Shape):
    """A person who needs help, for a team; the form `intake` says what can be told."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "team": "North team (made up)",
                    "identity": _PERSON,
                    "profile": {"needs": ["safehouse"]},
                    "words": "Made up: waits at the desk until six.",
                }
            ]
        }
    )
    team: Annotated[str, Field(min_length=1, max_length=200)]
    identity: dict[str, Any]
    profile: dict[str, Any] = Field(default_factory=dict)
    words: Words = Field(default="", max_length=4000)


class NewIntakeMembers(Shape):
    """Who opens the inbox beside the supervisors, from now on; nobody, if the list is empty."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"members": ["11111111-1111-4111-8111-111111111111"]}]}
    )
    members: list[Annotated[UUID, Field(strict=False)]] = Field(max_length=50)


class IntakeGroup(Shape):
    """Who opens the inbox now."""

    members: list[UUID]


class Receipt(Shape):
    """By what you and the team can speak of it on the phone. Nothing more can be read back."""

    receipt: UUID


class ArrivedPackage(Shape):
    """A package that came by hand (`casevault package make --kind intake`), in base64."""

    package: Base64Bytes = Field(strict=False, max_length=1_000_000, repr=False)


class InboxEntry(Shape):
    """Something that came in; when it is erased if nobody takes it over.

    Of a referral from another team: `sent_by` is the colleague to call, `reference` what both
    sides call it.
    """

    id: UUID
    kind: ArrivalKind
    state: ArrivalState
    team_id: UUID
    sent_by: UUID | None
    reference: str | None
    received_at: datetime | None
    erased_at: datetime | None

    @classmethod
    def of(cls, one: Arrival) -> Self:
        """Return the shape of an arrival."""
        return cls(
            id=one.id,
            kind=one.kind,
            state=one.state,
            team_id=one.team,
            sent_by=one.sender,
            reference=one.reference or None,
            received_at=moment(one.at),
            erased_at=moment(one.ends_at),
        )


class InboxList(Shape):
    """What waits for your team, oldest first."""

    items: list[InboxEntry]


class OpenedEntry(Shape):
    """What came in; `letter` says which help a referral asks for, and by whom."""

    entry: InboxEntry
    identity: dict[str, Any]
    profile: dict[str, Any]
    words: str
    letter: dict[str, str]

    @classmethod
    def of(cls, opened: Opened) -> Self:
        """Return the shape of what was opened."""
        intake = opened.intake
        return cls(
            entry=InboxEntry.of(opened.arrival),
            identity=dict(intake.identity),
            profile=dict(intake.profile),
            words=intake.words,
            letter=dict(intake.letter),
        )


class TakeOver(Shape):
    """How it becomes a case; identity and profile as you corrected them, or as they came."""

    identity: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None
    retention_class: str = Field(default="standard", max_length=40)


class MergeInto(Shape):
    """The case of yours in which it becomes a note."""

    case_id: UUID = Field(strict=False)


class Decline(Shape):
    """Why it is not taken over; `words` for the team that referred somebody, and for no other."""

    reason: Annotated[Declined, Field(strict=False)]
    words: Words = Field(default="", max_length=1000)


class LaterAnswer(Shape):
    """What became of a referral that you accepted; `noted`: you know that it was called back."""

    answer: Annotated[Later, Field(strict=False)]
    words: Words = Field(default="", max_length=1000)


class Placed(Shape):
    """The case in which it is now."""

    case_id: UUID
    note_id: UUID | None = None
