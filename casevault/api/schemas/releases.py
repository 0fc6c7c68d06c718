"""Shapes of releases and of the privacy account."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape, moment
from casevault.disclosure.budget import Charge, Cohort, LineState
from casevault.disclosure.choosing import Asked
from casevault.disclosure.lifecycle import Stage, Step
from casevault.disclosure.planning import Planned
from casevault.domain.importing.counted import Counted
from casevault.domain.staff.approvals import Wish
from casevault.services.counting.releases import Account, Shown
from casevault.store.counting.counted_imports import Decided


class CohortShown(Shape):
    """What people accepted in a year have paid; `left` is null after an exact disclosure."""

    year: int
    spent: float
    left: float | None

    @classmethod
    def of(cls, one: Cohort) -> Self:
        """Return the shape of a cohort."""
        left = None if one.left is None else float(one.left)
        return cls(year=one.year, spent=float(one.spent), left=left)


class ChargeShown(Shape):
    """A line of the account; `rho` is null for an exact disclosure."""

    cohort_year: int
    release: UUID
    tables: list[str]
    rho: float | None
    state: LineState
    staff_id: UUID
    at: int
    # The first and last month of acceptance of those who pay.
    months: tuple[int, int]

    @classmethod
    def of(cls, one: Charge) -> Self:
        """Return the shape of a line."""
        return cls(
            cohort_year=one.cohort_year,
            release=one.release,
            tables=list(one.tables),
            rho=None if one.rho is None else float(one.rho),
            state=one.state,
            staff_id=one.staff,
            at=one.at,
            months=one.months,
        )


class PrivacyAccount(Shape):
    """All cohorts that anything was spent on, and every line."""

    cohorts: list[CohortShown]
    charges: list[ChargeShown]

    @classmethod
    def of(cls, found: Account) -> Self:
        """Return the shape of the account."""
        return cls(
            cohorts=[CohortShown.of(one) for one in found.cohorts],
            charges=[ChargeShown.of(one) for one in found.charges],
        )


class ExactDisclosure(Shape):
    """The year in which the people were accepted whose exact counts were given away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cohort_year": 2025}]})
    cohort_year: int = Field(ge=1990, le=2200)


class NewCountedImport(Shape):
    """The day on which cases were imported, and the day as accepted on which they shall count."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"taken_on": "2026-03-02", "accepted_on": "2026-03-02"}]}
    )
    taken_on: Annotated[date, Field(strict=False)]
    accepted_on: Annotated[date, Field(strict=False)]

    @property
    def counted(self) -> Counted:
        """What the use case takes."""
        return Counted(self.taken_on, self.accepted_on)


class CountedImportAsked(Shape):
    """What waits for the DPO's word, under `/v1/approvals/{id}/decision`, until it expires."""

    id: UUID
    taken_on: date
    accepted_on: date
    expires_at: datetime

    @classmethod
    def of(cls, wish: Wish) -> Self:
        """Return the shape of what was asked for."""
        days = Counted.of(dict(wish.parameters))
        until = datetime.fromtimestamp(wish.expires_at, UTC)
        return cls(
            id=wish.id,
            taken_on=days.taken_on,
            accepted_on=days.accepted_on,
            expires_at=until,
        )


class CountedImport(Shape):
    """An import that counts: which day's, as accepted when, who asked and who approved."""

    taken_on: date
    accepted_on: date
    people: list[UUID]
    decided_at: datetime

    @classmethod
    def of(cls, one: Decided) -> Self:
        """Return the shape of a decision."""
        days = one.counted
        return cls(
            taken_on=days.taken_on,
            accepted_on=days.accepted_on,
            people=list(one.people),
            decided_at=datetime.fromtimestamp(one.at, UTC),
        )


class CountedImportList(Shape):
    """All imports that two people let count."""

    items: list[CountedImport]


class NewRelease(Shape):
    """What is to be released: a year, half-year or quarter, and tables of the catalogue."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"period": "2025", "tables": ["people-total"]}]}
    )
    period: str = Field(pattern=r"^[0-9]{4}(-(H[12]|Q[1-4]))?$")
    # Left out: all that the size allows. Fewer tables, less noise on each.
    tables: list[str] = Field(default_factory=list, max_length=100)
    catalogue_version: int | None = Field(default=None, ge=1, le=10_000)

    @property
    def asked(self) -> Asked:
        """What the use case takes."""
        return Asked(self.period, tuple(self.tables), self.catalogue_version)


class ReleaseReview(Shape):
    """The caller's word about a release; it is signed with their key."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"approve": True}]})
    approve: bool


class ReleaseWithdrawal(Shape):
    """Why a release is taken back, as a code."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "error"}]})
    reason: Literal["error", "consent", "method", "other"]


class StepShown(Shape):
    """Who took a step of a release, and when."""

    staff_id: UUID
    at: datetime | None

    @classmethod
    def of(cls, one: Step | None) -> Self | None:
        """Return the shape of a step that was taken."""
        return None if one is None else cls(staff_id=one.by, at=moment(one.at))


class ReleaseShown(Shape):
    """A release. Of its numbers nothing is here: they are in its files."""

    id: UUID
    stage: Stage
    # How many have approved, of two; whether somebody declined or nobody reviewed it in time.
    approved: int
    declined: bool
    catalogue_version: int
    tables: list[str]
    tier: str
    period_start: date
    period_end: date
    rho: float
    epsilon: float
    delta: float
    code_version: str
    digest: str
    supersedes: UUID | None
    made: StepShown | None
    published: StepShown | None
    reviewers: list[UUID]
    withdrawn: StepShown | None
    reason: str

    @classmethod
    def of(cls, one: Shown) -> Self:
        """Return the shape of a release."""
        held, design = one.held, one.held.design
        return cls(
            id=held.id,
            stage=held.stage,
            approved=one.approved,
            declined=one.declined,
            catalogue_version=design.catalogue_version,
            tables=list(design.tables),
            tier=design.tier.value,
            period_start=design.period.start,
            period_end=design.period.end,
            rho=float(design.rho),
            epsilon=round(design.epsilon, 4),
            delta=design.delta,
            code_version=design.code_version,
            digest=held.digest,
            supersedes=held.supersedes,
            made=StepShown.of(held.made),
            published=StepShown.of(held.published),
            reviewers=list(held.reviewers),
            withdrawn=StepShown.of(held.withdrawn),
            reason=held.reason,
        )


class ReleaseList(Shape):
    """All releases."""

    items: list[ReleaseShown]


class PlannedTable(Shape):
    """One table of one kind of release: in 95 of 100 cases a number is off by at most this."""

    table: str
    basis: str
    rho: float
    epsilon: float
    total: float
    margin: float | None
    detail: float | None
    shown_from: int


class ReleasePlan(Shape):
    """What the organisation's public size allows in a year."""

    items: list[PlannedTable]

    @classmethod
    def of(cls, found: list[Planned]) -> Self:
        """Return the shape of a plan."""
        rows = [{**asdict(one), "rho": float(one.rho)} for one in found]
        return cls(items=[PlannedTable(**row) for row in rows])
