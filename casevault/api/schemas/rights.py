"""What goes in and out about the survivor's rights."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from casevault.api.schemas.common import Shape, Words, moment
from casevault.domain.case.restricting import TellingWay
from casevault.domain.rights.rights import Asker, Check, Ground, Right
from casevault.domain.sharing.consent import Purpose
from casevault.services.rights.complaints import Complaint
from casevault.services.rights.rights import Told, Wish
from casevault.store.casework.matters import Matter
from casevault.store.casework.showing import Shown
from casevault.store.sharing.recipients import Notice

_Why = Annotated[Words, Field(min_length=1, max_length=2000)]


class NewRestriction(Shape):
    """Which case (id or reference) is frozen, why, and when somebody looks at it again.

    The reason is sealed to the DPO's group and the team's supervisors.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "case": "CV-7K3M-9QXP",
                    "reason": "Says that a made-up entry is wrong; nothing is used meanwhile.",
                    "review": "2027-05-31",
                }
            ]
        }
    )
    case: str = Field(min_length=1, max_length=40)
    reason: _Why
    review: date = Field(strict=False)


class Lifting(Shape):
    """How the survivor was told, before, that their file will be used again."""

    told: Annotated[TellingWay, Field(strict=False)]


class Restriction(Shape):
    """A frozen case; `reason` is null if it does not open for you, `signed` false if unsigned."""

    id: UUID
    case_id: UUID
    reference: str | None
    set_by: UUID
    set_at: datetime | None
    review: str
    signed: bool
    reason: str | None

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """Return the shape of a restriction."""
        one = shown.matter
        return cls(
            id=one.id,
            case_id=one.case,
            reference=shown.reference,
            set_by=one.author,
            set_at=moment(one.at),
            review=one.due,
            signed=shown.signed,
            reason=shown.text,
        )


class RestrictionList(Shape):
    """The frozen cases, what is to be reviewed first."""

    items: list[Restriction]


class NewRight(Shape):
    """What the survivor asks for, who says so, and how it was made sure who asks (or null yet).

    The words are sealed: you cannot read them back by this. Never write the number of a paper here.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "right": "access",
                    "asker": "survivor",
                    "words": "Wants to read everything that we wrote, in Arabic.",
                    "identity": "code_word",
                }
            ]
        }
    )
    right: Annotated[Right, Field(strict=False)]
    asker: Annotated[Asker, Field(strict=False)]
    words: _Why
    identity: Annotated[Check, Field(strict=False)] | None = None
    # Of an objection: what the file is not to be used for any more.
    purpose: Annotated[Purpose, Field(strict=False)] | None = None

    def wish(self) -> Wish:
        """Return it as the use case takes it."""
        return Wish(self.right, self.asker, self.words, self.identity, self.purpose)


class ReceivedRight(NewRight):
    """The same, with the case (id or reference) that it is about."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "case": "CV-7K3M-9QXP",
                    "right": "objection",
                    "asker": "survivor",
                    "words": "Does not want to be counted.",
                    "purpose": "statistics",
                }
            ]
        }
    )
    case: str = Field(min_length=1, max_length=40)


class RightState(Shape):
    """How far a request is, and by when it is answered."""

    id: UUID
    case_id: UUID
    right: str
    stage: str
    due: str

    @classmethod
    def of(cls, one: Matter) -> Self:
        """Return the shape of a request's state."""
        return cls(id=one.id, case_id=one.case, right=one.type, stage=one.state, due=one.due)


class RightStates(Shape):
    """The requests of a case, what is due first."""

    items: list[RightState]


class RightStep(Shape):
    """One step of a request."""

    at: datetime | None
    by: str
    what: str
    words: str


