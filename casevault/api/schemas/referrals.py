"""Shapes of referrals: what is asked for, what would leave, what became of it."""

from __future__ import annotations

import base64
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Base64Bytes, ConfigDict, Field

from casevault.api.schemas.common import Shape, Words, moment
from casevault.api.schemas.exchange import VaultLetter
from casevault.api.schemas.records import CaseRecord
from casevault.domain.sharing.collecting import MAX_DAYS, MAX_OPENINGS, PageState, spoken
from casevault.domain.sharing.exchanging import Standing
from casevault.domain.sharing.referral import (
    DECLINED_FOR,
    TOLD_BY,
    TOLD_ON,
    Enclosed,
    ReferralState,
    Told,
    Way,
)
from casevault.errors import FieldError, Invalid
from casevault.services.sharing.referral_outcomes import Live
from casevault.services.sharing.referral_outcomes import Recalled as RecalledReferral
from casevault.services.sharing.referrals import Sent
from casevault.store.sharing.exchanges import Sent as Letter
from casevault.store.sharing.leaving import PARTNER, TEAM, Leaving, Recipient, named
from casevault.store.sharing.parcels import Parcel

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Tongue = Literal["en", "fr", "es", "ar"]
_CONTENT: dict[str, Any] = {
    "service": "safehouse",
    "urgency": "today",
    "disclose": ["name", "contact"],
    "answer_by": "2026-12-01",
}


class NewReferral(Shape):
    """Who is asked for which help; the form `referral` says what is asked.

    Either an organisation of the directory or a team of the own organisation, not both; what the
    recipient is called comes from there.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"partner_id": "11111111-1111-4111-8111-111111111111", "content": _CONTENT}
            ]
        }
    )
    partner_id: UUID | None = Field(default=None, strict=False)
    team_id: UUID | None = Field(default=None, strict=False)
    content: dict[str, Any]

    @property
    def recipient(self) -> Recipient:
        """The one to whom it goes.

        :raises Invalid: nobody, or two.
        """
        if self.partner_id is not None and self.team_id is None:
            return Recipient(PARTNER, self.partner_id)
        if self.team_id is not None and self.partner_id is None:
            return Recipient(TEAM, self.team_id)
        raise Invalid(
            "A referral goes to one partner or to one team.",
            code="referral.recipient",
            errors=(FieldError("/partner_id", "referral.recipient"),),
        )


class AmendedReferral(Shape):
    """A referral written anew, before it is sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": _CONTENT}]})
    content: dict[str, Any]


class Agreement(Shape):
    """The survivor agreed to what a preview showed: its digest, and the recipient's language.

    `ask_approval`: a supervisor shall approve it, also where no policy wants that.
    """

    digest: Digest
    language: Tongue = "en"
    ask_approval: bool = False


class Sending(Shape):
    """How the letter is put behind a link."""

    language: Tongue = "en"
    days: int = Field(default=7, ge=1, le=MAX_DAYS)
    openings: int = Field(default=3, ge=1, le=MAX_OPENINGS)


class Packing(Shape):
    """How the letter is packed: `to` the recipient's key, or under `words` said by phone."""

    language: Tongue = "en"
    days: int = Field(default=30, ge=1, le=365)
    to: Literal["key", "words"] = "key"


class PackedReferral(Shape):
    """The package in base64, and what to say by voice: never by the way that the package goes.

    `fingerprint`: compare it with what the recipient reads out. `words` open it with `age`, and are
    shown this once. `signed_by`: what the recipient compares.
    """

    package_id: UUID
    file_name: str
    package: Base64Bytes
    signed_by: str
    fingerprint: str | None
    words: str | None

    @classmethod
    def of(cls, found: Parcel) -> Self:
        """Return the shape of a package."""
        return cls(
            package_id=found.id,
            file_name=f"{found.id.hex[:8]}.{'age' if found.words else 'cvp'}",
            package=base64.b64encode(found.sealed),
            signed_by=found.signer,
            fingerprint=found.fingerprint,
            words=found.words,
        )


class NotedAnswer(Shape):
    """What a partner said to you: how, and on which day (`said_on`, today if not given)."""

    answer: Literal["accepted", "declined", "completed"]
    words: Words = Field(default="", max_length=1000)
    said_by: Annotated[Way, Field(strict=False)] = Way.PHONE
    said_on: date | None = Field(default=None, strict=False)

    def told(self, today: date) -> Told:
        """Return it for the case."""
        return Told(self.said_by, self.said_on or today, self.words)


class Recall(Shape):
    """A referral is given up; `by_survivor`: they do not want it, and need not say why."""

    reason: Words = Field(default="", max_length=1000)
    by_survivor: bool = False


