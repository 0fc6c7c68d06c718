"""Counts rounded to five, nothing below ten: for a recipient who insists, and without a guarantee.

Differential privacy is the default; this is the exception. Whole years of disjoint people, each
table of a year once. A gate solves a linear program over every file that this recipient was ever
given, the new ones included, and refuses all of them when any number is pinned to fewer than five
values. Such counts are an exact disclosure in the privacy account (ρ = ∞): nothing can be claimed
about these people afterwards, and the files say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from casevault.disclosure.classifications import TOTAL
from casevault.disclosure.columns import PUBLISHED, WITHHELD
from casevault.disclosure.counting import Snapshot
from casevault.disclosure.displaying import Cell
from casevault.disclosure.measuring import exact_vectors
from casevault.disclosure.releasing import Release
from casevault.disclosure.report.published import Published, Row
from casevault.disclosure.tabulating import tabulate
from casevault.errors import Conflict, Refused

BASE, FLOOR, NARROWEST = 5, 10, 4
METHOD = "rounded to 5, below 10 withheld; NO FORMAL GUARANTEE; rho=inf; unit=person"
_SLACK = BASE // 2


def cells(release: Release, snap: Snapshot) -> dict[str, tuple[Cell, ...]]:
    """Return the rounded counts of every table: total, margins, details."""
    design = release.design
    details = {
        table.id: tabulate(
            snap, table, [release.dimensions[a] for a in table.axes], design.tier, design.period
        )
        for table in release.tables
    }
    exact = exact_vectors(release.measurements, release.tables, details)
    found = {}
    for table in release.tables:
        parts = dict.fromkeys([(), *((axis,) for axis in table.axes), table.axes])
        found[table.id] = tuple(
            _cell(place, int(count))
            for some in parts
            for place, count in zip(
                product(
                    *(
                        release.dimensions[axis].categories if axis in some else (TOTAL,)
                        for axis in table.axes
                    )
                ),
                exact["/".join((table.universe, *some))].ravel(),
                strict=True,
            )
        )
    return found


def _cell(place: tuple[str, ...], count: int) -> Cell:
    near = BASE * ((count + _SLACK) // BASE)
    if near < FLOOR:
        return Cell(place, WITHHELD)
    return Cell(place, PUBLISHED, near, near - _SLACK, near + _SLACK)


def check(given: Sequence[Published], fresh: Sequence[Published]) -> None:
    """Return if nothing can be pinned down from all of these files together; else refuse.

    :raises Conflict: a table of a period was given before: it is frozen.
    :raises Refused: periods overlap, or some number would be known to within fewer than five.
    """
    before = {(one.table.id, one.start) for one in given}
    if any((one.table.id, one.start) in before for one in fresh):
        raise Conflict(
            "This recipient has this table of this period: it is frozen.", code="release.frozen"
        )
    everything = [*given, *fresh]
    periods = sorted({(one.start, one.end) for one in everything})
    if any(later[0] <= earlier[1] for earlier, later in pairwise(periods)):
        raise Refused("Periods given to one recipient must not overlap.", code="release.overlap")
    groups = {(one.table.universe, one.start) for one in fresh}
    for universe, start in sorted(groups):
        mine = [o for o in everything if (o.table.universe, o.start) == (universe, start)]
        if any(high - low < NARROWEST for low, high in _bounds(mine)):
            raise Refused(
                "Together with what this recipient has, some numbers could be worked out.",
                code="release.gate",
                hint="Give fewer tables, or the protected release.",
            )


@dataclass(frozen=True, slots=True)
class _Frame:
    """The unknown cells of one table, and where they begin among all unknowns."""

    table: Published
    axes: tuple[str, ...]
    lists: tuple[tuple[str, ...], ...]
    first: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(one) for one in self.lists)

    def inside(self, place: Mapping[str, str]) -> list[int]:
        """Return the unknowns that a row sums."""
        choices = [
            range(len(codes)) if place.get(axis, TOTAL) == TOTAL else (codes.index(place[axis]),)
            for axis, codes in zip(self.axes, self.lists, strict=True)
        ]
        if not self.axes:
            return [self.first]
        found = (np.ravel_multi_index(at, self.shape) for at in product(*choices))
        return [self.first + int(one) for one in found]


def _bounds(tables: Sequence[Published]) -> Iterator[tuple[float, float]]:
    """Yield the least and the most that each row of all files can be, by linear programs."""
    frames = _frames(tables)
    size = sum(int(np.prod(frame.shape)) for frame in frames)
    rows = [(f.inside(row.place), _interval(row)) for f in frames for row in f.table.rows]
    sums = _matrix([inside for inside, _ends in rows], size)
    low, high = (np.array([ends[side] for _inside, ends in rows]) for side in (0, 1))
    equal = _links(frames, size)
    limits = np.concatenate([high, -low])
    inequal = csr_matrix(np.vstack([sums, -sums]))
    for inside, _ends in rows:
        aim = np.zeros(size)
        aim[inside] = 1
        ends = [
            linprog(
                sign * aim,
                A_ub=inequal,
                b_ub=limits,
                A_eq=equal,
                b_eq=None if equal is None else np.zeros(equal.shape[0]),
                bounds=(0, None),
                method="highs",
            )
            for sign in (1, -1)
        ]
        if not all(end.success for end in ends):
            raise Refused("These files contradict one another.", code="release.gate")
        yield float(ends[0].fun), float(-ends[1].fun)


def _frames(tables: Sequence[Published]) -> list[_Frame]:
    found: list[_Frame] = []
    first = 0
    for one in tables:
        axes = one.table.axes
        lists = tuple(tuple(row.place[axis] for row in one.margin(axis)) for axis in axes)
        found.append(_Frame(one, axes, lists, first))
        first += int(np.prod(found[-1].shape))
    return found


def _interval(row: Row) -> tuple[float, float]:
    if row.lower is None or row.upper is None:
        return 0.0, float(FLOOR - _SLACK - 1)
    return float(row.lower), float(row.upper)


def _matrix(sums: Sequence[Sequence[int]], size: int) -> NDArray[np.float64]:
    found = np.zeros((len(sums), size))
    for line, inside in enumerate(sums):
        found[line, inside] = 1
    return found


def _links(frames: Sequence[_Frame], size: int) -> csr_matrix | None:
    """Return that what two tables share is the same in both: the people are."""
    lines = []
    for number, one in enumerate(frames):
        for other in frames[:number]:
            common = [axis for axis in one.axes if axis in other.axes]
            lists = [one.lists[one.axes.index(axis)] for axis in common]
            for codes in product(*lists):
                place = dict(zip(common, codes, strict=True))
                line = np.zeros(size)
                line[one.inside(place)] += 1
                line[other.inside(place)] -= 1
                lines.append(line)
    return csr_matrix(np.array(lines)) if lines else None
