"""Shapes of colleagues, teams and vouches."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from casevault.api.schemas.common import Shape, Words
from casevault.domain.staff.access import Role
from casevault.services.staff import resets
from casevault.services.staff.accounts import Colleague


class NewStaff(Shape):
    """An account to be made. It has no power until somebody vouches for its keys."""

    name: Words = Field(min_length=1, max_length=120, examples=["Cara Caseworker (made up)"])
    login: str = Field(pattern=r"^[A-Za-z0-9._-]{2,60}$", examples=["cara.caseworker"])
    # JSON has no enumerations, so strict mode would refuse every role.
    roles: list[Annotated[Role, Field(strict=False)]] = Field(min_length=1, max_length=4)
    team: UUID | None = Field(default=None, strict=False)


class StaffAdded(Shape):
    """The new account and its one-time code: shown once, valid for seven days."""

    id: UUID
    code: str


class StaffMember(Shape):
    """A colleague. `fingerprint` is what two people compare before a vouch."""

    id: UUID
    name: str
    login: str
    roles: list[str]
    team: UUID | None
    team_name: str | None
    enrolled: bool
    vouched: bool
    fingerprint: str | None

    @classmethod
    def of(cls, colleague: Colleague) -> Self:
        """Return the shape of a colleague."""
        return cls(
            id=colleague.id,
            name=colleague.name,
            login=colleague.login,
            roles=list(colleague.roles),
            team=colleague.team,
            team_name=colleague.team_name,
            enrolled=colleague.enrolled,
            vouched=colleague.vouched,
            fingerprint=colleague.fingerprint,
        )


class StaffList(Shape):
    """All colleagues, by name."""

    items: list[StaffMember]


class ResetCode(Shape):
    """The one-time code for the person themselves: shown once, valid for seven days."""

    code: str


class Regranted(Shape):
    """Groups and cases given again; `left` cases are for somebody else to give."""

    groups: int
    cases: int
    left: int

    @classmethod
    def of(cls, found: resets.Regranted) -> Self:
        """Return the shape of what was given again."""
        return cls(groups=found.groups, cases=found.cases, left=found.left)


class Team(Shape):
    """A team."""

    id: UUID
    name: str


class TeamList(Shape):
    """All teams."""

    items: list[Team]


class NewVouch(Shape):
    """For whom, and the fingerprint that was compared by voice or in person."""

    staff_id: UUID = Field(strict=False)
    fingerprint: str = Field(max_length=80, examples=["e9e9 da67 d726 312a ebc3 b4ee 1b10 5239"])
