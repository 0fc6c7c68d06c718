"""Shapes of alerts, their reviews, samples and sign-offs, as auditors see them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from casevault.api.schemas.common import Shape, Words
from casevault.domain.audit.reviewing import State
from casevault.domain.staff.approvals import Wish
from casevault.services.audit.sign_offs import SignOff
from casevault.store.audit import alerts


class ReviewStep(Shape):
    """What one auditor did in a review, and noted."""

    at: datetime
    by: UUID
    to: str
    note: str

    @classmethod
    def of(cls, step: alerts.Step) -> Self:
        """Return the shape of a step."""
        at = datetime.fromtimestamp(step.at, UTC)
        return cls(at=at, by=step.by, to=step.to.value, note=step.note)


class Alert(Shape):
    """What a rule found, or somebody by hand: whose access, which entries, how far its review is.

    `approval` is what a second person decides about a violation. Of a weekly sample, `checkpoint`
    is the signed note that drew it.
    """

    id: UUID
    rule: str
    day: date
    found_at: datetime
    actors: list[UUID]
    cases: list[UUID]
    positions: list[int]
    count: int
    state: str
    steps: list[ReviewStep]
    approval: UUID | None
    week: str | None
    checkpoint: str | None
    version: int

    @classmethod
    def of(cls, alert: alerts.Alert) -> Self:
        """Return the shape of an alert."""
        return cls(
            id=alert.id,
            rule=alert.rule,
            day=alert.day,
            found_at=datetime.fromtimestamp(alert.found_at, UTC),
            actors=list(alert.actors),
            cases=list(alert.cases),
            positions=list(alert.positions),
            count=alert.count,
            state=alert.state.value,
            steps=[ReviewStep.of(step) for step in alert.steps],
            approval=alert.approval,
            week=alert.week,
            checkpoint=alert.checkpoint,
            version=alert.record.version,
        )


class AlertList(Shape):
    """A page of alerts, youngest first."""

    items: list[Alert]
    cursor: str | None = None


class NewStep(Shape):
    """The next step of a review. Conclusions and questions need a note; it is sealed."""

    to: Annotated[State, Field(strict=False)]
    note: Words = Field(default="", max_length=4_000)


class StepTaken(Shape):
    """The alert after a step; with a wish, it waits for a second person and stays where it was."""

    alert: Alert
    waits_for: UUID | None

    @classmethod
    def after(cls, alert: alerts.Alert, wish: Wish | None) -> Self:
        """Return the shape of what a step did."""
        return cls(alert=Alert.of(alert), waits_for=None if wish is None else wish.id)


class NewReview(Shape):
    """Entries that an auditor came upon, by their positions in one month."""

    month: str = Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")
    positions: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=200)
    note: Words = Field(min_length=1, max_length=4_000)


class NewSample(Shape):
    """Which week's sample is drawn, such as 2026-W47; by default the last that is over."""

    week: str | None = Field(default=None, max_length=8)


class NewSignOff(Shape):
    """The period that is signed off: its first and last day, both over (UTC)."""

    first: Annotated[date, Field(strict=False)]
    last: Annotated[date, Field(strict=False)]


class SignedOff(Shape):
    """A sign-off: the signed note, and the key that checks it (C2SP signed-note)."""

    first: date
    last: date
    note: str
    key: str

    @classmethod
    def of(cls, found: SignOff) -> Self:
        """Return the shape of a sign-off."""
        return cls(first=found.first, last=found.last, note=found.note, key=found.key)


class SignOffList(Shape):
    """Sign-offs, youngest first."""

    items: list[SignedOff]
