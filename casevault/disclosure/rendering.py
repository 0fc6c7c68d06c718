"""The files of a release: long CSV, one per table, each with a CSVW sidecar.

Method and ε stand in every row, so that a row that is pasted elsewhere keeps its caveat. No cell
begins with a sign that a spreadsheet would run as a formula.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from casevault.disclosure.catalogue import IndicatorTable
from casevault.disclosure.columns import AFTER, BEFORE, DATES, NUMBERS, safe
from casevault.disclosure.displaying import Cell, columns, split_place
from casevault.disclosure.estimating import Estimate
from casevault.disclosure.measuring import Noisy
from casevault.disclosure.releasing import Design, Release

SIDECAR = ".csv-metadata.json"


def files(releases: Sequence[tuple[Release, Noisy]]) -> dict[str, bytes]:
    """Return the files of releases by name: of each table its periods, one after the other."""
    made: dict[str, bytes] = {}
    done = [(one, one.estimates(noisy), one.cells(noisy)) for one, noisy in releases]
    for table in dict.fromkeys(table for release, *_rest in done for table in release.tables):
        mine = [one for one in done if table in one[0].tables]
        lines = [
            line
            for release, _estimates, cells in mine
            for line in rows(release, table, cells[table.id])
        ]
        made[f"{table.id}.csv"] = csv_bytes(table, lines)
        described = sidecar([one[0] for one in mine], table, [one[1] for one in mine])
        made[table.id + SIDECAR] = described
    return made


def header(table: IndicatorTable) -> tuple[str, ...]:
    """Return the names of the columns of a table's file."""
    return (*BEFORE, *columns(table), *AFTER)


def method_of(design: Design) -> str:
    """Return how the numbers were protected, in one cell."""
    parts = [
        "differential privacy (zCDP)",
        f"rho={float(design.rho):g}",
        f"epsilon={design.epsilon:.2f}",
        f"delta={design.delta:g}",
        "unit=person",
    ]
    if design.labels:
        parts.append("labels from the records")
    return "; ".join([*parts, "SIMULATION"] if design.simulation else parts)


def rows(
    release: Release, table: IndicatorTable, shown: Sequence[Cell], how: str = ""
) -> list[tuple[str, ...]]:
    """Return the rows of a table as text; `how` they were protected, if not as a release is."""
    design, how = release.design, how or method_of(release.design)
    period = (design.period.start.isoformat(), design.period.end.isoformat())
    found = []
    for cell in shown:
        geo, categories = split_place(table, cell)
        numbers = ("" if n is None else str(n) for n in (cell.value, cell.lower, cell.upper))
        before = (table.id, *period, geo, *categories)
        row = (*before, *numbers, cell.status, how, design.release_id)
        found.append(tuple(safe(text) for text in row))
    return found


def csv_bytes(table: IndicatorTable, lines: Sequence[Sequence[str]]) -> bytes:
    """Return a table's file: UTF-8, comma, CRLF (RFC 4180), header first."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header(table))
    writer.writerows(lines)
    return out.getvalue().encode()


def sidecar(
    releases: Sequence[Release], table: IndicatorTable, estimates: Sequence[Mapping[str, Estimate]]
) -> bytes:
    """Return the CSVW description of a table's file, with all parameters of its mechanism."""
    data: dict[str, Any] = {
        "@context": "http://www.w3.org/ns/csvw",
        "url": f"{table.id}.csv",
        "dc:title": table.title,
        "dc:description": sentence(table, estimates),
        "tableSchema": {"columns": [_column(name) for name in header(table)]},
        "casevault:table": {
            "id": table.id,
            "version": table.version,
            "unit": table.unit,
            "cap_per_person_and_year": table.cap,
            "pledge_indicators": list(table.pledge),
            "categories": {axis: _categories(releases, axis) for axis in table.axes},
        },
        "casevault:releases": [_mechanism(r, table) for r in releases],
    }
    return (json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def sentence(table: IndicatorTable, estimates: Sequence[Mapping[str, Estimate]]) -> str:
    """Return how accurate the numbers of a table are, for readers."""
    name = "/".join((table.universe, *table.axes))
    widest = max(1.96 * found[name].deviation for found in estimates)
    return (
        f"Each number is accurate to about ±{widest:.0f}; small differences mean nothing. "
        "Small estimates are withheld."
    )


def _column(name: str) -> dict[str, Any]:
    kind = "integer" if name in NUMBERS else "date" if name in DATES else "string"
    column: dict[str, Any] = {"name": name, "titles": name, "datatype": kind}
    if name in NUMBERS:
        column |= {"null": "", "required": False}
    return column


def _categories(releases: Sequence[Release], axis: str) -> list[str]:
    """Return the categories of all releases: one that chose its regions may have others."""
    return list(dict.fromkeys(c for r in releases for c in r.dimensions[axis].categories))


def _mechanism(release: Release, table: IndicatorTable) -> dict[str, Any]:
    measured = [
        {
            "vector": one.name,
            "cells": prod(one.shape),
            "squared_sensitivity": one.squared,
            "rho": str(one.rho),
            "sigma": round(float(one.variance) ** 0.5, 3),
        }
        for one in release.measurements
        if one.universe == table.universe and set(one.axes) <= set(table.axes)
    ]
    return {
        **release.design.as_data(),
        "epsilon": round(release.design.epsilon, 4),
        "measured": measured,
    }
