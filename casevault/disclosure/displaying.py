"""Which estimates are shown, and how sure they are. For readability, not for privacy.

Every decision here looks at estimates only. A small estimate is withheld rather than shown as a
fact about nobody; a group that is nearly one category is shown without its categories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, floor

from casevault.disclosure.arrays import np
from casevault.disclosure.catalogue import REGION, IndicatorTable
from casevault.disclosure.classifications import TOTAL, Dimension
from casevault.disclosure.columns import PUBLISHED, UNRELIABLE, WITHHELD
from casevault.disclosure.estimating import Estimate
from casevault.disclosure.parameters import CONCENTRATION, DISPLAY_FLOOR, SMALL_PARENT
from casevault.disclosure.records import Flags, Ints

_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a published table; `place` has a category or `_T` for every axis."""

    place: tuple[str, ...]
    status: str
    value: int | None = None
    lower: int | None = None
    upper: int | None = None


def cells(
    table: IndicatorTable,
    dimensions: Mapping[str, Dimension],
    estimates: Mapping[str, Estimate],
) -> Iterator[Cell]:
    """Yield total, one-ways and details of a table, in this order and the order of its lists."""
    axes = table.axes
    shown = [(), *((axis,) for axis in axes), axes]
    for some in dict.fromkeys(tuple(s) for s in shown):
        found = estimates["/".join((table.universe, *some))]
        hidden = (
            _concentrated(found.values, [_margin(estimates, table, axis) for axis in axes])
            if len(some) > 1
            else np.zeros(found.values.shape, dtype=np.bool_)
        )
        lists = [dimensions[axis].categories if axis in some else (TOTAL,) for axis in axes]
        for place, value, hide in zip(
            product(*lists), found.values.ravel(), hidden.ravel(), strict=True
        ):
            yield _cell(place, int(value), found.deviation, hide=bool(hide))


def columns(table: IndicatorTable) -> tuple[str, ...]:
    """Return the names of the dimensions that are columns of their own; geography is not."""
    return tuple(axis for axis in table.axes if axis != REGION)


def split_place(table: IndicatorTable, cell: Cell) -> tuple[str, tuple[str, ...]]:
    """Return geography and the other categories of a cell."""
    if table.geo == REGION:
        return cell.place[0], cell.place[1:]
    return TOTAL, cell.place


def _cell(place: tuple[str, ...], value: int, deviation: float, *, hide: bool) -> Cell:
    if hide or value < max(DISPLAY_FLOOR, 2 * deviation):
        return Cell(place, WITHHELD)
    half = _NORMAL_95 * deviation
    status = UNRELIABLE if half > value / 2 else PUBLISHED
    return Cell(place, status, value, max(floor(value - half), 0), ceil(value + half))


def _margin(estimates: Mapping[str, Estimate], table: IndicatorTable, axis: str) -> Ints:
    return estimates[f"{table.universe}/{axis}"].values


def _concentrated(details: Ints, margins: Sequence[Ints]) -> Flags:
    """Mark every child of a small parent that is nearly one child: it is merged upward."""
    hidden = np.zeros(details.shape, dtype=np.bool_)
    for axis, margin in enumerate(margins):
        rows = np.moveaxis(details, axis, 0).reshape(len(margin), -1)
        largest = rows.max(axis=1, initial=0)
        small = (margin < SMALL_PARENT) & (largest > float(CONCENTRATION) * margin)
        shape = [1] * details.ndim
        shape[axis] = len(margin)
        hidden |= small.reshape(shape)
    return hidden
