"""Does a published release tell one story: its signed design, its price, its tables, their text.

A signature says who speaks, not that what is said holds together. Here every claim is compared with
every other: ρ with the account and with the noise of each vector, ε with ρ and δ, each row with the
design, each interval with the noise, what two tables share. Looks at published files only, and
never at how far they are from the truth. Sums are `checking`'s.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, prod
from typing import Any

from casevault.disclosure import catalogue
from casevault.disclosure.accounting import variance_for
from casevault.disclosure.budget import LineState
from casevault.disclosure.catalogue import PEOPLE, REGION
from casevault.disclosure.checking import Place
from casevault.disclosure.classifications import TOTAL
from casevault.disclosure.columns import AFTER, BEFORE, PUBLISHED, UNRELIABLE, WITHHELD, safe
from casevault.disclosure.lifecycle import months_of_year
from casevault.disclosure.measuring import squared_sensitivity
from casevault.disclosure.parameters import DISPLAY_FLOOR
from casevault.disclosure.releasing import Design
from casevault.disclosure.rendering import SIDECAR, method_of
from casevault.errors import CaseVaultError, Tampered

_NORMAL_95 = 1.96
_ROUNDED = 1e-3


@dataclass(frozen=True, slots=True)
class _Vector:
    """One vector as a description claims it was measured."""

    axes: tuple[str, ...]
    cells: int
    squared: int
    rho: Fraction
    sigma: float


@dataclass(frozen=True, slots=True)
class _Described:
    """What the description of one table claims."""

    universe: str
    axes: tuple[str, ...]
    lists: tuple[tuple[str, ...], ...]
    vectors: Mapping[str, _Vector]

    def places(self) -> Iterator[tuple[tuple[str, ...], Place]]:
        """Yield every place that the table has, in order, and over which axes it stands."""
        some = [(), *((axis,) for axis in self.axes), self.axes]
        for axes in dict.fromkeys(tuple(one) for one in some):
            pairs = zip(self.axes, self.lists, strict=True)
            yield from (
                (axes, p) for p in product(*(c if a in axes else (TOTAL,) for a, c in pairs))
            )


def check(said: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Return if the statement and the files of a release agree in everything, else `Tampered`."""
    try:
        agree = _agree(said, files)
    except (CaseVaultError, ArithmeticError, KeyError, IndexError, TypeError, ValueError):
        agree = False
    if not agree:
        raise Tampered("The parts of this release contradict one another.", code="release.claims")


def _agree(said: Mapping[str, Any], files: Mapping[str, bytes]) -> bool:
    design = Design.from_data(said["release"])
    if set(files) != {t + end for t in design.tables for end in (".csv", SIDECAR)}:
        return False
    found = {t: _described(design, t, json.loads(files[t + SIDECAR])) for t in design.tables}
    vectors = {name: one for table in found.values() for name, one in table.vectors.items()}
    # A vector that two tables share is one: it was measured once, and paid for once.
    same = all(vectors[n] == one for table in found.values() for n, one in table.vectors.items())
    shown = [_shown(design, t, one, files[f"{t}.csv"].decode()) for t, one in found.items()]
    return (
        design.as_data() == said["release"]
        and not design.simulation
        and _is_paid(design, {one.universe for one in found.values()}, said["account"])
        and same
        and sum((one.rho for one in vectors.values()), Fraction(0)) == design.measured
        and all(one is not None for one in shown)
        and _share(found.values(), shown)
    )


