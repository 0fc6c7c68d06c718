"""What an organisation of a size may publish, and how accurate it will be; nothing is charged.

Looks at the declared size and at the catalogue; there are no records here to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from casevault.disclosure.accounting import delta_for, epsilon
from casevault.disclosure.catalogue import PEOPLE, Basis, Catalogue, IndicatorTable, SizeClass
from casevault.disclosure.choosing import price
from casevault.disclosure.classifications import Tier
from casevault.disclosure.estimating import estimate
from casevault.disclosure.measuring import plan
from casevault.disclosure.parameters import DISPLAY_FLOOR, PLANS, SHARES, class_of

_NORMAL_95 = 1.96
TOTAL = "people-total"


@dataclass(frozen=True, slots=True)
class Planned:
    """One table of one release: about how far off its numbers will be, and what will be withheld.

    `margin` and `detail` are None where a table has none; `shown_from` is the smallest estimate of
    a detail (or of the only margin, or of the total) that will be shown.
    """

    table: str
    basis: str
    rho: Fraction
    epsilon: float
    total: float
    margin: float | None
    detail: float | None
    shown_from: int


def planned(people: int, regions: int, catalogue: Catalogue) -> list[Planned]:
    """Return every table of a year for an organisation that declares so many people."""
    size = class_of(people)
    delta = delta_for(people)
    return [
        one
        for basis, tables, tier, rho in _releases(size, catalogue)
        for one in _accuracy(basis, tables, tier, rho, delta, regions, catalogue)
    ]


def _releases(
    size: SizeClass, catalogue: Catalogue
) -> Iterator[tuple[str, tuple[IndicatorTable, ...], Tier, Fraction]]:
    settings = PLANS[size]
    if settings.tier is None:
        yield "year", catalogue.pick([TOTAL]), Tier.COARSE, settings.annual
        return
    halves = settings.half_year_total
    if halves:
        yield "half-year", catalogue.pick([TOTAL]), Tier.COARSE, halves
    quarterly = _made_for(catalogue, Basis.QUARTER, size)
    for people in (True, False):
        mine = tuple(table for table in quarterly if (table.universe == PEOPLE) == people)
        if mine and (rho := price(Basis.QUARTER, settings, people=people)):
            yield "quarter", mine, Tier.COARSE, rho
    yield "year", _made_for(catalogue, Basis.YEAR, size), settings.tier, settings.annual - halves


def _made_for(catalogue: Catalogue, basis: Basis, size: SizeClass) -> tuple[IndicatorTable, ...]:
    return tuple(
        table
        for table in catalogue.tables.values()
        if basis in table.periods and table.min_class.rank <= size.rank
    )


def _accuracy(
    basis: str,
    tables: tuple[IndicatorTable, ...],
    tier: Tier,
    rho: Fraction,
    delta: float,
    regions: int,
    catalogue: Catalogue,
) -> Iterator[Planned]:
    names = tuple(f"region {n}" for n in range(regions))
    axes = dict.fromkeys(axis for table in tables for axis in table.axes)
    dimensions = {axis: catalogue.dimension(axis, tier, names) for axis in axes}
    measured = plan(tables, dimensions, rho, SHARES[tier])
    # The deviation of an estimate does not depend on what was counted.
    nothing = {one.name: (0,) * prod(one.shape) for one in measured}
    found = {name: one.deviation for name, one in estimate(measured, nothing).items()}
    for table in tables:
        margins = [found[f"{table.universe}/{axis}"] for axis in table.axes]
        whole = found["/".join((table.universe, *table.axes))]
        several = len(table.axes) > 1
        yield Planned(
            table.id,
            basis,
            rho,
            epsilon(rho, delta),
            _NORMAL_95 * found[table.universe],
            _NORMAL_95 * max(margins) if margins else None,
            _NORMAL_95 * whole if several else None,
            max(DISPLAY_FLOOR, int(2 * whole) + 1),
        )
