"""Shapes of searching. What was asked is in the body only, and in no answer."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape
from casevault.services.search.search import Share, Terms
from casevault.store.search.answers import Answer, Answers

_LONGEST = 200


class NewSearch(Shape):
    """What is known of the person: at least two attributes, or a phone, or a paper's number.

    A name may be in any script and order; each word of it counts as an attribute.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Amina Example", "birth_year": 1994}, {"phone": "07700 900123"}]
        }
    )
    name: str = Field(default="", max_length=_LONGEST)
    given: str = Field(default="", max_length=_LONGEST)
    family: str = Field(default="", max_length=_LONGEST)
    birth_year: int | None = Field(default=None, ge=1900, le=2100)
    age: int | None = Field(default=None, ge=0, le=120)
    phone: str = Field(default="", max_length=40)
    number: str = Field(default="", max_length=60)

    def terms(self) -> Terms:
        """Return what the use case takes."""
        return Terms(
            self.name,
            self.given,
            self.family,
            self.birth_year,
            self.age,
            self.phone,
            self.number,
        )


class ToAsk(Shape):
    """A colleague who holds the case, or supervises the team."""

    id: UUID
    name: str


class FoundCase(Shape):
    """A case that may be the person's. Opening it needs a grant, unless `case_id` is there.

    `certainty` is `high`, `medium` or `low`; `ask` is empty for another team's: ask the team.
    """

    reference: str
    team_id: UUID
    team: str
    case_id: UUID | None
    certainty: str
    reasons: list[str]
    ask: list[ToAsk]

    @classmethod
    def of(cls, found: Answer) -> Self:
        """Return the shape of an answer."""
        return cls(
            reference=found.reference,
            team_id=found.team,
            team=found.team_name,
            case_id=found.case,
            certainty=found.certainty,
            reasons=[reason.value for reason in found.reasons],
            ask=[ToAsk(id=one.id, name=one.name) for one in found.ask],
        )


class Found(Shape):
    """At most ten, the likeliest first. Not `complete`: rebuild the search cards."""

    items: list[FoundCase]
    complete: bool

    @classmethod
    def of(cls, found: Answers) -> Self:
        """Return the shape of answers."""
        return cls(items=[FoundCase.of(one) for one in found.items], complete=found.complete)


class Shared(Shape):
    """With how many other teams' directories a directory is shared."""

    team_id: UUID
    directories: int

    @classmethod
    def of(cls, found: Share) -> Self:
        """Return the shape of a shared directory."""
        return cls(team_id=found.team, directories=found.directories)
