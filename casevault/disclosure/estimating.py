"""From noisy measurements to numbers that add up: free post-processing, in a fixed order.

1. The total, from everything that adds up to it, by inverse variance.
2. One-way margins, direct and summed from details by inverse variance, projected on
   {not negative, sum = total}.
3. Details, the nearest not negative ones whose margins are the one-ways.
4. Integers by largest remainder, margins held.

Sees no exact count. The order decides the quality: details first would bend the total.
Deterministic: the same noisy vectors give the same integers, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod, sqrt
from typing import TYPE_CHECKING, TypeAlias

from casevault.disclosure.arrays import np
from casevault.disclosure.measuring import Measurement, Noisy
from casevault.disclosure.records import Ints

if TYPE_CHECKING:
    from casevault.disclosure.arrays import NDArray

Reals: TypeAlias = "NDArray[np.float64]"
_STEPS = 200
_CLOSE = 1e-7


@dataclass(frozen=True, slots=True)
class Estimate:
    """Integers for one vector and the standard deviation of each of its cells."""

    values: Ints
    deviation: float


@dataclass(frozen=True, slots=True)
class _Vector:
    axes: tuple[str, ...]
    noisy: Reals
    variance: float


def estimate(measurements: Sequence[Measurement], noisy: Noisy) -> dict[str, Estimate]:
    """Return an estimate for every measurement, by its name."""
    found: dict[str, Estimate] = {}
    for universe in dict.fromkeys(one.universe for one in measurements):
        mine = [one for one in measurements if one.universe == universe]
        vectors = [_vector(one, noisy[one.name]) for one in mine]
        solved = _solve(vectors)
        found |= {one.name: solved[one.axes] for one in mine}
    return found


def _vector(one: Measurement, noisy: tuple[int, ...]) -> _Vector:
    return _Vector(
        one.axes, np.array(noisy, dtype=np.float64).reshape(one.shape), float(one.variance)
    )


def _solve(vectors: Sequence[_Vector]) -> dict[tuple[str, ...], Estimate]:
    total, total_variance = _combined([_summed(v, ()) for v in vectors])
    whole = max(int(np.rint(total)), 0)
    found: dict[tuple[str, ...], Estimate] = {}
    found[()] = Estimate(np.array(whole, dtype=np.int64), sqrt(total_variance))
    margins: dict[str, Ints] = {}
    for vector in vectors:
        if len(vector.axes) == 1:
            axis = vector.axes[0]
            mixed, variance = _combined([_summed(v, (axis,)) for v in vectors if axis in v.axes])
            margins[axis] = _integers(_on_simplex(mixed, whole), whole)
            found[vector.axes] = Estimate(margins[axis], sqrt(variance))
    for vector in vectors:
        if len(vector.axes) > 1:
            held = [margins[axis] for axis in vector.axes]
            real = nearest_with_margins(vector.noisy, held)
            found[vector.axes] = Estimate(_with_margins(real, held), sqrt(vector.variance))
    return found


def _summed(vector: _Vector, axes: tuple[str, ...]) -> tuple[Reals, float]:
    """Return a vector summed down to some of its axes, and the variance of each sum."""
    away = tuple(i for i, axis in enumerate(vector.axes) if axis not in axes)
    terms = prod(vector.noisy.shape[i] for i in away)
    summed: Reals = np.asarray(vector.noisy.sum(axis=away))
    return summed, vector.variance * terms


def _combined(parts: Sequence[tuple[Reals, float]]) -> tuple[Reals, float]:
    """Return the mean by inverse variance, and its variance."""
    weight = sum(1 / variance for _values, variance in parts)
    mean = np.zeros_like(parts[0][0])
    for values, variance in parts:
        mean = mean + values * (1 / variance / weight)
    return mean, 1 / weight


def _on_simplex(values: Reals, total: int) -> Reals:
    """Return the nearest vector that is not negative and sums to the total."""
    falling = np.sort(values)[::-1]
    excess = (np.cumsum(falling) - total) / np.arange(1, len(values) + 1)
    last = np.flatnonzero(falling - excess > 0)
    shift = excess[last[-1]] if len(last) else falling[0]
    nearest: Reals = np.maximum(values - shift, 0)
    return nearest


def nearest_with_margins(noisy: Reals, margins: Sequence[Ints]) -> Reals:
    """Return the nearest array that is not negative and has exactly these one-way margins.

    The minimum is max(0, noisy + a[i] + b[j] + …) for some a, b, …; they are found one axis at a
    time (coordinate ascent of the dual), each axis exactly, by the same projection as a margin.
    """
    shift = noisy.astype(np.float64).copy()
    for _step in range(_STEPS):
        worst = 0.0
        for axis, margin in enumerate(margins):
            rows = np.moveaxis(shift, axis, 0).reshape(len(margin), -1)
            wrong = np.abs(np.maximum(rows, 0).sum(axis=1) - margin).max()
            worst = max(worst, float(wrong))
            moved = rows - _shifts(rows, margin)[:, None]
            other = tuple(n for i, n in enumerate(shift.shape) if i != axis)
            shift = np.moveaxis(moved.reshape(len(margin), *other), 0, axis)
        if worst < _CLOSE:
            break
    return np.maximum(shift, 0)


def _shifts(rows: Reals, sums: Ints) -> Reals:
    """Return for each row what must be taken off so that its positive part has the sum."""
    falling = -np.sort(-rows, axis=1)
    excess = (np.cumsum(falling, axis=1) - sums[:, None]) / np.arange(1, rows.shape[1] + 1)
    kept = np.maximum((falling - excess > 0).sum(axis=1), 1)
    shifts: Reals = excess[np.arange(len(rows)), kept - 1]
    return np.where(sums > 0, shifts, falling[:, 0])


def _integers(values: Reals, total: int) -> Ints:
    """Return integers with the total, by largest remainder; ties go to the first."""
    whole = np.floor(values + _CLOSE).astype(np.int64)
    remainder = np.round(values - whole, 6)
    order = np.argsort(-remainder, kind="stable")
    missing = total - int(whole.sum())
    whole[order[: max(missing, 0)]] += 1
    return whole


def _with_margins(values: Reals, margins: Sequence[Ints]) -> Ints:
    """Return integers near the values with exactly these margins, by largest remainder."""
    whole = np.floor(values + _CLOSE).astype(np.int64)
    _take_surplus(whole, margins)
    left = [m - _margin(whole, axis) for axis, m in enumerate(margins)]
    remainder = np.round(values - whole, 6).ravel()
    order = np.argsort(-remainder, kind="stable")
    # One at a time at first; what is left when every cell was seen goes wherever it fits.
    for most in (1, None):
        for cell in order:
            at = np.unravel_index(cell, whole.shape)
            room = min(int(free[i]) for free, i in zip(left, at, strict=True))
            step = room if most is None else min(room, most)
            if step > 0:
                whole[at] += step
                for free, i in zip(left, at, strict=True):
                    free[i] -= step
    return whole


def _take_surplus(whole: Ints, margins: Sequence[Ints]) -> None:
    """Take off what the last digits of a float put above a margin."""
    for axis, margin in enumerate(margins):
        for i in np.flatnonzero(_margin(whole, axis) > margin):
            row = np.moveaxis(whole, axis, 0)[i]
            for cell in product(*map(range, row.shape)):
                above = int(_margin(whole, axis)[i] - margin[i])
                row[cell] -= min(max(above, 0), int(row[cell]))


def _margin(values: Ints, axis: int) -> Ints:
    summed: Ints = values.sum(axis=tuple(i for i in range(values.ndim) if i != axis))
    return summed