class EnclosedFile(Shape):
    """A file that goes with a letter: its id in the case, name, kind and size in bytes."""

    id: UUID
    name: str
    media_type: str
    bytes: int

    @classmethod
    def of(cls, one: Enclosed) -> Self:
        """Return the shape of a file."""
        return cls(id=one.row, name=one.name, media_type=one.media_type, bytes=one.size)


class ReferralPreview(Shape):
    """Exactly what would leave: `bytes` as they are sent, their digest, the page made of them."""

    digest: str
    bytes: str
    page: str
    leaves: list[str]
    files: list[EnclosedFile]
    stays: dict[str, str]
    recipient_stale: bool

    @classmethod
    def of(cls, shown: Leaving, page: str) -> Self:
        """Return the shape of a preview."""
        answer = shown.found.answer
        return cls(
            digest=shown.digest,
            bytes=shown.packed.decode(),
            page=page,
            leaves=sorted(answer.allowed),
            files=[EnclosedFile.of(one) for one in shown.found.files],
            stays=dict(answer.refused),
            recipient_stale=shown.stale,
        )


class ReferralStage(Shape):
    """How far a referral is."""

    stage: ReferralState


class ReferralDecision(Shape):
    """What a supervisor said: ``done`` or ``declined``."""

    state: str


class SentReferral(Shape):
    """The link to send and the code to say by phone: it is shown this once. Never send both."""

    path: str
    code: str
    expires_at: datetime | None

    @classmethod
    def of(cls, sent: Sent) -> Self:
        """Return the shape of what was sent."""
        return cls(
            path=f"/v1/collect/{sent.page}",
            code=spoken(sent.code),
            expires_at=moment(sent.expires_at),
        )


class RecalledReferralShown(Shape):
    """What a recall did; what was read cannot be called back: tell the survivor."""

    stage: ReferralState
    was_read: bool

    @classmethod
    def of(cls, found: RecalledReferral, told: Letter | None) -> Self:
        """Return the shape of a recall; `told`: what the vault of a partner says of it."""
        is_told = told is not None and told.standing is Standing.RECALLED
        was_read = told.was_read if told is not None and is_told else found.was_read
        return cls(stage=found.stage, was_read=was_read)


class Referral(Shape):
    """A referral as it stands; `is_news`: take over what the recipient answered.

    `said_by` and `said_on`: the answer was told to a colleague, who wrote it down. `declined_for`
    is another team's reason. `undelivered`: cut off on its way to a team, send it again. `letter`
    and `question` went to the vault of a partner.
    """

    record: CaseRecord
    stage: ReferralState
    partner_id: UUID | None
    team_id: UUID | None
    page: PageState | None
    opened: int
    expires_at: datetime | None
    overdue: bool
    is_news: bool
    undelivered: bool
    letter: VaultLetter | None
    question: VaultLetter | None
    answer: str | None
    said_by: str | None
    said_on: str | None
    declined_for: str | None

    @classmethod
    def of(cls, live: Live) -> Self:
        """Return the shape of a referral."""
        record, trace = live.kept.record, live.trace
        marks = record.marks
        return cls(
            record=CaseRecord.of(live.kept),
            stage=live.stage,
            partner_id=named(record, PARTNER),
            team_id=named(record, TEAM),
            page=None if trace is None else trace.page,
            opened=0 if trace is None else trace.opened,
            expires_at=None if trace is None else moment(trace.expires_at),
            overdue=live.overdue,
            is_news=live.is_news,
            undelivered=live.undelivered,
            letter=None if trace is None or trace.letter is None else VaultLetter.of(trace.letter),
            question=None if live.question is None else VaultLetter.of(live.question),
            answer=marks.get("answer"),
            said_by=marks.get(TOLD_BY),
            said_on=marks.get(TOLD_ON),
            declined_for=marks.get(DECLINED_FOR) or (trace.reason or None if trace else None),
        )


class ReferralList(Shape):
    """A page of referrals, newest first."""

    items: list[Referral]
    cursor: str | None


class CodeGiven(Shape):
    """The digits that were said by phone, in whatever script and spacing."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "0000 0000 0000"}]})
    code: Words = Field(max_length=100)


class PartnerAnswer(Shape):
    """What the recipient says; `ticket` came with the letter."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ticket": "0000", "answer": "accepted", "words": "Ask for the desk."}]
        }
    )
    ticket: str = Field(max_length=100)
    answer: Literal["accepted", "declined", "completed"]
    words: Words = Field(default="", max_length=1000)
