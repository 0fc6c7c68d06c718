"""Shapes of the calendar feed."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape


class NewFeed(Shape):
    """The address of your feed below this host: a secret that is shown this once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"path": "/v1/feed/MADE-UP-MADE-UP-MADE-UP-MADE-UP-MADE-UP-MADE-UP.ics"}]
        }
    )
    path: str = Field(repr=False)
