"""SDMX-CSV 2.0: one dataflow per table, standard codes where there are some, CONF_STATUS last.

`_T` and `_U` are SDMX's codes of total and unknown. OBS_STATUS: E estimated, U low reliability,
Q suppressed. CONF_STATUS: F free for publication, N not for publication.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from casevault.disclosure.classifications import UNKNOWN
from casevault.disclosure.columns import PUBLISHED, UNRELIABLE, WITHHELD, safe
from casevault.disclosure.formats.periods import named
from casevault.disclosure.report.published import Published, Row
from casevault.errors import Invalid

_BEFORE = ("STRUCTURE", "STRUCTURE_ID", "ACTION", "TIME_PERIOD", "REF_AREA")
_AFTER = (
    "OBS_VALUE", "LOWER95", "UPPER95", "OBS_STATUS", "COMMENT_OBS", "RELEASE_ID", "CONF_STATUS",
)  # fmt: skip
_STATUS = {PUBLISHED: ("E", "F"), UNRELIABLE: ("U", "F"), WITHHELD: ("Q", "N")}
_STRANGE = re.compile(r"[^A-Za-z0-9_@$-]")


def sdmx_csv(tables: Iterable[Published]) -> str:
    """Return the periods of one released table as SDMX-CSV."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for number, one in enumerate(tables):
        dimensions = tuple(name for name in one.table.axes if name != "region")
        if number == 0:
            writer.writerow((*_BEFORE, *(name.upper() for name in dimensions), *_AFTER))
        areas = _areas(one)
        for row in one.rows:
            writer.writerow([safe(cell) for cell in _cells(one, row, dimensions, areas)])
    return out.getvalue()


def _cells(
    one: Published, row: Row, dimensions: tuple[str, ...], areas: dict[str, str]
) -> Iterable[str]:
    table = one.table
    flow = f"CASEVAULT:{table.id.replace('-', '_').upper()}({table.version}.0.0)"
    observed, confidential = _STATUS[row.status]
    yield from ("dataflow", flow, "I", named(one.start, one.end, "-S", "-Q"))
    yield areas[row.place.get("region", "_T")]
    yield from (_code(row.place[name]) for name in dimensions)
    yield from ("" if n is None else str(n) for n in (row.value, row.lower, row.upper))
    yield from (observed, one.method, one.release_id, confidential)


def _code(category: str) -> str:
    return "_U" if category == UNKNOWN else category


def _areas(one: Published) -> dict[str, str]:
    """Return regions as codes that SDMX allows; two that would become one are refused."""
    names = {row.place.get("region", "_T") for row in one.rows}
    codes = {name: _STRANGE.sub("_", _code(name)) for name in names}
    if len(set(codes.values())) != len(codes):
        raise Invalid("Two regions would have one code in SDMX.", code="report.regions")
    return codes
