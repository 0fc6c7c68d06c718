"""What all shapes share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from casevault.domain.case import dictionary


class Shape(BaseModel):
    """Strict and closed: no unknown field, no silent conversion, never printed with content."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__


def moment(unix: int | None) -> datetime | None:
    """Return Unix seconds as a moment in UTC."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC)


def _words(text: str) -> str:
    # Nothing at all is for the use case to judge: some reasons may be left out.
    if text and dictionary.words_fault(text, long=True) is not None:
        raise PydanticCustomError("words", "not words that can be read")
    return text


# Free text outside the data dictionary: readable, and nothing that hides or reverses other text.
Words = Annotated[str, AfterValidator(_words)]
