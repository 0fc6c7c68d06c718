"""Shapes of the privacy account."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape
from casevault.disclosure.budget import Charge, Cohort, State
from casevault.services.releases import Account


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
    state: State
    staff_id: UUID
    at: int

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
