"""Shapes of enrolment and sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from casevault.api.schemas.common import Shape


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


class SessionBegun(Shape):
    """The token, to be sent as ``Authorization: Bearer …``."""

    token: str
    staff_id: UUID
    expires_at: datetime


class StepUp(Shape):
    """Your passphrase once more."""

    passphrase: str = Field(max_length=256, examples=["six made-up words like these here"])


class Confirmed(Shape):
    """Until when acts that ask for a fresh passphrase are open to this session."""

    until: datetime
