"""Shapes of what vaults say to each other, and of whom they know."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Base64Bytes, ConfigDict, Field

from casevault.api.schemas.common import Shape, Words, moment
from casevault.domain.sharing.exchanging import MAX_BYTES, MAX_WORDS, Saying, Standing
from casevault.services.sharing.exchange_door import Come
from casevault.store.sharing.exchanges import Sent


class VaultCard(Shape):
    """Our card for a partner's vault: send it as it is, and read the fingerprint out by phone."""

    card: str
    fingerprint: str


class VaultLetter(Shape):
    """What went to the vault of a partner: delivered when its signed receipt came, not before.

    `fault`: why the last attempt came to nothing; what the other vault said there bears no
    signature. It is tried again until `expires_at`.
    """

    id: UUID
    saying: Saying
    reference: str
    standing: Standing
    delivered_at: datetime | None
    heard_at: datetime | None
    was_read: bool
    fault: str | None

    @classmethod
    def of(cls, one: Sent) -> Self:
        """Return the shape of what was sent."""
        return cls(
            id=one.id,
            saying=one.saying,
            reference=one.reference,
            standing=one.standing,
            delivered_at=moment(one.delivered_at),
            heard_at=moment(one.heard_at),
            was_read=one.was_read,
            fault=one.fault or None,
        )


class PinnedVault(Shape):
    """The card of a partner's vault, and the fingerprint that they read out."""

    card: str = Field(max_length=8192)
    fingerprint: str = Field(max_length=80)


class VaultMessage(Shape):
    """A message of another vault, sealed and signed (docs/formats/exchange.md), in base64."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "Q1YEAQ=="}]})
    message: Base64Bytes = Field(strict=False, max_length=2 * MAX_BYTES, repr=False)


class VaultReceipt(Shape):
    """What goes back, sealed to the other vault, in base64."""

    receipt: str


class ReceivedLetter(Shape):
    """A letter or a question of a partner's vault; a letter lies in the inbox under this id.

    A question says which help is asked for, how soon, and nothing about anybody.
    """

    id: UUID
    team_id: UUID
    partner_id: UUID
    partner: str | None
    saying: Saying
    reference: str
    received_at: datetime | None
    service: str
    urgency: str
    standing: Standing
    was_read: bool

    @classmethod
    def of(cls, come: Come) -> Self:
        """Return the shape of what came."""
        one = come.received
        return cls(
            id=one.id,
            team_id=one.team,
            partner_id=one.partner,
            partner=come.partner,
            saying=one.saying,
            reference=one.reference,
            received_at=moment(one.at),
            service=one.service,
            urgency=one.urgency,
            standing=one.standing,
            was_read=one.was_read,
        )


class ReceivedList(Shape):
    """What came for your team from other vaults, newest first."""

    items: list[ReceivedLetter]


class ReceivedAnswer(Shape):
    """Whether you can help; `words` are sealed to the partner at once."""

    answer: Literal["accepted", "declined", "completed"]
    words: Words = Field(default="", max_length=MAX_WORDS)
