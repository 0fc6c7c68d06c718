"""What goes in and out about the survivor's copy of their own file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape, Words
from casevault.domain.rights.copies import KeepBack, Withheld
from casevault.services.rights.copying import Preview


class WithheldPart(Shape):
    """What is kept back of a copy: a part by its id, a field of it, or a passage; and why.

    The field `file` of an attached file is what is in it: it is listed then, and not given.
    """

    id: str = Field(min_length=32, max_length=32, pattern="^[0-9a-f]{32}$")
    reason: Annotated[KeepBack, Field(strict=False)]
    field: str | None = Field(default=None, min_length=1, max_length=60)
    passage: Annotated[Words, Field(min_length=1, max_length=2000)] | None = None

    def withheld(self) -> Withheld:
        """Return it as the use case takes it."""
        return Withheld(self.id, self.reason, self.field, self.passage)


class CopyWanted(Shape):
    """What is kept back because it speaks of others; nothing, until you have looked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "withheld": [
                        {
                            "id": "0" * 32,
                            "field": "text",
                            "passage": "her made-up sister Ada",
                            "reason": "other_person",
                        }
                    ]
                }
            ]
        }
    )
    withheld: list[WithheldPart] = Field(default_factory=list, max_length=500)

    def kept_back(self) -> list[Withheld]:
        """Return what is kept back as the use case takes it."""
        return [one.withheld() for one in self.withheld]


class CopyConfirmed(CopyWanted):
    """The same, with the preview's digest, once somebody looked at all that speaks of others."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"withheld": [], "digest": "0" * 64, "others_reviewed": True, "form": "html"}
            ]
        }
    )
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    others_reviewed: Literal[True]
    form: Literal["html", "json", "zip"] = "html"


class ReviewPlace(Shape):
    """A field to be looked at first; `certain`: it speaks of others by its nature."""

    id: str
    part: str
    field: str
    certain: bool


class CopyPreview(Shape):
    """The copy as it would leave, the digest that confirms it, and what to look at first."""

    copy_: dict[str, Any] = Field(alias="copy")
    digest: str
    review: list[ReviewPlace]

    @classmethod
    def of(cls, shown: Preview) -> Self:
        """Return the shape of a preview."""
        places = [
            ReviewPlace(id=one.id, part=one.kind, field=one.name, certain=one.certain)
            for one in shown.review
        ]
        return cls(copy=shown.copy, digest=shown.digest, review=places)
