"""Made-up people to attack, and two ways to publish them: hiding small cells, and the mechanism.

The naive publisher is what many do: exact counts, those from 1 to 10 hidden, all totals shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from casevault.disclosure import catalogue
from casevault.disclosure.bits import SeededBits
from casevault.disclosure.classifications import Tier, codes_of, fact
from casevault.disclosure.counting import Snapshot, snapshot
from casevault.disclosure.displaying import Cell
from casevault.disclosure.estimating import Estimate
from casevault.disclosure.measuring import exact_vectors
from casevault.disclosure.records import Intake, Records, day_number
from casevault.disclosure.releasing import Design, Release
from casevault.disclosure.tabulating import Period, tabulate
from casevault.domain.counting import indicators

KEY = bytes(32)
TABLE = "people-exploitation-age-gender"
FLOOR = 11
Counts = NDArray[np.int64]
Person = Mapping[str, tuple[str, ...]]


def people(number: int, seed: int) -> list[Person]:
    """Return made-up people: a few common kinds, a long tail, attributes that hang together."""
    draw = np.random.default_rng(seed)
    lists = {name: codes_of(fact(name)) for name in ("exploitation", "age_band", "gender")}
    lists |= {
        "citizenships": ("NG", "RO", "VN", "BR", "UA", "FJ"),
        "context": codes_of(fact("context")),
    }
    weights = {}
    for name, codes in lists.items():
        falling = 1 / np.arange(1, len(codes) + 1) ** 1.2
        rows = [draw.dirichlet(falling / falling.sum() * 6 + 0.01) for _ in lists["exploitation"]]
        weights[name] = rows
    first = 1 / np.arange(1, len(lists["exploitation"]) + 1) ** 1.3
    kinds = draw.choice(len(first), number, p=first / first.sum())
    found = []
    for kind in kinds:
        person = {"exploitation": (lists["exploitation"][kind],)}
        for name, codes in lists.items():
            if name != "exploitation":
                person[name] = (codes[draw.choice(len(codes), p=weights[name][kind])],)
        found.append(person)
    return found


def frozen(
    crowd: Sequence[Person], services: Mapping[int, Sequence[int]] | None = None
) -> Snapshot:
    """Return what may be counted of people who were all accepted in 2025."""
    return snapshot(rows_of(crowd, services), KEY, quarters=True)


def rows_of(
    crowd: Sequence[Person], services: Mapping[int, Sequence[int]] | None = None
) -> Records:
    """Return the records of people who were all accepted in 2025."""
    intake = Intake(catalogue.counted_fields(), KEY)
    day = day_number(date(2025, 6, 1))
    for number, person in enumerate(crowd):
        row = intake.number(f"case-{number}")
        values = [intake.value(name, person.get(name, ())) for name in intake.fields]
        intake.add(row, intake.number(f"person-{number}"), day, number % 3, (True, False), values)
        for service in (services or {}).get(number, ()):
            intake.services.add(row, service, day + 1, 1)
    return intake.close()


def release(
    *tables: str,
    tier: Tier = Tier.COARSE,
    rho: Fraction = Fraction(9, 100),
    period: str = "2025",
) -> Release:
    """Return the shipped mechanism for some tables."""
    days = indicators.Period.parse(period)
    design = Design(
        "SIMULATION-attack",
        catalogue.shipped().version,
        tables,
        tier,
        Period(days.start, days.end),
        ("North", "South", "West"),
        rho,
        1e-6,
        "0",
        simulation=True,
    )
    return Release.of(design, catalogue.shipped())


def truth(snap: Snapshot, made: Release) -> dict[str, Counts]:
    """Return the exact vectors of a release."""
    design = made.design
    details = {
        t.id: tabulate(snap, t, [made.dimensions[a] for a in t.axes], design.tier, design.period)
        for t in made.tables
    }
    return exact_vectors(made.measurements, made.tables, details)


def noise(*words: object) -> SeededBits:
    """Return bits that these words decide: attacks can be repeated."""
    return SeededBits(repr(words).encode())


@dataclass(frozen=True)
class Published:
    """What a reader sees of one table: margins by their axes, `None` where it is withheld."""

    shape: tuple[int, ...]
    margins: Mapping[tuple[int, ...], Mapping[tuple[int, ...], int | None]]


def naive(exact: Counts) -> Published:
    """Publish exact counts: all margins, and those details that are no small numbers."""
    margins: dict[tuple[int, ...], dict[tuple[int, ...], int | None]] = {}
    for size in range(exact.ndim + 1):
        for axes in combinations(range(exact.ndim), size):
            away = tuple(i for i in range(exact.ndim) if i not in axes)
            summed = exact.sum(axis=away)
            shown = {}
            for place in np.ndindex(summed.shape):
                value = int(summed[place])
                hide = size == exact.ndim and 0 < value < FLOOR
                shown[place] = None if hide else value
            margins[axes] = shown
    return Published(exact.shape, margins)


def shipped(made: Release, table: str, cells: Sequence[Cell]) -> Published:
    """Return what the shipped mechanism shows of a table, in the form that attackers read."""
    axes = next(t for t in made.tables if t.id == table).axes
    lists = [made.dimensions[axis].categories for axis in axes]
    margins: dict[tuple[int, ...], dict[tuple[int, ...], int | None]] = {}
    for cell in cells:
        some = tuple(i for i, category in enumerate(cell.place) if category != "_T")
        place = tuple(lists[i].index(cell.place[i]) for i in some)
        margins.setdefault(some, {})[place] = cell.value
    return Published(tuple(len(one) for one in lists), margins)


def estimates(made: Release, snap: Snapshot, *words: object) -> dict[str, Estimate]:
    """Return one draw of the mechanism, before display."""
    return made.estimates(made.measure(snap, noise(*words)))
