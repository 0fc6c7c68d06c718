"""Shapes of enrolment and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from casevault.api import qr
from casevault.api.schemas.common import Shape, Words
from casevault.services.staff.second_factor import Proposal

OptionalCode = Annotated[str | None, Field(max_length=40, examples=["123456"])]


class Enrolment(Shape):
    """A one-time code and the passphrase that its owner chose."""

    code: str = Field(max_length=40, examples=["7K3M-9QXP-0ABC-DEFG-HJKM"])
    passphrase: str = Field(
        max_length=256, examples=["six made-up words like these here"], repr=False
    )


class SignIn(Shape):
    """Who signs in."""

    login: str = Field(max_length=120, examples=["cara.caseworker"])
    passphrase: str = Field(max_length=256, examples=["six made-up words like these here"])
    code: OptionalCode = None
    # From an earlier sign-in on this device.
    device: str | None = Field(default=None, max_length=40, repr=False)
    # What you call this device; shown to you alone, in the list of your sessions.
    label: Annotated[Words, Field(max_length=60, repr=False)] = ""


class SessionBegun(Shape):
    """The token, to be sent as ``Authorization: Bearer …``.

    With `assurance` `passphrase` it opens nothing but the way to a second factor; `second_factor`
    says whether there is one to be given, or one to be set up.
    """

    token: str
    staff_id: UUID
    expires_at: datetime
    assurance: str
    second_factor: bool
    # Keep it on the device and send it along next time: strangers who guess at this login then
    # cannot keep its person out. Null when the device was known, or without a second factor.
    device: str | None = Field(repr=False)


class RecoveryCode(Shape):
    """Eight words to print or write down: shown once, used once, worth as much as a passphrase."""

    code: str


class Restore(Shape):
    """The code on paper, and the passphrase that is to hold from now on."""

    login: str = Field(max_length=120, examples=["cara.caseworker"])
    code: str = Field(max_length=120, examples=["eight made-up words like these here on paper"])
    passphrase: str = Field(max_length=256, examples=["six made-up words like these here"])


class StepUp(Shape):
    """Your passphrase once more."""

    passphrase: str = Field(max_length=256, examples=["six made-up words like these here"])


class Confirmed(Shape):
    """Until when acts that ask for a fresh passphrase are open to this session."""

    until: datetime


class GivenCode(Shape):
    """Six digits of an authenticator, or a printed one-time code."""

    code: str = Field(max_length=40, examples=["123456"])


class FactorWanted(Shape):
    """To replace a second factor, one of its codes; for the first one, nothing."""

    code: OptionalCode = None


class FactorProposed(Shape):
    """What an authenticator application reads. Shown once; a code confirms it."""

    secret: str = Field(repr=False)
    uri: str = Field(repr=False)
    qr_svg: str = Field(repr=False)
    qr_text: str = Field(repr=False)

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """Return the shape of a proposal, with its QR code."""
        uri = proposal.uri
        svg, text = qr.drawn(uri)
        return cls(secret=proposal.secret, uri=uri, qr_svg=svg, qr_text=text)


class PrintedCodes(Shape):
    """One-time codes for the day the phone is gone. Shown once: write them down, off the phone."""

    codes: list[str] = Field(repr=False)
