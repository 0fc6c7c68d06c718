"""The numbers of the mechanism: budgets, size classes, shares, limits of display.

All public, all constant. A size class comes from the last published total or from what the
organisation declared, never from a count of records.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from casevault.disclosure.catalogue import SizeClass
from casevault.disclosure.classifications import Tier

RHO_PER_YEAR = Fraction(9, 100)
RHO_PER_LIFE = Fraction(27, 100)
CONTRIBUTING_YEARS = 3
DISPLAY_FLOOR = 11
SMALL_PARENT = 50
CONCENTRATION = Fraction(9, 10)
# A simulation without a list of years or regions chooses them by noisy counts, for a part of its ρ.
# Years are looked for in a list that anybody knows; names of regions come from the records, and
# take a part of δ too (labels.py), and no more of them are named than a table can hold.
YEARS = range(2000, 2101)
YEARS_RHO = Fraction(1, 20)
REGIONS_RHO = Fraction(1, 10)
LABELS_DELTA = Fraction(1, 10)
MOST_REGIONS = 500


@dataclass(frozen=True, slots=True)
class Shares:
    """How one release divides its ρ; a part that has nothing to measure goes to the others."""

    total: Fraction
    margins: Fraction
    details: Fraction
    people: Fraction = Fraction(75, 100)
    services: Fraction = Fraction(25, 100)


# People ask for the total first: docs/adr, "A release spends".
_SHARES = Shares(Fraction(35, 100), Fraction(27, 100), Fraction(38, 100))
SHARES = {Tier.COARSE: _SHARES, Tier.FINE: _SHARES}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a size class may publish in a year: the tier of the annual release and its ρ.

    An annual release takes at most what half-year totals left of the year. No tier: totals only.
    """

    tier: Tier | None
    annual: Fraction
    half_year_total: Fraction = Fraction(0)
    quarterly_people: Fraction = Fraction(0)
    quarterly_services: Fraction = Fraction(0)


PLANS = {
    SizeClass.TINY: Plan(None, RHO_PER_YEAR),
    SizeClass.SMALL: Plan(Tier.COARSE, RHO_PER_YEAR),
    SizeClass.MIDDLE: Plan(Tier.COARSE, RHO_PER_YEAR, half_year_total=Fraction(5, 1000)),
    SizeClass.LARGE: Plan(
        Tier.FINE,
        Fraction(45, 1000),
        quarterly_people=Fraction(20, 1000),
        quarterly_services=Fraction(6, 1000),
    ),
}


def class_of(people: int) -> SizeClass:
    """Return the size class of a published total or a declared number of people."""
    bounds = ((100, SizeClass.TINY), (1000, SizeClass.SMALL), (10_000, SizeClass.MIDDLE))
    return next((size for limit, size in bounds if people < limit), SizeClass.LARGE)
