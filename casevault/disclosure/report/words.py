"""The words of the report in four languages; tests see that none is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from casevault.disclosure.catalogue import REGION
from casevault.domain import vocabulary

_SPACE = "\u202f"
_LISTS: Mapping[str, str] = {
    "exploitation": "type_of_exploitation",
    "means": "methods_of_control",
    "service": "service_type",
}
_COMMA = frozenset({"fr", "es"})


@dataclass(frozen=True, slots=True)
class Words:
    """All words in one language."""

    language: str

    @property
    def right_to_left(self) -> bool:
        """Say in which direction the page runs."""
        return self.language in vocabulary.RIGHT_TO_LEFT

    def text(self, name: str, **values: object) -> str:
        """Return a sentence of the report."""
        found: str = _all()["texts"][name][self.language]
        return found.format(**values)

    def named(self, name: str, text: str) -> str:
        """Return a name, the colon as this language writes it, and what is named."""
        return self.text("colon", what=name, text=text)

    def of_table(self, universe: str, axis: str) -> str:
        """Return what a chart of people is about."""
        by: str = _all()["axes"][axis][self.language]
        return self.text("join").join((self.universe(universe), by))

    def universe(self, universe: str) -> str:
        """Return what is counted."""
        found: str = _all()["universes"][universe][self.language]
        return found

    def category(self, axis: str, code: str) -> str:
        """Return a category of an axis; a region keeps the name that it was declared with."""
        known = _all()["categories"]
        name = _LISTS.get(axis, axis)
        if name in vocabulary.list_names() and code in vocabulary.code_list(name):
            return vocabulary.code_label(name, code, self.language)
        if axis == REGION and code not in {"_T", "unknown"}:
            return code
        found: str = known[code][self.language]
        return found

    def course(self, name: str) -> str:
        """Return a course as the form of the register calls it."""
        return vocabulary.field_label("register.training", name, self.language)

    def number(self, value: int) -> str:
        """Return a number with thin spaces between thousands from 10,000 up."""
        return f"{value:,}".replace(",", _SPACE) if value >= 10_000 else str(value)

    def percent(self, share: float) -> str:
        """Return a share to one decimal."""
        text = f"{share:.1f}"
        if self.language in _COMMA:
            return text.replace(".", ",") + "\u00a0%"
        return text + "%"


@cache
def _all() -> Mapping[str, Any]:
    text = resources.files("casevault.disclosure.report").joinpath("words.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
