"""Shapes of the programme register and of what it says about the pledge."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape
from casevault.disclosure.report.content import Report
from casevault.disclosure.report.published import Published
from casevault.domain.counting.indicators import Trained
from casevault.domain.counting.programme import Entry, Kind


class RegisterContent(Shape):
    """What a record of the register says."""

    content: dict[str, Any]


class NewRegisterEntry(RegisterContent):
    """A record of the register. Nothing about a person belongs into it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "training",
                    "content": {
                        "region": "Made-Up North",
                        "branch": "Made-Up Harbour",
                        "held_on": "2026-11-20",
                        "staff_total": 64,
                        "people_trained": 41,
                        "attended_e_module": 38,
                        "attended_toolkit": 12,
                    },
                }
            ]
        }
    )
    kind: Kind = Field(strict=False)


class RegisterEntryShown(Shape):
    """A record in one of its versions."""

    id: UUID
    kind: Kind
    version: int
    removed: bool
    content: dict[str, Any]

    @classmethod
    def of(cls, one: Entry) -> Self:
        """Return the shape of a record."""
        return cls(
            id=one.id,
            kind=one.kind,
            version=one.version,
            removed=one.removed,
            content=dict(one.content),
        )


class RegisterList(Shape):
    """Records as they are now, or the versions of one, oldest first."""

    items: list[RegisterEntryShown]


class TrainedShown(Shape):
    """People trained of all; nothing but the whole where a branch has fewer than 20 people."""

    name: str
    people_trained: int | None
    staff_total: int
    percent: float | None

    @classmethod
    def of(cls, found: Trained) -> Self:
        """Return the shape of a share."""
        percent = None if found.share is None else round(found.share, 1)
        return cls(
            name=found.name,
            people_trained=found.people_trained,
            staff_total=found.staff_total,
            percent=percent,
        )


class CountShown(Shape):
    """How many of what."""

    codes: list[str]
    count: int


class CellShown(Shape):
    """One number of a released table; `_T` where a dimension is summed over; null if withheld."""

    place: dict[str, str]
    status: str
    value: int | None
    lower95: int | None
    upper95: int | None


class PeopleShown(Shape):
    """A released table of people: estimates, with how they were protected."""

    indicator: str
    title: str
    release_id: str
    method: str
    rows: list[CellShown]

    @classmethod
    def of(cls, one: Published) -> Self:
        """Return the shape of a released table."""
        rows = [
            CellShown(
                place=dict(row.place),
                status=row.status,
                value=row.value,
                lower95=row.lower,
                upper95=row.upper,
            )
            for row in one.rows
        ]
        return cls(
            indicator=one.table.id,
            title=one.table.title,
            release_id=one.release_id,
            method=one.method,
            rows=rows,
        )


class IndicatorsShown(Shape):
    """The pledge's indicators: exact counts of things and staff, and apart from them people."""

    period: str
    trained: TrainedShown
    trained_by_region: list[TrainedShown]
    trained_by_branch: list[TrainedShown]
    attendances: list[CountShown]
    mainstreaming: list[CountShown]
    response: list[CountShown]
    cooperation: list[CountShown]
    awareness: list[CountShown]
    dialogue: list[CountShown]
    advocacy: list[CountShown]
    focal_point: bool
    people: list[PeopleShown]

    @classmethod
    def of(cls, report: Report) -> Self:
        """Return the shape of a report."""
        found = report.indicators
        return cls(
            period=found.period.name,
            trained=TrainedShown.of(found.national),
            trained_by_region=[TrainedShown.of(one) for one in found.regions],
            trained_by_branch=[TrainedShown.of(one) for one in found.branches],
            attendances=_counts(found.attendances),
            mainstreaming=_counts(found.measures["mainstreaming"]),
            response=_counts(found.measures["response"]),
            cooperation=_counts(found.cooperation),
            awareness=_counts(found.awareness),
            dialogue=_counts(found.dialogue),
            advocacy=_counts(found.advocacy),
            focal_point=found.focal_point,
            people=[PeopleShown.of(one) for one in report.people],
        )


def _counts(found: Any) -> list[CountShown]:  # noqa: ANN401 - by one code, or by two
    return [
        CountShown(codes=list(key) if isinstance(key, tuple) else [key], count=found[key])
        for key in sorted(found)
        if found[key]
    ]
