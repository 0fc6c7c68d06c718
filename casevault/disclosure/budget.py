"""The privacy account as arithmetic: what people of a year have paid, and what may be asked.

A table of registrations is paid by those who were accepted in its months, and everybody is accepted
once in a year: what different months pay lies side by side. Whatever counts services is paid by the
whole year. Charges are only ever added. A reservation counts from the moment it is made, whether or
not a release came of it: what was drawn once and thrown away was still drawn. An exact disclosure
is entered as infinite and ends all later claims about its cohort.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

from casevault.disclosure.parameters import RHO_PER_YEAR
from casevault.errors import Invalid, Refused


class LineState(StrEnum):
    """What a line of the account says."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    EXACT = "exact"


Months = tuple[int, int]
YEAR: Months = (1, 12)


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of the account. `rho` is None for an exact disclosure, zero for a commitment.

    `months` are the first and last month of acceptance of those who pay.
    """

    cohort_year: int
    release: UUID
    tables: tuple[str, ...]
    rho: Fraction | None
    state: LineState
    staff: UUID
    at: int
    months: Months = YEAR

    def __post_init__(self) -> None:
        """Refuse a line that would pay with nothing, or less."""
        wrong = {
            LineState.RESERVED: self.rho is None or self.rho <= 0,
            LineState.COMMITTED: self.rho != 0,
            LineState.EXACT: self.rho is not None,
        }
        if wrong[self.state] or not 1 <= self.months[0] <= self.months[1] <= 12:
            raise Invalid("This is no charge of the account.", code="release.charge")


@dataclass(frozen=True, slots=True)
class Cohort:
    """What the people accepted in a year have paid, by month of acceptance."""

    year: int
    by_month: tuple[Fraction, ...]
    tainted: bool

    @property
    def spent(self) -> Fraction:
        """Return what those have paid who have paid most."""
        return max(self.by_month)

    @property
    def left(self) -> Fraction | None:
        """Return what may still be spent on them, or None when nothing can be claimed."""
        return self.left_in(YEAR)

    def left_in(self, months: Months) -> Fraction | None:
        """Return what may still be spent on those accepted in these months, or None."""
        if self.tainted:
            return None
        paid = max(self.by_month[months[0] - 1 : months[1]])
        return max(RHO_PER_YEAR - paid, Fraction(0))


def cohort(year: int, charges: Sequence[Charge]) -> Cohort:
    """Return the sum of a cohort's charges."""
    mine = [one for one in charges if one.cohort_year == year]
    by_month = tuple(
        sum((o.rho for o in mine if o.rho and o.months[0] <= month <= o.months[1]), Fraction(0))
        for month in range(1, 13)
    )
    return Cohort(year, by_month, any(one.state is LineState.EXACT for one in mine))


def check(charge: Charge, before: Sequence[Charge]) -> None:
    """Return if a charge fits into what is left of its cohort's budget; else refuse it."""
    mine = [one for one in before if one.cohort_year == charge.cohort_year]
    if charge.state is LineState.COMMITTED:
        reserved = any(o.release == charge.release and o.state is LineState.RESERVED for o in mine)
        if not reserved or any(
            o.release == charge.release and o.state is LineState.COMMITTED for o in mine
        ):
            raise Refused("No open reservation has this number.", code="release.reservation")
        return
    if charge.state is LineState.EXACT:
        return
    left = cohort(charge.cohort_year, mine).left_in(charge.months)
    if left is None:
        raise Refused(
            "Exact counts of these people were given away: no release can promise anything more.",
            code="release.cohort-tainted",
        )
    if charge.rho is None or charge.rho > left:
        raise Refused(
            "The privacy budget of these people does not allow it. It does not grow again.",
            code="release.budget",
            hint="GET /v1/releases/account shows what was spent, on what and by whom.",
        )
