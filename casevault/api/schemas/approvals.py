"""Shapes of what waits for a second person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from casevault.api.schemas.common import Shape
from casevault.domain.staff.approvals import RecoveryScope, Wish


class Approval(Shape):
    """An act that somebody asks for. A decision signs exactly what stands here."""

    id: UUID
    act: str
    object_id: UUID
    parameters: dict[str, str]
    asked_by: UUID
    involved: list[UUID]
    asked_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, wish: Wish) -> Self:
        """Return the shape of what somebody asks for."""
        return cls(
            id=wish.id,
            act=wish.act.value,
            object_id=wish.object_id,
            parameters=dict(wish.parameters),
            asked_by=wish.asker,
            involved=list(wish.involved),
            asked_at=datetime.fromtimestamp(wish.asked_at, UTC),
            expires_at=datetime.fromtimestamp(wish.expires_at, UTC),
        )


class ApprovalList(Shape):
    """What waits for you, oldest first."""

    items: list[Approval]


class ApprovalDecision(Shape):
    """Yes or no. It is signed with your key and cannot be taken back."""

    approve: bool


class NewRecovery(Shape):
    """What the recovery shares are to open again, and for whom.

    `object_id` is the case or the team; the groups of auditors and of the DPO need none. With
    `vouch`, the root vouches for the person in the same act: for the first of their role only.
    """

    scope: Annotated[RecoveryScope, Field(strict=False)]
    object_id: UUID | None = Field(default=None, strict=False)
    beneficiary: UUID = Field(strict=False)
    vouch: bool = False
