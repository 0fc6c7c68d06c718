"""The closed catalogue of tables about people: what may be counted, and nothing else.

Data, versioned, in `catalogue.json`; there is no query, no filter and no "export this view".
A table or version that the catalogue does not have is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from casevault.disclosure.classifications import UNKNOWN, Dimension, Tier, build, check_nested
from casevault.domain import vocabulary
from casevault.domain.counting.indicators import COURSES
from casevault.domain.counting.programme import Kind
from casevault.errors import Invalid, Misconfigured

PEOPLE = "people"
# Services by the quarter in which they were given: distinct (person, service, quarter).
QUARTERLY = "services-quarter"
REGION = "region"
# The table that stands beside the gaps of the directory.
NEEDS = "needs-unavailable-region"
_KEYS = frozenset(
    {"id", "version", "title", "unit", "universe", "dimensions", "geo", "periods"}
    | {"cap", "share", "min_class", "pledge"}
)
FIRST_SERVICE = {
    Tier.COARSE: (("within_7_days", 7), ("within_30_days", 30), ("later", None)),
    Tier.FINE: (
        ("same_day", 0),
        ("within_2_days", 2),
        ("within_7_days", 7),
        ("within_30_days", 30),
        ("within_90_days", 90),
        ("later", None),
    ),
}
NONE_YET = "none_yet"
# What tables of the register have beside code lists.
_REGISTER = {"count": ("people_trained", "staff_total", "percent"), "course": COURSES}
# Parts of a year in which a record may have been accepted.
PARTS = {Tier.COARSE: ("H1", "H2"), Tier.FINE: ("Q1", "Q2", "Q3", "Q4")}


class Basis(StrEnum):
    """Which periods a table is made for."""

    YEAR = "year"
    HALF = "half-year"
    QUARTER = "quarter"


class SizeClass(StrEnum):
    """How large an organisation says it is; decided by what is public, never by raw data."""

    TINY = "under-100"
    SMALL = "100-999"
    MIDDLE = "1000-9999"
    LARGE = "10000-and-more"

    @property
    def rank(self) -> int:
        """Return the place in the order of sizes."""
        return tuple(SizeClass).index(self)


@dataclass(frozen=True, slots=True)
class IndicatorTable:
    """One table of the catalogue. `cap` is how many units one person may add in a year."""

    id: str
    version: int
    title: str
    unit: str
    universe: str
    dimensions: tuple[str, ...]
    geo: str
    periods: tuple[Basis, ...]
    cap: int
    share: int
    min_class: SizeClass
    pledge: tuple[int, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Return the names of everything that spans the table, geography first."""
        return ((REGION,) if self.geo == REGION else ()) + self.dimensions


@dataclass(frozen=True, slots=True)
class RegisterTable:
    """A table of the programme register: things and staff, exact; no survivor is in it."""

    id: str
    version: int
    title: str
    kind: Kind
    dimensions: tuple[str, ...]
    geo: str
    pledge: tuple[int, ...]

    def categories(self) -> tuple[tuple[str, ...], ...]:
        """Return the codes of each dimension, in order."""
        return tuple(_REGISTER.get(name) or vocabulary.code_list(name) for name in self.dimensions)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tables of one version of the catalogue, and the classifications that they use.

    `holds`: older versions whose tables and classifications are all here, unchanged.
    """

    version: int
    holds: tuple[int, ...]
    tables: Mapping[str, IndicatorTable]
    classifications: Mapping[str, Mapping[str, Any]]
    register: Mapping[str, RegisterTable]

    def reads(self, version: int) -> bool:
        """Say whether what was made with a version means the same here."""
        return version == self.version or version in self.holds

    def pick(self, ids: Iterable[str]) -> tuple[IndicatorTable, ...]:
        """Return tables by their ids, each once, in the catalogue's order."""
        wanted = set(ids)
        unknown = wanted - set(self.tables)
        if unknown or not wanted:
            raise Invalid(
                "There is no such table in the catalogue.",
                code="release.table",
                hint="casevault release simulate --list names the tables.",
            )
        return tuple(table for table in self.tables.values() if table.id in wanted)

    def dimension(self, name: str, tier: Tier, regions: tuple[str, ...] = ()) -> Dimension:
        """Return a dimension in a tier; `regions` are the declared ones, in order."""
        if name == REGION:
            return Dimension(REGION, (*regions, UNKNOWN))
        computed = _computed(tier)
        if name in computed:
            return Dimension(name, computed[name])
        return build(name, self.classifications[name], tier)


@cache
def shipped() -> Catalogue:
    """Return the catalogue that this version ships."""
    text = resources.files("casevault.disclosure").joinpath("catalogue.json").read_text("utf-8")
    return parse(json.loads(text))


def counted_fields() -> tuple[str, ...]:
    """Return the fields of the facts that any table counts; no other leaves the facts."""
    return tuple(dict.fromkeys(c["field"] for c in shipped().classifications.values()))


def parse(data: Mapping[str, Any]) -> Catalogue:
    """Check a catalogue and return it; every classification must build in both tiers."""
    tables = [_table(entry) for entry in data["tables"]]
    catalogue = Catalogue(
        int(data["version"]),
        tuple(data["holds"]),
        {table.id: table for table in tables},
        data["classifications"],
        {entry["id"]: _register_table(entry) for entry in data["register"]},
    )
    ids = {*catalogue.tables, *catalogue.register}
    if len(ids) != len(tables) + len(data["register"]):
        raise Misconfigured("Two tables have one id.", code="catalogue.id")
    for name, spec in data["classifications"].items():
        check_nested(build(name, spec, Tier.COARSE), build(name, spec, Tier.FINE))
    known = {*data["classifications"], *_computed(Tier.COARSE)}
    for table in tables:
        if not set(table.dimensions) <= known or table.geo not in {"national", REGION}:
            raise Misconfigured(f"{table.id}: unknown dimension.", code="catalogue.dimension")
    return catalogue


def _table(entry: Mapping[str, Any]) -> IndicatorTable:
    if set(entry) != _KEYS:
        raise Misconfigured("A table of the catalogue lacks a key.", code="catalogue.table")
    given = dict(entry)
    given["dimensions"] = tuple(entry["dimensions"])
    given["periods"] = tuple(Basis(one) for one in entry["periods"])
    given["min_class"] = SizeClass(entry["min_class"])
    given["pledge"] = tuple(entry["pledge"])
    return IndicatorTable(**given)


def _register_table(entry: Mapping[str, Any]) -> RegisterTable:
    dimensions = tuple(entry["dimensions"])
    if not set(dimensions) <= {*_REGISTER, *vocabulary.list_names()}:
        raise Misconfigured(f"{entry['id']}: unknown dimension.", code="catalogue.dimension")
    return RegisterTable(
        entry["id"],
        entry["version"],
        entry["title"],
        Kind(entry["kind"]),
        dimensions,
        entry["geo"],
        tuple(entry["pledge"]),
    )


def _computed(tier: Tier) -> dict[str, tuple[str, ...]]:
    bands = tuple(name for name, _days in FIRST_SERVICE[tier])
    return {
        "first_service": (*bands, NONE_YET),
        "accepted_in": PARTS[tier],
        "service": vocabulary.code_list("service_type"),
        "referral_outcome": vocabulary.code_list("referral_outcome"),
    }
