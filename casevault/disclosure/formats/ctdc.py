"""One-way counts under CTDC's variable names, where a table maps to them.

A person with several values is in none of the flags but in `several`: here each person stands in
one cell, in CTDC's data in every flag that is theirs. `unknown` is left out of nothing: percentages
use the known ones only, and both are there to divide by.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from casevault.disclosure.columns import AFTER, safe
from casevault.disclosure.report.published import Published, Row
from casevault.domain.counting import ctdc
from casevault.errors import Invalid

HEAD = ("yearOfRegistration", "variable", "category", *AFTER)
_TRANS = "TransgenderNonConforming"
_GENDER = {code: ("gender", value) for code, value in ctdc.GENDER.items()}
_NAMES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "gender": _GENDER | {_TRANS: ("gender", ctdc.GENDER["NonConforming"])},
    "means": {name: (name, "1") for name in ctdc.MEANS},
    "exploitation": {
        "ForcedLabour": ("isForcedLabour", "1"),
        "SexualExploitation": ("isSexualExploit", "1"),
        **{
            code: ("isOtherExploit", code)
            for code in ("ForcedMarriage", "ForcedCriminality", "Other")
        },
    },
}


def ctdc_csv(tables: Iterable[Published]) -> str:
    """Return the margins of released tables that CTDC has variables for.

    :raises Invalid: it has none for any of them, or counts no people.
    """
    lines = [line for one in tables for line in _lines(one)]
    if not lines:
        raise Invalid("CTDC has no variable for this table.", code="report.ctdc")
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEAD)
    writer.writerows([safe(cell) for cell in line] for line in lines)
    return out.getvalue()


def _lines(one: Published) -> Iterator[tuple[str, ...]]:
    if one.table.universe != "people":
        return
    for axis in one.table.axes:
        for row in one.margin(axis) if axis in _NAMES else ():
            code = row.place[axis]
            variable, category = _NAMES[axis].get(code, (axis, code))
            yield (str(one.start.year), variable, category, *_numbers(one, row))


def _numbers(one: Published, row: Row) -> Iterator[str]:
    yield from ("" if n is None else str(n) for n in (row.value, row.lower, row.upper))
    yield from (row.status, one.method, one.release_id)
