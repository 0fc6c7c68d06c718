"""Shapes of who looked at a file, and of what a leaver saw."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from pydantic import Field

from casevault.api.schemas.common import Shape
from casevault.domain.audit.looks import Look
from casevault.services.audit.looks import Looks, Seen, SeenCase


class LookShown(Shape):
    """What one person did with one part of a file on one day, and how often."""

    day: str
    who: str
    role: str
    did: str
    part: str
    why: str
    times: int

    @classmethod
    def of(cls, look: Look) -> Self:
        """Return the shape of a look."""
        return cls(
            day=look.day,
            who=look.who,
            role=look.role,
            did=look.did,
            part=look.part,
            why=look.why,
            times=look.times,
        )


class LookList(Shape):
    """Who looked at a file over the whole log, youngest day first."""

    case_id: UUID
    first: str
    last: str
    items: list[LookShown]

    @classmethod
    def of(cls, looks: Looks) -> Self:
        """Return the shape of a list."""
        items = [LookShown.of(one) for one in looks.items]
        return cls(case_id=looks.case, first=looks.first, last=looks.last, items=items)


class NewLooks(Shape):
    """Whose list is released to those who hold the case; without names, people are numbers."""

    case_id: UUID = Field(strict=False)
    names: bool = True


class CaseSeen(Shape):
    """What a colleague did with one case; `case_id` is null once the case is gone."""

    case_id: UUID | None
    looks: int
    first: str
    last: str
    parts: list[str]

    @classmethod
    def of(cls, seen: SeenCase) -> Self:
        """Return the shape of one case."""
        return cls(
            case_id=seen.case,
            looks=seen.looks,
            first=seen.first,
            last=seen.last,
            parts=list(seen.parts),
        )


class SeenCounts(Shape):
    """How much a colleague saw: all that a supervisor is told."""

    cases: int
    looks: int
    exports: int
    searches: int
    refusals: int


class SeenByLeaver(Shape):
    """What a colleague saw over all months of the log, latest first."""

    staff_id: UUID
    counts: SeenCounts
    cases: list[CaseSeen]

    @classmethod
    def of(cls, seen: Seen) -> Self:
        """Return the shape of the report."""
        cases = [CaseSeen.of(one) for one in seen.cases]
        return cls(staff_id=seen.staff, counts=SeenCounts(**seen.counts), cases=cases)
