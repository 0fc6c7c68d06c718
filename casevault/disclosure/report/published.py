"""Reads a released table back from its file. A file that is not of this format is refused.

The report is made from what readers got, byte for byte, and from nothing behind it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from casevault.disclosure import catalogue
from casevault.disclosure.catalogue import REGION, IndicatorTable
from casevault.disclosure.classifications import TOTAL, Tier
from casevault.disclosure.columns import AFTER, BEFORE, PUBLISHED, UNRELIABLE, WITHHELD, plain
from casevault.domain.counting.indicators import Period
from casevault.errors import Invalid

_STATES = frozenset({PUBLISHED, UNRELIABLE, WITHHELD})
_EPSILON = re.compile(r"epsilon=([0-9.]+)")
_SIMULATION = "SIMULATION"
_Line = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a category or `_T` for every axis, and its numbers, None where withheld."""

    place: Mapping[str, str]
    status: str
    value: int | None
    lower: int | None
    upper: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """A released table of one period."""

    table: IndicatorTable
    start: date
    end: date
    rows: tuple[Row, ...]
    method: str
    release_id: str

    @property
    def simulation(self) -> bool:
        """Say whether it is none that was released."""
        return _SIMULATION in self.method

    @property
    def epsilon(self) -> str:
        """Return ε as the file states it; empty where there is no such promise."""
        found = _EPSILON.search(self.method)
        return found.group(1) if found else ""

    def total(self) -> Row:
        """Return the row of everything."""
        return next(row for row in self.rows if set(row.place.values()) <= {TOTAL})

    def margin(self, axis: str) -> tuple[Row, ...]:
        """Return the rows of one axis, everything else summed over."""
        return tuple(
            row
            for row in self.rows
            if row.place[axis] != TOTAL
            and all(code == TOTAL for name, code in row.place.items() if name != axis)
        )


def read(text: str, period: Period) -> Published | None:
    """Return the table of a period in a release's file, or None if it has another period only.

    :raises Invalid: the file is no table of the catalogue in the format of releases.
    """
    days = (period.start, period.end)
    return next((one for one in read_all(text) if (one.start, one.end) == days), None)


def read_all(text: str) -> tuple[Published, ...]:
    """Return the tables of a release's file, one for each of its periods.

    :raises Invalid: the file is no table of the catalogue in the format of releases.
    """
    try:
        lines = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
        table = catalogue.shipped().tables[lines[0]["indicator"]]
        dimensions = tuple(name for name in table.axes if name != REGION)
        if tuple(lines[0]) != (*BEFORE, *dimensions, *AFTER):
            raise ValueError
        periods: dict[tuple[str, str], list[_Line]] = {}
        for line in lines:
            periods.setdefault(_days(line, table), []).append(line)
        return tuple(_table(table, days, mine) for days, mine in periods.items())
    except (csv.Error, KeyError, IndexError, ValueError, TypeError, StopIteration):
        raise Invalid(
            "This is not a released table.",
            code="report.release",
            hint="docs/formats/release.md describes the files of a release.",
        ) from None


@cache
def _codes(axis: str) -> frozenset[str]:
    """Return every category of an axis, coarse or fine."""
    shipped = catalogue.shipped()
    return frozenset({TOTAL, *(c for t in Tier for c in shipped.dimension(axis, t).categories)})


def _days(line: _Line, table: IndicatorTable) -> tuple[str, str]:
    if line["indicator"] != table.id or None in line.values():
        raise ValueError
    return line["period_start"], line["period_end"]


def _table(table: IndicatorTable, days: tuple[str, str], lines: Sequence[_Line]) -> Published:
    if len({(line["method"], line["release_id"]) for line in lines}) != 1:
        raise ValueError
    start, end = (date.fromisoformat(day) for day in days)
    found = Published(
        table,
        start,
        end,
        tuple(_row(table, line) for line in lines),
        plain(lines[0]["method"]),
        plain(lines[0]["release_id"]),
    )
    found.total()
    return found


def _row(table: IndicatorTable, line: _Line) -> Row:
    place = {name: plain(line["geo" if name == REGION else name]) for name in table.axes}
    if any(name != REGION and code not in _codes(name) for name, code in place.items()):
        raise ValueError
    status = line["status"]
    numbers = [int(line[name]) if line[name] else None for name in ("value", "lower95", "upper95")]
    hidden = all(number is None for number in numbers)
    if status not in _STATES or hidden != (status == WITHHELD):
        raise ValueError
    if not hidden and None in numbers:
        raise ValueError
    return Row(place, status, *numbers)
