"""What a release measures, how much each part costs, and the noisy measurement itself.

One joint measurement per release. For each universe of units (people, services, …): the total,
every distinct one-way margin once, every table's detail. The sensitivity of a vector is the
largest L2 change that one person makes to it, computed from the table's cap. A release that holds
only a total spends everything on it, because a part without anything to measure gets no share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from casevault.disclosure.accounting import variance_for
from casevault.disclosure.arrays import np
from casevault.disclosure.bits import Bits
from casevault.disclosure.catalogue import PEOPLE, IndicatorTable
from casevault.disclosure.classifications import Dimension
from casevault.disclosure.gaussian import discrete_gaussian
from casevault.disclosure.parameters import Shares
from casevault.disclosure.records import Ints
from casevault.errors import Invalid

# A person has each service once in a year: their pairs lie in different cells of these axes.
SPREADING = frozenset({"service"})


@dataclass(frozen=True, slots=True)
class Measurement:
    """One vector that is measured: over which axes, its squared sensitivity and its ρ."""

    universe: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    squared: int
    rho: Fraction

    @property
    def variance(self) -> Fraction:
        """Return the variance of the noise on each of its cells."""
        return variance_for(self.squared, self.rho)

    @property
    def name(self) -> str:
        """Return the name under which its noisy vector is stored."""
        return "/".join((self.universe, *self.axes))


Noisy = Mapping[str, tuple[int, ...]]


def squared_sensitivity(axes: Sequence[str], cap: int) -> int:
    """Return the square of the largest L2 change by one person with at most `cap` units.

    Units that lie in different cells add up to the cap; those that may lie in one, to its square.
    """
    return cap if SPREADING & set(axes) else cap * cap


def plan(
    tables: Sequence[IndicatorTable],
    dimensions: Mapping[str, Dimension],
    rho: Fraction,
    shares: Shares,
) -> tuple[Measurement, ...]:
    """Return what these tables need measured, with all of `rho` divided among it."""
    weights = [
        (universe, axes, cap, weight) for universe, axes, cap, weight in _weights(tables, shares)
    ]
    whole = sum((weight for *_rest, weight in weights), Fraction(0))
    return tuple(
        Measurement(
            universe,
            axes,
            tuple(len(dimensions[axis].categories) for axis in axes),
            squared_sensitivity(axes, cap),
            rho * weight / whole,
        )
        for universe, axes, cap, weight in weights
    )


def _weights(
    tables: Sequence[IndicatorTable], shares: Shares
) -> list[tuple[str, tuple[str, ...], int, Fraction]]:
    universes = list(dict.fromkeys(table.universe for table in tables))
    sides = {u: sum(t.share for t in tables if t.universe == u) for u in universes}
    services = sum(share for u, share in sides.items() if u != PEOPLE)
    found = []
    for universe in universes:
        mine = [table for table in tables if table.universe == universe]
        if len({table.cap for table in mine}) != 1:
            raise Invalid("Tables of one universe have one cap.", code="catalogue.cap")
        side = (
            shares.people
            if universe == PEOPLE
            else shares.services * Fraction(sides[universe], services)
        )
        parts = _parts(mine, shares)
        whole = sum(parts.values())
        found += [(universe, a, mine[0].cap, side * w / whole) for a, w in parts.items()]
    return found


def _parts(tables: Sequence[IndicatorTable], shares: Shares) -> dict[tuple[str, ...], Fraction]:
    """Return the weight of every vector of one universe; a table of one axis is its margin."""
    parts: dict[tuple[str, ...], Fraction] = {(): shares.total}
    margins = list(dict.fromkeys(axis for table in tables for axis in table.axes))
    for axis in margins:
        parts[axis,] = shares.margins / len(margins)
    detailed = {table.axes: table.share for table in tables if len(table.axes) > 1}
    for axes, share in detailed.items():
        parts[axes] = shares.details * Fraction(share, sum(detailed.values()))
    return parts


def measure(
    measurements: Sequence[Measurement], counts: Mapping[str, Ints], bits: Bits
) -> dict[str, tuple[int, ...]]:
    """Return every vector with exact discrete Gaussian noise. The only draw of a release."""
    noisy = {}
    for one in measurements:
        exact = counts[one.name].ravel()
        if len(exact) != prod(one.shape):
            raise Invalid("Counts and plan do not fit.", code="release.shape")
        variance = one.variance
        noisy[one.name] = tuple(int(x) + discrete_gaussian(variance, bits) for x in exact)
    return noisy


def exact_vectors(
    measurements: Sequence[Measurement],
    tables: Sequence[IndicatorTable],
    details: Mapping[str, Ints],
) -> dict[str, Ints]:
    """Return total, margins and details from the tables' exact counts: margins are sums."""
    vectors: dict[str, Ints] = {}
    for one in measurements:
        table = next(
            t for t in tables if t.universe == one.universe and set(one.axes) <= set(t.axes)
        )
        away = tuple(i for i, axis in enumerate(table.axes) if axis not in one.axes)
        vectors[one.name] = np.asarray(details[table.id].sum(axis=away), dtype=np.int64)
    return vectors
