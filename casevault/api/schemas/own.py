"""Shapes of one's own sessions and passphrase, and of shutting people or the vault out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from casevault.api.schemas.common import Shape
from casevault.services.staff.own_sessions import Begun


class OwnSession(Shape):
    """Where you are signed in; `device` is what you called it."""

    id: UUID
    device: str = Field(repr=False)
    began_at: datetime
    last_seen_at: datetime
    assurance: str
    current: bool

    @classmethod
    def of(cls, begun: Begun) -> Self:
        """Return the shape of a session."""
        return cls(
            id=begun.id,
            device=begun.device,
            began_at=datetime.fromtimestamp(begun.created_at, UTC),
            last_seen_at=datetime.fromtimestamp(begun.seen_at, UTC),
            assurance=begun.assurance,
            current=begun.current,
        )


class OwnSessionList(Shape):
    """Your sessions that go on, the newest first; last seen to the minute."""

    items: list[OwnSession]


class PassphraseProposed(Shape):
    """Six words, each time others; nobody keeps them."""

    passphrase: str = Field(repr=False)


class PassphraseChange(Shape):
    """The passphrase of now, and the one that is to hold from now on."""

    passphrase: str = Field(max_length=256, examples=["six made-up words like these here"])
    new_passphrase: str = Field(max_length=256, examples=["six other made-up words like these"])


class Suspended(Shape):
    """How many cases get new keys at their next write because of it."""

    cases_due: int


class LockdownWanted(Shape):
    """The organisation's name, typed by whoever means it."""

    organisation: str = Field(max_length=200, examples=["Example Red Cross (made up)"])
