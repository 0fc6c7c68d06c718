"""What all shapes share."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Strict and closed: no unknown field, no silent conversion, never printed with content."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__


def moment(unix: int | None) -> datetime | None:
    """Return Unix seconds as a moment in UTC."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC)
