"""DHIS2's dataValueSets as CSV, by a mapping that a National Society writes once.

A withheld number is a row left out, never 0. Every row says in its comment which release it is of
and how far off it may be. A mapping that names a table, region, category or id that cannot be is
refused as a whole: a number under a wrong id is worse than none.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from casevault.disclosure import catalogue
from casevault.disclosure.classifications import TOTAL, UNKNOWN, Tier
from casevault.disclosure.formats.periods import named
from casevault.disclosure.report.published import Published, Row
from casevault.domain.texts import strict_json
from casevault.errors import FieldError, Invalid

HEAD = (
    "dataelement", "period", "orgunit", "categoryoptioncombo", "attributeoptioncombo", "value",
    "storedby", "lastupdated", "comment", "followup",
)  # fmt: skip
_UID = re.compile(r"[A-Za-z][A-Za-z0-9]{10}")
_KEYS = frozenset(
    {"data_elements", "org_units", "category_option_combos", "attribute_option_combo"}
)
_SIDE = "|"


@dataclass(frozen=True, slots=True)
class Ids:
    """Which id of DHIS2 stands for which table, region and cell (its categories joined by `|`)."""

    data_elements: Mapping[str, str]
    org_units: Mapping[str, str]
    cells: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    attribute_option_combo: str = ""


@dataclass(frozen=True, slots=True)
class Converted:
    """The file, and how many rows were left out: withheld ones, and those without an id."""

    text: str
    withheld: int
    unmapped: int


def mapping(text: bytes) -> Ids:
    """Return a mapping, checked against the catalogue.

    :raises Invalid: it is no JSON of this form, or names what does not exist.
    """
    try:
        data: Any = strict_json.parse(text)
        given = dict(data)
        if not set(given) <= _KEYS:
            raise ValueError
        found = Ids(
            dict(given["data_elements"]),
            dict(given["org_units"]),
            {name: dict(cells) for name, cells in given.get("category_option_combos", {}).items()},
            given.get("attribute_option_combo", ""),
        )
        faults = list(_faults(found))
    except (Invalid, ValueError, KeyError, TypeError, AttributeError):
        raise Invalid("This is no mapping for DHIS2.", code="report.mapping", hint=_HINT) from None
    if faults:
        raise Invalid(
            "The mapping names what does not exist.",
            code="report.mapping",
            hint=_HINT,
            errors=tuple(faults),
        )
    return found


_HINT = "docs/formats/release.md shows one."


def converted(tables: Iterable[Published], ids: Ids) -> Converted:
    """Return the rows of a released table that are shown and have their ids."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEAD)
    withheld = unmapped = 0
    for one in tables:
        if one.table.id not in ids.data_elements:
            raise Invalid("The mapping has no data element for this table.", code="report.mapping")
        for row in one.rows:
            cells = _cells(one, row, ids)
            if row.value is None:
                withheld += 1
            elif cells is None:
                unmapped += 1
            else:
                writer.writerow(cells)
    return Converted(out.getvalue(), withheld, unmapped)


def _cells(one: Published, row: Row, ids: Ids) -> tuple[str, ...] | None:
    unit = ids.org_units.get(row.place.get("region", TOTAL))
    inside = [code for name, code in row.place.items() if name != "region"]
    combos = ids.cells.get(one.table.id, {})
    combo = combos.get(_SIDE.join(inside), "")
    if unit is None or row.value is None or row.upper is None or (inside and not combo):
        return None
    comment = f"{one.release_id};±{row.upper - row.value}"
    period = named(one.start, one.end, "S", "Q")
    element, attribute = ids.data_elements[one.table.id], ids.attribute_option_combo
    return (element, period, unit, combo, attribute, str(row.value), "", "", comment, "false")


def _faults(ids: Ids) -> Iterable[FieldError]:
    known = catalogue.shipped().tables
    for name in {*ids.data_elements, *ids.cells} - set(known):
        yield FieldError(f"/data_elements/{name}", "release.table")
    for table, cells in ids.cells.items():
        if table in known:
            places = _places(table)
            yield from (
                FieldError(f"/category_option_combos/{table}", "code.unknown")
                for cell in cells
                if len(parts := cell.split(_SIDE)) != len(places)
                or any(part not in place for part, place in zip(parts, places, strict=True))
            )
    given = [*ids.data_elements.values(), *ids.org_units.values()]
    given += [uid for cells in ids.cells.values() for uid in cells.values()]
    given += [ids.attribute_option_combo] if ids.attribute_option_combo else []
    if not all(_UID.fullmatch(uid) for uid in given):
        yield FieldError("/", "report.uid")


def _places(table: str) -> list[set[str]]:
    shipped = catalogue.shipped()
    return [
        {TOTAL, UNKNOWN, *(c for t in Tier for c in shipped.dimension(name, t).categories)}
        for name in shipped.tables[table].dimensions
    ]
