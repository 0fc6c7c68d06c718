"""Shapes of the worklist and of a team's workload."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from pydantic import ConfigDict

from casevault.api.schemas.common import Shape
from casevault.services.casework import worklist
from casevault.services.casework.worklist import TeamLoad
from casevault.store.casework.transferring import Returned
from casevault.store.pending.waiting import Item, Waiting


class WorkItem(Shape):
    """Something that waits; what is to be done stands in the record itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "task",
                    "case_id": "00000000-0000-4000-8000-000000000001",
                    "reference": "CV-7K3M-9QXP",
                    "due": "2026-12-01",
                    "overdue": False,
                    "record_id": "00000000-0000-4000-8000-000000000002",
                }
            ]
        }
    )
    type: Waiting
    # None of what came in for the team, and of an organisation to ask again.
    case_id: UUID | None
    reference: str | None
    due: str | None
    overdue: bool
    record_id: UUID | None
    # Why another team gave a case back.
    returned: Returned | None = None

    @classmethod
    def of(cls, item: Item) -> Self:
        """Return the shape of an item."""
        return cls(
            type=item.type,
            case_id=item.case,
            reference=item.reference,
            due=item.due,
            overdue=item.overdue,
            record_id=item.record,
            returned=item.why,
        )


class Worklist(Shape):
    """What waits in 200 of your cases, overdue first; a page may be empty and not the last."""

    items: list[WorkItem]
    cursor: str | None

    @classmethod
    def of(cls, page: worklist.Worklist) -> Self:
        """Return the shape of a page."""
        return cls(items=[WorkItem.of(item) for item in page.items], cursor=page.cursor)


class ColleagueLoad(Shape):
    """How much one colleague has to do, in numbers."""

    staff_id: UUID
    active_cases: int
    open_tasks: int
    overdue_tasks: int
    due_reviews: int


class TeamWorkload(Shape):
    """A team's numbers; without `complete` it has open cases that you cannot open."""

    team: UUID
    complete: bool
    colleagues: list[ColleagueLoad]

    @classmethod
    def of(cls, found: TeamLoad) -> Self:
        """Return the shape of a team's numbers."""
        colleagues = [
            ColleagueLoad(
                staff_id=load.staff,
                active_cases=load.active_cases,
                open_tasks=load.open_tasks,
                overdue_tasks=load.overdue_tasks,
                due_reviews=load.due_reviews,
            )
            for load in found.loads
        ]
        return cls(team=found.team, complete=found.complete, colleagues=colleagues)


class Workload(Shape):
    """The numbers of each team that you supervise."""

    items: list[TeamWorkload]
