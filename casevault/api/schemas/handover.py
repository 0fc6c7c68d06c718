"""Shapes of covers."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape
from casevault.services.covers import Covered

_SOMEBODY = "00000000-0000-4000-8000-00000000000{}"


class NewCover(Shape):
    """Who is away, who covers, and until when (92 days at most)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "staff_id": _SOMEBODY.format(1),
                    "by": _SOMEBODY.format(2),
                    "until": "2026-12-24T17:00:00Z",
                }
            ]
        }
    )
    staff_id: UUID = Field(strict=False)
    by: UUID = Field(strict=False)
    until: datetime = Field(strict=False)


class SkippedCase(Shape):
    """A case that was not given: `refused-staff` or `unreadable`."""

    case_id: UUID
    why: str


class Cover(Shape):
    """How many cases were given or could be opened as long already, and which were not given."""

    given: int
    held_already: int
    skipped: list[SkippedCase]

    @classmethod
    def of(cls, covered: Covered) -> Self:
        """Return the shape of what a cover did."""
        skipped = [SkippedCase(case_id=one.case, why=one.why) for one in covered.skipped]
        return cls(given=covered.given, held_already=covered.held_already, skipped=skipped)