def _is_paid(design: Design, universes: set[str], lines: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the account's lines are one reservation of this price, committed once."""
    months = list(months_of_year(design.period, people=universes == {PEOPLE}))
    states = {line["state"]: Fraction(line["rho"]) for line in lines}
    year = design.period.year
    return (
        len(lines) == len(states)
        and states == {LineState.RESERVED: design.rho, LineState.COMMITTED: 0}
        and all((o["cohort_year"], o["months"]) == (year, months) for o in lines)
    )


def _described(design: Design, name: str, told: Mapping[str, Any]) -> _Described:
    table = told["casevault:table"]
    (one,) = told["casevault:releases"]
    columns = [column["name"] for column in told["tableSchema"]["columns"]]
    dimensions = tuple(columns[len(BEFORE) : -len(AFTER)])
    lists = table["categories"]
    axes = ((REGION,) if REGION in lists else ()) + dimensions
    claimed = {**design.as_data(), "epsilon": round(design.epsilon, 4)}
    vectors = {v["vector"]: _vector(v, table["cap_per_person_and_year"]) for v in one["measured"]}
    (universe,) = {vector.split("/")[0] for vector in vectors}
    wanted = {"/".join((universe, *some)) for some in ((), *((a,) for a in axes), axes)}
    sizes = {axis: len(lists[axis]) for axis in axes}
    if (
        (told["url"], table["id"]) != (f"{name}.csv", name)
        or {key: one[key] for key in one if key != "measured"} != claimed
        or set(vectors) != wanted
        or any(v.cells != prod(sizes[axis] for axis in v.axes) for v in vectors.values())
        or not _as_declared(design, table, universe, axes)
    ):
        raise ValueError
    return _Described(universe, axes, tuple(tuple(lists[axis]) for axis in axes), vectors)


def _vector(told: Mapping[str, Any], cap: int) -> _Vector:
    axes = tuple(told["vector"].split("/")[1:])
    found = _Vector(
        axes, told["cells"], told["squared_sensitivity"], Fraction(told["rho"]), told["sigma"]
    )
    sigma = float(variance_for(found.squared, found.rho)) ** 0.5
    if found.squared != squared_sensitivity(axes, cap) or abs(found.sigma - sigma) > _ROUNDED:
        raise ValueError
    return found


def _as_declared(
    design: Design, table: Mapping[str, Any], universe: str, axes: tuple[str, ...]
) -> bool:
    """Say whether a table is as the catalogue has it, where this version knows its catalogue."""
    shipped = catalogue.shipped()
    if not shipped.reads(design.catalogue_version):
        return True
    known = shipped.tables[table["id"]]
    declared = (known.version, known.cap, known.universe, known.axes)
    lists = {a: shipped.dimension(a, design.tier, design.regions).categories for a in axes}
    found = (table["version"], table["cap_per_person_and_year"], universe, axes)
    return found == declared and all(tuple(table["categories"][a]) == lists[a] for a in axes)


def _shown(
    design: Design, name: str, told: _Described, text: str
) -> dict[Place, int | None] | None:
    """Return the numbers of a table by place, or None if a row does not fit what is described."""
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    dimensions = tuple(axis for axis in told.axes if axis != REGION)
    if tuple(lines[0]) != (*BEFORE, *dimensions, *AFTER):
        return None
    days = (design.period.start.isoformat(), design.period.end.isoformat())
    found: dict[Place, int | None] = {}
    widths: dict[tuple[str, ...], set[int]] = {}
    for (axes, place), line in zip(told.places(), lines[1:], strict=True):
        cells = place if REGION in told.axes else (TOTAL, *place)
        about = tuple(safe(cell) for cell in (name, *days, *cells))
        made = (method_of(design), design.release_id)
        *numbers, status = line[len(about) : len(about) + 4]
        if tuple(line[: len(about)]) != about or tuple(line[len(about) + 4 :]) != made:
            return None
        found[place] = None
        if status != WITHHELD:
            value, lower, upper = (_whole(number) for number in numbers)
            found[place] = value
            widths.setdefault(axes, set()).add(upper - value)
            if lower != max(2 * value - upper, 0) or not _is_sure(value, upper - value, status):
                return None
        elif any(numbers):
            return None
    most = {v.axes: ceil(_NORMAL_95 * v.sigma + _ROUNDED) for v in told.vectors.values()}
    good = all(len(w) == 1 and 0 < max(w) <= most[axes] for axes, w in widths.items())
    return found if good else None


def _is_sure(value: int, width: int, status: str) -> bool:
    """Say whether a status fits the interval: unreliable is what is wider than its value."""
    least = {PUBLISHED: 2 * (width - 1), UNRELIABLE: 0}[status]
    return value >= max(DISPLAY_FLOOR, least) and (status == PUBLISHED or 2 * width > value)


def _whole(text: str) -> int:
    number = int(text)
    if str(number) != text or number < 0:
        raise ValueError
    return number


def _share(
    tables: Iterable[_Described], shown: Sequence[Mapping[Place, int | None] | None]
) -> bool:
    """Say whether the total and the margins that two tables share are the same in both."""
    known: dict[object, int | None] = {}
    for told, numbers in zip(tables, shown, strict=True):
        for place, value in (numbers or {}).items():
            named = [(a, c) for a, c in zip(told.axes, place, strict=True) if c != TOTAL]
            key = (told.universe, tuple(named))
            if len(named) < 2 and known.setdefault(key, value) != value:
                return False
    return True
