"""Alerts as records of the audit: what was found, how far its review is, who noted what.

An alert and its review are one record, sealed to the auditors. Also what an auditor opened by
hand, and the weekly sample, are reviewed in this form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from casevault.domain.audit.reviewing import State
from casevault.errors import Tampered
from casevault.store.audit.audit_records import Record

# Long enough for whoever asks what was done about it; reviews of years ago judge nobody any more.
KEPT_DAYS = 730


@dataclass(frozen=True, slots=True)
class Step:
    """What one auditor did in a review, with the note. `at` in Unix seconds."""

    at: int
    by: UUID
    to: State
    note: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert with its review. `actors` are the people whose access it is about."""

    record: Record
    rule: str
    day: date
    found_at: int
    actors: tuple[UUID, ...]
    cases: tuple[UUID, ...]
    positions: tuple[int, ...]
    count: int
    state: State
    steps: tuple[Step, ...]
    approval: UUID | None
    # Of a weekly sample: the week and the signed checkpoint that drew it.
    week: str | None = None
    checkpoint: str | None = None

    @property
    def id(self) -> UUID:
        """The record's id."""
        return self.record.id


def begun(
    *,
    rule: str,
    day: date,
    found_at: int,
    actors: Iterable[str | UUID],
    cases: Iterable[UUID] = (),
    positions: Iterable[int] = (),
    count: int = 0,
    **more: str,
) -> dict[str, Any]:
    """Return the content of a new alert."""
    return {
        "rule": rule,
        "day": day.isoformat(),
        "found_at": found_at,
        "actors": [str(one) for one in actors],
        "cases": [str(one) for one in cases],
        "positions": list(positions),
        "count": count,
        "state": State.OPEN.value,
        "steps": [],
        "approval": None,
        **more,
    }


def of(record: Record) -> Alert:
    """Read a record as an alert, else `Tampered`."""
    content = record.content
    try:
        approval = content["approval"]
        return Alert(
            record=record,
            rule=str(content["rule"]),
            day=date.fromisoformat(content["day"]),
            found_at=int(content["found_at"]),
            actors=tuple(UUID(one) for one in content["actors"] if len(one) == 36),
            cases=tuple(UUID(one) for one in content["cases"]),
            positions=tuple(int(one) for one in content["positions"]),
            count=int(content["count"]),
            state=State(content["state"]),
            steps=tuple(_step(one) for one in content["steps"]),
            approval=None if approval is None else UUID(approval),
            week=content.get("week"),
            checkpoint=content.get("checkpoint"),
        )
    except (KeyError, TypeError, ValueError):
        raise Tampered(code="audit-record") from None


def stepped(alert: Alert, step: Step, approval: UUID | None) -> dict[str, Any]:
    """Return the content of an alert after one more step (which may leave its state)."""
    steps = [*alert.record.content["steps"], _plain(step)]
    return {
        **alert.record.content,
        "state": step.to.value,
        "steps": steps,
        "approval": None if approval is None else str(approval),
    }


def _plain(step: Step) -> list[Any]:
    return [step.at, str(step.by), step.to.value, step.note]


def _step(raw: list[Any]) -> Step:
    at, by, to, note = raw
    return Step(int(at), UUID(by), State(to), str(note))
