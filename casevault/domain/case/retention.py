"""How long each part of a case is kept: class × reference date × period per compartment.

Pure. The schedule is data with a version: the shipped one is version 1, and a change is signed by
the DPO and a second person, parameter by parameter. Due dates are rounded up, to the end of the
month or, for minors, of the year, so that a plain date never tells a birthday.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from casevault.errors import FieldError, Invalid

_REVIEW_MONTHS = 3
_MAJORITY = 18
# Coming of age is told in steps, so that a due date does not tell the year of birth.
_STEP_YEARS = 6
_MOST_MONTHS = 600
_CLASS = re.compile(r"[a-z][a-z-]{0,30}")
_PERIODS = re.compile(r"(\w+) identity=(\d+) narrative=(\d+) facts=(\d+): (.+)")
_COMPARTMENTS = ("identity", "narrative", "facts")
_CLASS_PREFIX = "class."
# What stands in the place of a due date when the compartment is gone.
ERASED = "erased"
WARNING_DAYS = (30, 7)


class Reference(StrEnum):
    """From when a class is counted. Until a case is closed, `closed` makes nothing of it due."""

    OPENED = "opened"
    LAST_CONTACT = "last_contact"
    CLOSED = "closed"


class Reason(StrEnum):
    """Why something is erased. The codes never change; they stand on certificates."""

    SCHEDULE = "schedule"
    REQUEST = "request"
    WITHDRAWN = "withdrawn-consent"
    NO_BASIS = "no-legal-basis"
    TRANSFERRED = "transferred"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Periods:
    """Months after the reference date for which each compartment is kept, and why in words."""

    identity: int
    narrative: int
    facts: int
    basis: str
    counted_from: Reference = Reference.OPENED

    def encode(self) -> str:
        """Return one line that people can read and sign."""
        months = " ".join(f"{name}={getattr(self, name)}" for name in _COMPARTMENTS)
        return f"{self.counted_from} {months}: {self.basis}"


@dataclass(frozen=True, slots=True)
class DueDates:
    """When each compartment is due for erasure."""

    identity: date
    narrative: date
    facts: date


@dataclass(frozen=True, slots=True)
class Schedule:
    """All classes; months of grace after reopening, and for which a case may be kept longer."""

    version: int
    classes: Mapping[str, Periods]
    grace_months: int
    extension_months: int

    def periods(self, name: str) -> Periods:
        """Return the periods of a class, else `Invalid`; its name is not repeated."""
        found = self.classes.get(name)
        if found is None:
            raise Invalid(
                "There is no such retention class.",
                code="retention.class",
                errors=(FieldError("/retention_class", "retention.class"),),
            )
        return found

    def parameters(self) -> dict[str, str]:
        """Return what is signed about a schedule: all of it."""
        classes = {_CLASS_PREFIX + name: one.encode() for name, one in self.classes.items()}
        return {
            **classes,
            "version": str(self.version),
            "grace_months": str(self.grace_months),
            "extension_months": str(self.extension_months),
        }


SCHEDULE: Mapping[str, Periods] = MappingProxyType(
    {
        "standard": Periods(
            60,
            84,
            120,
            "Assistance and follow-up, claims within the usual terms",
            Reference.CLOSED,
        ),
        "short": Periods(12, 24, 60, "One contact or a referral without further assistance"),
        "proceedings": Periods(
            120, 144, 180, "Court, compensation or residence proceedings", Reference.CLOSED
        ),
    }
)
SHIPPED = Schedule(1, SCHEDULE, grace_months=6, extension_months=24)


def from_parameters(parameters: Mapping[str, str]) -> Schedule:
    """Read what `Schedule.parameters` gave, else `Invalid`."""
    try:
        schedule = Schedule(
            int(parameters["version"]),
            MappingProxyType(
                {
                    name.removeprefix(_CLASS_PREFIX): _periods(text)
                    for name, text in parameters.items()
                    if name.startswith(_CLASS_PREFIX)
                }
            ),
            int(parameters["grace_months"]),
            int(parameters["extension_months"]),
        )
    except (KeyError, ValueError):
        raise _malformed("/") from None
    return check(schedule)


def check(schedule: Schedule) -> Schedule:
    """Return a schedule that can be carried out, else `Invalid` with the field that cannot."""
    if not schedule.classes:
        raise _malformed("/classes")
    for name, one in schedule.classes.items():
        months = (one.identity, one.narrative, one.facts)
        if not _CLASS.fullmatch(name) or any(word in name for word in ("minor", "child", "age")):
            raise _malformed("/classes")
        # What names a person is never kept longer than what happened, nor that than the counts.
        if list(months) != sorted(months) or not 0 < months[0] <= months[2] <= _MOST_MONTHS:
            raise _malformed("/classes")
        if not 0 < len(one.basis) <= 200 or not one.basis.isprintable():
            raise _malformed("/classes")
    if not (0 <= schedule.grace_months <= 60 and 0 <= schedule.extension_months <= 120):
        raise _malformed("/grace_months")
    return schedule


def check_change(present: Schedule, wanted: Schedule) -> Schedule:
    """Return the next version of a schedule; classes may come, and none may go.

    A class that went would leave cases of which nobody could say how long they are kept.
    """
    if not present.classes.keys() <= wanted.classes.keys():
        raise _malformed("/classes")
    return check(replace(wanted, version=present.version + 1))


def due_dates(
    schedule: Schedule, retention_class: str, counted_from: date, *, of_age: date | None = None
) -> DueDates:
    """Return when the compartments of a case are due, counted from a day or from coming of age."""
    periods = schedule.periods(retention_class)
    start = counted_from if of_age is None else max(counted_from, of_age)
    due = [
        rounded_due(plus_months(start, getattr(periods, name)), minor=of_age is not None)
        for name in _COMPARTMENTS
    ]
    return DueDates(*due)


def of_age(youngest: int | None, opened: date) -> date | None:
    """Return by when somebody has come of age, rounded up in steps of years; None for adults.

    `youngest` is the lowest age that they can have when the case is opened, None if nobody knows.
    """
    if youngest is None or youngest >= _MAJORITY:
        return None
    years = _MAJORITY - max(0, youngest)
    steps = -(-years // _STEP_YEARS)
    return date(opened.year + steps * _STEP_YEARS, 12, 31)


def rounded_due(due: date, *, minor: bool) -> date:
    """Round up to the end of the month or, for a minor, of the year."""
    return due.replace(month=12, day=31) if minor else month_end(due)


def next_review(after: date) -> date:
    """Return the end of the month in which a case should be looked at again."""
    return month_end(plus_months(after, _REVIEW_MONTHS))


def plus_months(start: date, months: int) -> date:
    """Return the same day some months later, or the last of a shorter month."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return date(year, month + 1, day)


def month_end(day: date) -> date:
    """Return the last day of a day's month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _periods(text: str) -> Periods:
    found = _PERIODS.fullmatch(text)
    if found is None:
        raise ValueError
    counted_from, *months, basis = found.groups()
    identity, narrative, facts = map(int, months)
    return Periods(identity, narrative, facts, basis, Reference(counted_from))


def _malformed(pointer: str) -> Invalid:
    return Invalid(
        "This schedule cannot be carried out.",
        code="retention.schedule",
        errors=(FieldError(pointer, "retention.schedule"),),
    )
