"""Shapes of covers and departures."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape
from casevault.services.staff.covers import Covered
from casevault.services.staff.departures import Departure
from casevault.store.casework.transferring import Returned
from casevault.store.staff.departing import Plan

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


class NewTransfer(Shape):
    """The team that is to have the case, all of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"team_id": _SOMEBODY.format(7)}]})
    team_id: UUID = Field(strict=False)


class GivenTransfer(Shape):
    """By which id a supervisor of the other team takes the case."""

    id: UUID


class DeclinedTransfer(Shape):
    """Why your team does not take it; anything else is said by telephone."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "no_capacity"}]})
    reason: Returned = Field(strict=False)


class TakenTransfer(Shape):
    """The case that is your team's now."""

    case_id: UUID


class Successor(Shape):
    """Who takes one case over."""

    case_id: UUID = Field(strict=False)
    staff_id: UUID = Field(strict=False)


class NewDeparture(Shape):
    """Who takes over: everything, or single cases. Whatever nobody takes stays with supervisors."""

    successor: UUID | None = Field(default=None, strict=False)
    cases: list[Successor] = Field(default=[], max_length=500)

    def plan(self) -> Plan | None:
        """Return what was said about successors; None if nothing was."""
        if self.successor is None and not self.cases:
            return None
        return Plan(self.successor, {one.case_id: one.staff_id for one in self.cases})


class LeftTask(Shape):
    """A task of the person who leaves; what is to be done stands in the record itself."""

    case_id: UUID
    record_id: UUID
    due: str


class DepartureState(Shape):
    """How far a departure got. Unless `finished`, ask again; lists are of this call only.

    `waiting_for` names kinds of groups of which a member has to ask as well.
    """

    finished: bool
    cases_done: int
    cases_left: int
    handed_over: int
    oversight_only: list[UUID]
    skipped: list[SkippedCase]
    open_tasks: list[LeftTask]
    waiting_for: list[str]

    @classmethod
    def of(cls, found: Departure) -> Self:
        """Return the shape of how far a departure got."""
        return cls(
            finished=found.finished,
            cases_done=found.cases_done,
            cases_left=found.cases_left,
            handed_over=found.handed_over,
            oversight_only=list(found.oversight_only),
            skipped=[SkippedCase(case_id=s.case, why=s.why or "") for s in found.skipped],
            open_tasks=[
                LeftTask(case_id=t.case, record_id=t.record, due=t.due) for t in found.tasks
            ],
            waiting_for=list(found.waiting_for),
        )
