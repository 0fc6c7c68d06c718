"""Which release an organisation of a size may make for a period, and what it costs.

Looks at what is public: the declared size or the last published total, the period, the account.
There is no way to ask for another tier, another ρ or another list of categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from casevault.disclosure.accounting import delta_for
from casevault.disclosure.budget import YEAR, Cohort
from casevault.disclosure.catalogue import PEOPLE, Basis, Catalogue, IndicatorTable, SizeClass
from casevault.disclosure.classifications import Tier
from casevault.disclosure.parameters import PLANS, Plan, class_of
from casevault.disclosure.releasing import Design
from casevault.disclosure.tabulating import Period
from casevault.domain.case.facts import DELAY_DAYS
from casevault.domain.counting import indicators
from casevault.errors import Conflict, Invalid, Refused

TOTAL = "people-total"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants published: a period (``2026``, ``2026-H1``, ``2026-Q3``) and tables.

    No tables: all that the size allows for this period.
    """

    period: str
    tables: tuple[str, ...] = ()
    catalogue_version: int | None = None


@dataclass(frozen=True, slots=True)
class Public:
    """What everybody may know of an organisation: its size as declared, its regions."""

    people: int
    regions: tuple[str, ...]

    @property
    def size(self) -> SizeClass:
        """Return the size class."""
        return class_of(self.people)


def design(
    asked: Asked,
    public: Public,
    catalogue: Catalogue,
    cohort: Cohort,
    *,
    release_id: str,
    code_version: str,
) -> Design:
    """Return the design of what is asked for, or say why this size may not publish it."""
    if asked.catalogue_version not in (None, catalogue.version):
        raise Invalid(
            f"The catalogue has version {catalogue.version}.", code="release.catalogue-version"
        )
    named = indicators.Period.parse(asked.period)
    period = Period(named.start, named.end)
    settings = PLANS[public.size]
    # Whatever can be named is one of the three.
    basis = period.basis or Basis.YEAR
    allowed = _allowed(catalogue, public.size, basis)
    tables = catalogue.pick(asked.tables) if asked.tables else one_side(allowed, basis)
    if not set(tables) <= set(allowed):
        raise _too_fine()
    if one_side(tables, basis) != tables:
        raise Invalid(
            "Registrations of a quarter are paid by those accepted in it, services by everybody of"
            " the year: they are two releases.",
            code="release.sides",
        )
    return Design(
        release_id,
        catalogue.version,
        tuple(table.id for table in tables),
        tier_of(basis, settings),
        period,
        public.regions,
        rho_of(basis, settings, cohort, people=tables[0].universe == PEOPLE),
        delta_for(public.people),
        code_version,
        simulation=False,
    )


def check_over(period: Period, today: date) -> None:
    """Refuse a period that is not over for long enough: late entries would be missing."""
    first = period.end + timedelta(days=DELAY_DAYS + 1)
    if today < first:
        raise Conflict(
            f"This period can be released from {first.isoformat()} on: {DELAY_DAYS} days after it"
            " is over.",
            code="release.period-open",
        )


def one_side(tables: tuple[IndicatorTable, ...], basis: Basis) -> tuple[IndicatorTable, ...]:
    """Return the tables that one release holds: of a quarter, people or services, not both."""
    if basis is not Basis.QUARTER:
        return tables
    people = any(table.universe == PEOPLE for table in tables)
    return tuple(table for table in tables if (table.universe == PEOPLE) == people)


def tier_of(basis: Basis, settings: Plan) -> Tier:
    """Return how fine the categories of a release are: fine ones are for whole years."""
    return settings.tier if settings.tier and basis is Basis.YEAR else Tier.COARSE


def price(basis: Basis, settings: Plan, *, people: bool) -> Fraction:
    """Return the ρ of a release: zero where an organisation of this size makes no such one."""
    quarterly = settings.quarterly_people if people else settings.quarterly_services
    prices = {
        Basis.YEAR: settings.annual,
        Basis.HALF: settings.half_year_total,
        Basis.QUARTER: quarterly,
    }
    return prices[basis]


def _allowed(catalogue: Catalogue, size: SizeClass, basis: Basis) -> tuple[IndicatorTable, ...]:
    settings = PLANS[size]
    found = tuple(
        table
        for table in catalogue.tables.values()
        if price(basis, settings, people=table.universe == PEOPLE)
        and basis in table.periods
        and table.min_class.rank <= size.rank
    )
    if not found:
        raise Refused(
            "An organisation of this size publishes no such part of a year.",
            code="release.basis",
            hint="casevault release plan --declared-size N says what a size allows.",
        )
    return found


def rho_of(basis: Basis, settings: Plan, cohort: Cohort, *, people: bool) -> Fraction:
    """Return the ρ of a release, after what its year has paid; zero where there is no such one."""
    if basis is not Basis.YEAR:
        return price(basis, settings, people=people)
    left = cohort.left_in(YEAR)
    # What half-year totals took is missing from the year; anything less is for the account to say.
    least = settings.annual - settings.half_year_total
    return min(settings.annual, left) if left is not None and left >= least else settings.annual


def _too_fine() -> Refused:
    return Refused(
        "An organisation of this size does not publish one of these tables for such a period.",
        code="release.size",
        hint="casevault release plan --declared-size N says what a size allows.",
    )
