"""How coded fields become the categories of a table: declared lists, the same for every count.

A category is a union of codes of the data dictionary. Codes of a list that no category names,
an empty field and a country that is in no list become `unknown`; several values that fall into
different categories become `several`, so that a person stands in exactly one cell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from casevault.domain import vocabulary
from casevault.domain.case.dictionary import fields_of
from casevault.domain.case.fields import Field, Type
from casevault.errors import Misconfigured

SEVERAL, UNKNOWN, TOTAL = "several", "unknown", "_T"


class Tier(StrEnum):
    """How fine the categories of a release are."""

    COARSE = "coarse"
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension of a table in one tier: its categories in order, and where codes go."""

    name: str
    categories: tuple[str, ...]
    # The dictionary's field that it is made from; empty when it is computed (service, region).
    field: str = ""
    members: Mapping[str, str] | None = None

    def place(self, codes: Sequence[str]) -> int:
        """Return the index of the one category in which these codes of a person fall."""
        known = self.members or {}
        found = {known[code] for code in codes if code in known}
        if len(found) > 1:
            return self.categories.index(SEVERAL)
        return self.categories.index(found.pop() if found else UNKNOWN)


def coded_fields() -> tuple[Field, ...]:
    """Return the coded fields of the facts, as the data dictionary names them."""
    coded = {Type.CODE, Type.COUNTRY}
    return tuple(f for f in fields_of("facts") if f.type in coded and not f.system)


def fact(name: str) -> Field:
    """Return the field of the facts by that name."""
    for field in coded_fields():
        if field.name == name:
            return field
    raise Misconfigured(f"The facts have no field {name}.", code="catalogue.field")


def codes_of(field: Field) -> tuple[str, ...]:
    """Return the codes that a field of the facts may hold."""
    if field.type is Type.COUNTRY:
        return tuple(sorted(_countries("m49-subregions")))
    return vocabulary.code_list(field.codes)


def build(name: str, spec: Mapping[str, Any], tier: Tier) -> Dimension:
    """Return a dimension from its declaration in the catalogue; a wrong one is refused."""
    field = fact(spec["field"])
    members = _members(field, spec[tier], frozenset(spec.get("unknown", ())))
    strangers = set(members) - set(codes_of(field))
    if strangers:
        raise Misconfigured(
            f"{name} names codes that no list has: {', '.join(sorted(strangers))}.",
            code="catalogue.code",
        )
    extra = (SEVERAL, UNKNOWN) if field.many else (UNKNOWN,)
    categories = (*dict.fromkeys(members.values()), *extra)
    return Dimension(name, categories, field.name, members)


def check_nested(coarse: Dimension, fine: Dimension) -> None:
    """Refuse two classifications of one field that differ by a slice (0-17 beside 0-18)."""
    if coarse.members is None or fine.members is None:
        return
    for group in set(fine.members.values()):
        above = {coarse.members.get(c) for c, g in fine.members.items() if g == group}
        if len(above) != 1:
            raise Misconfigured(
                f"{coarse.name}: {group} is cut by the coarse categories.", code="catalogue.slice"
            )


def _members(field: Field, spec: Any, unknown: frozenset[str]) -> dict[str, str]:  # noqa: ANN401
    if spec == "each":
        return {code: code for code in codes_of(field) if code not in unknown}
    if isinstance(spec, str):
        return dict(_countries(spec))
    pairs = [(code, group) for group, codes in spec.items() for code in codes]
    members = dict(pairs)
    lost = set(codes_of(field)) - set(members) - unknown
    if len(members) != len(pairs) or lost:
        raise Misconfigured(
            f"Each code of {field.name} belongs to one category: {', '.join(sorted(lost))}.",
            code="catalogue.code",
        )
    return members


@cache
def _countries(level: str) -> Mapping[str, str]:
    text = resources.files("casevault.disclosure").joinpath("m49.json").read_text("utf-8")
    regions: dict[str, dict[str, str]] = json.loads(text)["regions"]
    return {
        country: region if level == "m49-regions" else subregion
        for region, subregions in regions.items()
        for subregion, countries in subregions.items()
        for country in countries.split()
    }
