"""What a request could look like: one made-up body for each operation whose schema shows none.

Shown in the interface's document and on its page. Must never be anybody's: all people are made up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any


@cache
def _all() -> Mapping[str, Any]:
    text = resources.files("casevault.api").joinpath("examples.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def shown(operation: str | None) -> Mapping[str, Any]:
    """Return what an operation's description has to say about its body's example, if there is one.

    In the form of OpenAPI, to be merged with what the framework finds out by itself.
    """
    if operation is None or operation not in _all():
        return {}
    return {"requestBody": {"content": {"application/json": {"example": _all()[operation]}}}}


def of(content: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the example of a described JSON body, or its schema's first; None without either."""
    return content.get("example", next(iter(schema.get("examples", [])), None))
