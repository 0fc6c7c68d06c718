"""How long each part of a case is kept: class × reference date × period per compartment.

Pure. Due dates are rounded up, to the end of the month or, for minors, of the year, so that a
plain date never tells a birthday. The class never tells age.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

_REVIEW_MONTHS = 3
# Time to reach majority at the very least, when all that is known is "under age".
_MINOR_YEARS = 18


@dataclass(frozen=True, slots=True)
class Periods:
    """Months after the reference date for which each compartment is kept."""

    identity: int
    narrative: int
    facts: int
    basis: str


@dataclass(frozen=True, slots=True)
class DueDates:
    """When each compartment is due for erasure."""

    identity: date
    narrative: date
    facts: date


SCHEDULE: Mapping[str, Periods] = MappingProxyType(
    {
        "standard": Periods(60, 84, 120, "Assistance and follow-up, claims within the usual terms"),
        "short": Periods(12, 24, 60, "One contact or a referral without further assistance"),
        "proceedings": Periods(120, 144, 180, "Court, compensation or residence proceedings"),
    }
)


def due_dates(retention_class: str, reference: date, *, minor: bool) -> DueDates:
    """Return when the compartments of a case are due, counted from `reference`."""
    periods = SCHEDULE[retention_class]
    extra = 12 * _MINOR_YEARS if minor else 0
    return DueDates(
        identity=rounded_due(_plus_months(reference, periods.identity + extra), minor=minor),
        narrative=rounded_due(_plus_months(reference, periods.narrative + extra), minor=minor),
        facts=rounded_due(_plus_months(reference, periods.facts + extra), minor=minor),
    )


def rounded_due(due: date, *, minor: bool) -> date:
    """Round up to the end of the month or, for a minor, of the year."""
    return due.replace(month=12, day=31) if minor else _month_end(due)


def next_review(after: date) -> date:
    """Return the end of the month in which a case should be looked at again."""
    return _month_end(_plus_months(after, _REVIEW_MONTHS))


def _plus_months(start: date, months: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return date(year, month + 1, day)


def _month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])
