"""A case of before CaseVault: checked by the dictionary, marked, with the dates of its source.

Nothing of a source is trusted more than what is typed here. A case whose time of keeping is over
already is not taken: it would be erased the next night.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from casevault.domain.case import casefile, facts, retention
from casevault.domain.case.casefile import CaseMetadata, DocumentKind, Status
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.case.retention import SHIPPED, Schedule
from casevault.domain.importing.mapping import Candidate
from casevault.errors import FieldError, Invalid
from casevault.ids import CaseId, TeamId, new_id, new_reference

_DAYS = ("opened", "last_contact")


@dataclass(frozen=True, slots=True)
class Historic:
    """What became of a candidate: documents that the dictionary took, and the case's dates."""

    source_id: str = field(repr=False)
    identity: Mapping[str, Any] = field(repr=False)
    profile: Mapping[str, Any] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)
    opened: date
    kept_from: date
    status: Status
    of_age: date | None

    def metadata(
        self, team: TeamId, retention_class: str, today: date, schedule: Schedule
    ) -> CaseMetadata:
        """Return the plain row: opened when the source says, to be looked at from today on."""
        case = casefile.new_case(
            CaseId(new_id()),
            new_reference(),
            team,
            retention_class,
            self.kept_from,
            of_age=self.of_age,
            schedule=schedule,
        )
        return replace(
            case,
            opened_month=f"{self.opened:%Y-%m}",
            next_review=retention.next_review(today).isoformat(),
            status=self.status,
        )


def check(
    words: Dictionary,
    candidate: Candidate,
    source: str,
    retention_class: str,
    today: date,
    schedule: Schedule = SHIPPED,
) -> Historic:
    """Return the case that a line tells of; `Invalid` names every fault of it."""
    faults: list[FieldError] = []
    identity = _checked(words, DocumentKind.IDENTITY, candidate.identity, faults)
    profile = _checked(words, DocumentKind.PROFILE, candidate.profile, faults)
    days = {name: _day(candidate.case, name, today, faults) for name in _DAYS}
    status = _status(candidate.case, faults)
    if faults:
        raise _refused(*faults)
    opened = days["opened"] or today
    kept_from = days["last_contact"] or opened
    of_age = facts.of_age(identity, opened)
    if kept_from < opened:
        raise _refused(FieldError("/case/last_contact", "import.before-opening"))
    due = retention.due_dates(schedule, retention_class, kept_from, of_age=of_age)
    if due.identity < today:
        raise _refused(FieldError("/case/opened", "import.keeping-over"))
    mark = {
        "source": source,
        "source_id": candidate.source_id,
        "taken_on": today.isoformat(),
        **({"opened_on": opened.isoformat()} if days["opened"] else {}),
        **({"last_contact": kept_from.isoformat()} if days["last_contact"] else {}),
    }
    coded = facts.first_facts(identity, profile, opened)
    # Accepted now, whenever it happened: what is published of an earlier period stays as it is.
    coded |= {"accepted_on": today.isoformat(), "historic": True}
    marked = profile | {"imported": mark}
    return Historic(candidate.source_id, identity, marked, coded, opened, kept_from, status, of_age)


def _checked(
    words: Dictionary,
    kind: DocumentKind,
    content: Mapping[str, Any],
    faults: list[FieldError],
) -> dict[str, Any]:
    try:
        return words.validate(kind, content)
    except Invalid as error:
        faults += [FieldError(f"/{kind.value}{e.pointer}", e.code) for e in error.errors]
        return {}


def _day(case: Mapping[str, Any], name: str, today: date, faults: list[FieldError]) -> date | None:
    found = case.get(name)
    if found is None:
        return None
    try:
        day = date.fromisoformat(found)
    except (TypeError, ValueError):
        faults.append(FieldError(f"/case/{name}", "field.date"))
        return None
    if day > today:
        faults.append(FieldError(f"/case/{name}", "import.future"))
    return day


def _status(case: Mapping[str, Any], faults: list[FieldError]) -> Status:
    try:
        return Status(case.get("status", Status.ACTIVE))
    except ValueError:
        faults.append(FieldError("/case/status", "field.code"))
        return Status.ACTIVE


def _refused(*faults: FieldError) -> Invalid:
    return Invalid("This line cannot be taken.", errors=tuple(faults[:50]))
