"""What a case's plain row says about how long it is kept, and what changes that.

Pure. A row holds the day from which it is counted, by when a minor has come of age, and two limits:
nothing goes before one (reopened, extended), nothing stays after the other (consent withdrawn). The
due dates follow from these and the schedule, so that a job without any key can count them anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta

from casevault.domain.case import restricting
from casevault.domain.case.casefile import CaseMetadata, Compartment, Status, is_closed
from casevault.domain.case.retention import (
    ERASED,
    WARNING_DAYS,
    Reference,
    Schedule,
    due_dates,
    month_end,
    plus_months,
)
from casevault.errors import Conflict, FieldError, Invalid

# After a consent is withdrawn: time to find out, and to set a hold if one is owed.
_WITHDRAWN_DAYS = 30


def recounted(schedule: Schedule, case: CaseMetadata) -> CaseMetadata:
    """Return the case with the due dates of this schedule; what is erased stays so.

    A row from before the day of counting was kept is never due earlier than it was.
    """
    counted = replace(case, schedule=schedule.version)
    return _with_due(counted, _due(schedule, case))


def closed(schedule: Schedule, case: CaseMetadata, today: date) -> CaseMetadata:
    """Return a case that was just closed: this is what most classes are counted from."""
    if schedule.periods(case.retention_class).counted_from is Reference.OPENED:
        return case
    return recounted(schedule, replace(case, counted_from=month_end(today).isoformat()))


def reopened(schedule: Schedule, case: CaseMetadata, today: date) -> CaseMetadata:
    """Return a case that was just reopened: nothing of it goes within the time of grace."""
    grace = month_end(plus_months(today, schedule.grace_months)).isoformat()
    return recounted(schedule, replace(case, not_before=max(grace, case.not_before or "")))


def contacted(schedule: Schedule, case: CaseMetadata, today: date) -> CaseMetadata:
    """Return a case about which there was contact today."""
    if schedule.periods(case.retention_class).counted_from is not Reference.LAST_CONTACT:
        return case
    return recounted(schedule, replace(case, counted_from=month_end(today).isoformat()))


def moved(
    schedule: Schedule, before: CaseMetadata, after: CaseMetadata, today: date
) -> CaseMetadata:
    """Return a case whose status changed, counted as that demands."""
    if is_closed(after.status) and not is_closed(before.status):
        return closed(schedule, after, today)
    if is_closed(before.status) and not is_closed(after.status):
        return reopened(schedule, after, today)
    return after


def extended(schedule: Schedule, case: CaseMetadata, months: int) -> CaseMetadata:
    """Return a case of which nothing goes for some months after it was due first.

    Counted from the schedule and not from the last extension: together they have one limit.

    :raises Invalid: more months than the schedule allows.
    """
    if not 0 < months <= schedule.extension_months:
        raise Invalid(
            "A case is kept longer by no more months in all than the schedule says.",
            code="retention.extension",
            errors=(FieldError("/months", "retention.extension"),),
        )
    first = min(_left(recounted(schedule, replace(case, not_before=None))), default=None)
    if first is None:
        raise Conflict("Nothing of this case is left to keep.", code="case.erased")
    until = month_end(plus_months(date.fromisoformat(first), months)).isoformat()
    return recounted(schedule, replace(case, not_before=max(until, case.not_before or "")))


def withdrawn(schedule: Schedule, case: CaseMetadata, today: date) -> CaseMetadata:
    """Return a case for whose keeping nobody's consent speaks any more."""
    end = month_end(today + timedelta(days=_WITHDRAWN_DAYS)).isoformat()
    return recounted(schedule, replace(case, not_after=end, not_before=None))


def agreed(schedule: Schedule, case: CaseMetadata) -> CaseMetadata:
    """Return a case for whose keeping there is consent again."""
    return case if case.not_after is None else recounted(schedule, replace(case, not_after=None))


def due_now(schedule: Schedule, case: CaseMetadata, today: date) -> frozenset[str]:
    """Return the compartments that the schedule lets go by `today`, whatever holds them back."""
    if not _counts(schedule, case):
        return frozenset()
    return frozenset(name for name, due in due_of(case).items() if due < today.isoformat())


def is_free(case: CaseMetadata) -> bool:
    """Say whether nothing in the row forbids to erase: no hold, not frozen."""
    return not case.hold and not case.restriction


def check_free(case: CaseMetadata) -> None:
    """Return if nothing forbids to destroy something of a case, else `Conflict`."""
    if case.hold:
        raise held()
    if case.restriction:
        raise restricting.frozen()


def held() -> Conflict:
    """Return what somebody is told who would destroy something under a hold."""
    return Conflict(
        "A legal hold keeps this case.",
        code="case.hold",
        hint="Two people can release the hold: GET /v1/holds.",
    )


def warning(schedule: Schedule, case: CaseMetadata, today: date) -> tuple[str, int] | None:
    """Return the next due date that is near, and how many days before people are warned of it."""
    near = (today + timedelta(days=max(WARNING_DAYS))).isoformat()
    soon = min(_left(case), default=near)
    if soon >= near or not is_free(case) or not _counts(schedule, case):
        return None
    left = (date.fromisoformat(soon) - today).days
    return soon, min(days for days in WARNING_DAYS if left < days)


def erased(case: CaseMetadata, names: Iterable[str]) -> CaseMetadata:
    """Return a case of which some compartments are gone."""
    return _with_due(case, dict.fromkeys(names, ERASED))


def due_of(case: CaseMetadata) -> dict[str, str]:
    """Return the due date of each compartment that is left."""
    found = {one.value: str(getattr(case, f"due_{one}")) for one in Compartment}
    return {name: due for name, due in found.items() if due != ERASED}


def _counts(schedule: Schedule, case: CaseMetadata) -> bool:
    """Say whether time runs: an open case of a class counted from closing is not due by date."""
    by_closing = schedule.periods(case.retention_class).counted_from is Reference.CLOSED
    return case.not_after is not None or not by_closing or is_closed(Status(case.status))


def _due(schedule: Schedule, case: CaseMetadata) -> dict[str, str]:
    counted = case.counted_from or f"{case.opened_month}-01"
    of_age = None if case.of_age is None else date.fromisoformat(case.of_age)
    found = due_dates(schedule, case.retention_class, date.fromisoformat(counted), of_age=of_age)
    due = {}
    for name, present in due_of(case).items():
        new = getattr(found, name).isoformat()
        if case.counted_from is None:
            new = max(new, present)
        new = max(new, case.not_before or new)
        due[name] = min(new, case.not_after or new)
    return due


def _with_due(case: CaseMetadata, due: Mapping[str, str]) -> CaseMetadata:
    return replace(
        case,
        due_identity=due.get("identity", case.due_identity),
        due_narrative=due.get("narrative", case.due_narrative),
        due_facts=due.get("facts", case.due_facts),
    )


def _left(case: CaseMetadata) -> list[str]:
    return list(due_of(case).values())