class RightShown(RightState):
    """A request with its words; they are null if they do not open for you."""

    reference: str | None
    signed: bool
    asker: str | None
    words: str | None
    identity: str | None
    purpose: str | None
    ground: str | None
    received_at: datetime | None
    steps: list[RightStep]

    @classmethod
    def told(cls, told: Told) -> Self:
        """Return the shape of a request as the DPO sees it."""
        one, story = told.shown.matter, told.story
        steps = () if story is None else story.steps
        return cls(
            id=one.id,
            case_id=one.case,
            right=one.type,
            stage=one.state,
            due=one.due,
            reference=told.shown.reference,
            signed=told.shown.signed,
            asker=None if story is None else story.asker,
            words=None if story is None else story.words,
            identity=None if story is None else story.check,
            purpose=None if story is None else story.purpose,
            ground=None if story is None else story.ground,
            received_at=None if story is None else moment(story.received_at),
            steps=[
                RightStep(at=moment(each.at), by=each.by, what=each.what, words=each.words)
                for each in steps
            ],
        )


class RightList(Shape):
    """The requests, what is due first."""

    items: list[RightShown]


class Identified(Shape):
    """By which procedure it was made sure who asks."""

    method: Annotated[Check, Field(strict=False)]


class MoreTime(Shape):
    """Why the answer takes longer; the asker is told."""

    reason: _Why


class RightDecision(Shape):
    """Whether a request is granted, and why; a refusal names its ground."""

    grant: bool
    reason: Annotated[Words, Field(max_length=2000)] = ""
    ground: Annotated[Ground, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.grant is (self.ground is not None):
            raise PydanticCustomError("ground", "a refusal names its ground, a yes has none")
        return self


class RightDone(Shape):
    """How the survivor was told, once what was decided is carried out."""

    told: Annotated[TellingWay, Field(strict=False)]


class NewComplaint(Shape):
    """A complaint for the DPO alone; the case (id or reference) it is about, if any."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "asker": "survivor",
                    "words": "Somebody told my made-up neighbour where I live.",
                    "case": "CV-7K3M-9QXP",
                }
            ]
        }
    )
    asker: Annotated[Asker, Field(strict=False)]
    words: Annotated[Words, Field(min_length=1, max_length=8000)]
    case: str | None = Field(default=None, min_length=1, max_length=40)


class ComplaintSent(Shape):
    """The receipt of a complaint; nobody but the DPO reads it."""

    id: UUID


class ComplaintShown(Shape):
    """A complaint as the DPO reads it; `case_id` is null if it is about no case that there is."""

    id: UUID
    case_id: UUID | None
    reference: str | None
    said_about: str | None
    sent_by: UUID
    due: str
    state: str
    signed: bool
    asker: str | None
    words: str | None
    answer: str | None

    @classmethod
    def of(cls, one: Complaint) -> Self:
        """Return the shape of a complaint."""
        matter = one.shown.matter
        return cls(
            id=matter.id,
            case_id=matter.case if matter.case.int else None,
            reference=one.shown.reference,
            said_about=one.about,
            sent_by=matter.owner,
            due=matter.due,
            state=matter.state,
            signed=one.shown.signed,
            asker=one.asker,
            words=one.words,
            answer=one.answer,
        )


class ComplaintList(Shape):
    """The complaints, what is due first."""

    items: list[ComplaintShown]


class ComplaintAnswer(Shape):
    """What whoever complained was answered."""

    words: Annotated[Words, Field(min_length=1, max_length=8000)]


class NewNotices(Shape):
    """What each earlier recipient is to be told; it lies in the case."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"words": "The made-up birth year was wrong: it is 1990."}]}
    )
    words: _Why


class NoticeShown(Shape):
    """A recipient to be told: by which referral, since when, the task, and whether it is done."""

    referral_id: UUID
    recipient: str
    sent_on: str
    task_id: UUID | None
    done: bool


class NoticeList(Shape):
    """Everybody who is to be told, oldest referral first."""

    items: list[NoticeShown]

    @classmethod
    def of(cls, found: Iterable[Notice]) -> Self:
        """Return the shape of notices."""
        items = [
            NoticeShown(
                referral_id=one.referral,
                recipient=one.recipient,
                sent_on=one.sent_on,
                task_id=one.task,
                done=one.done,
            )
            for one in found
        ]
        return cls(items=items)
