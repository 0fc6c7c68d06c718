"""A release of made-up or exported records without a vault: the same mechanism, marked as such.

Only here may noise come from a seed. The size class is what was declared, or the one that annual
coarse tables are made for: never what the file holds. Which years and regions are named is declared
too, or chosen by a noisy threshold: a label that one person has must not appear because of them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from uuid import UUID

import numpy as np

from casevault.disclosure import catalogue, rounding
from casevault.disclosure.accounting import delta_for
from casevault.disclosure.bits import Bits, SeededBits, SystemBits
from casevault.disclosure.budget import Charge, Cohort, LineState, check, cohort
from casevault.disclosure.catalogue import (
    PEOPLE,
    QUARTERLY,
    REGION,
    Basis,
    IndicatorTable,
    SizeClass,
)
from casevault.disclosure.choosing import one_side, rho_of, tier_of
from casevault.disclosure.counting import QUARTERS, Snapshot, snapshot
from casevault.disclosure.facts_csv import Facts
from casevault.disclosure.labels import choose
from casevault.disclosure.lifecycle import months_of
from casevault.disclosure.measuring import Noisy
from casevault.disclosure.parameters import (
    LABELS_DELTA,
    MOST_REGIONS,
    PLANS,
    REGIONS_RHO,
    YEARS,
    YEARS_RHO,
    class_of,
)
from casevault.disclosure.records import Records, day_number
from casevault.disclosure.releasing import Design, Release
from casevault.disclosure.rendering import csv_bytes, rows
from casevault.disclosure.report.published import read_all
from casevault.disclosure.tabulating import Period
from casevault.domain.counting import indicators
from casevault.errors import Invalid, Refused

DEFAULT_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a simulation is asked for."""

    tables: tuple[IndicatorTable, ...]
    declared_size: int
    seed: str | None
    code_version: str

    @property
    def size(self) -> SizeClass:
        """Return the size class that was declared."""
        return class_of(self.declared_size)

    def check(self) -> None:
        """Refuse tables that the declared size does not allow."""
        if any(table.min_class.rank > self.size.rank for table in self.tables):
            raise Refused(
                "An organisation of this declared size does not publish one of these tables.",
                code="release.size",
                hint="--tables people-total, or another --declared-size (--list: the smallest).",
            )


@dataclass(frozen=True, slots=True)
class _Part:
    """One release of a wish: a period and the tables that are made for it."""

    period: Period
    tables: tuple[IndicatorTable, ...]
    rho: Fraction
    # What the choice of years took.
    paid: Fraction


def chosen(
    ids: Sequence[str], *, services: bool, referrals: bool, people: int = DEFAULT_SIZE
) -> tuple[IndicatorTable, ...]:
    """Return the tables by their ids, or all for which there is something to read."""
    shipped = catalogue.shipped()
    if ids:
        return shipped.pick(ids)
    given = {PEOPLE, *(["services", "unavailable"] if services else ())}
    given |= {QUARTERLY} if services and PLANS[class_of(people)].quarterly_services else set()
    given |= {"referrals"} if referrals else set()
    found = [t for t in shipped.tables.values() if t.universe in given]
    return tuple(t for t in found if services or "first_service" not in t.dimensions)


def simulate(
    facts: Facts, wish: Wish, periods: Sequence[str], key: bytes
) -> list[tuple[Release, Noisy]]:
    """Return the releases of every period, each with its noisy measurement.

    A year is one release, and one of each quarter for tables that are made for quarters only.
    Years and regions that nobody declared are chosen by a noisy threshold: their names are numbers
    about people too.
    """
    quarters = any(table.universe == QUARTERLY for table in wish.tables)
    snap = snapshot(facts.records, key, quarters=quarters)
    names = tuple(periods) or _years(facts, wish, snap)
    parts = [part for name in names for part in _parts(wish, name, open_=not periods)]
    return [_released(facts, wish, snap, part) for part in _afforded(wish, parts)]


def _years(facts: Facts, wish: Wish, snap: Snapshot) -> tuple[str, ...]:
    """Return the years with enough people, or the one with the most (with noise) when none has.

    Every year of a public list is looked at, whether the file has it or not: a year in which one
    person is alone is no more likely to be named than one without anybody.
    """
    rho = PLANS[wish.size].annual * YEARS_RHO
    found = choose(snap.by_year(YEARS), rho, _delta(wish) / 2, _bits(facts, wish, "years"))
    return tuple(f"{YEARS[place]}" for place in found.passed or (found.largest,))


def _afforded(wish: Wish, parts: Sequence[_Part]) -> list[_Part]:
    """Return the parts at the price that a vault's account would take; one too many is refused.

    Parts of a year pay first, as in a vault: the whole year takes what they left.
    """
    charges: list[Charge] = []
    paid: dict[int, Fraction] = {}
    for n in sorted(range(len(parts)), key=lambda n: parts[n].period.basis is Basis.YEAR):
        part = parts[n]
        year, months = part.period.year, months_of(part.tables, part.period)
        rho = _rho(wish, part.period, part.tables, cohort(year, charges))
        names = tuple(table.id for table in part.tables)
        nobody = UUID(int=0)
        charge = Charge(year, nobody, names, rho, LineState.RESERVED, nobody, 0, months)
        check(charge, charges)
        charges.append(charge)
        paid[n] = rho
    return [replace(part, rho=paid[n]) for n, part in enumerate(parts)]


def _parts(wish: Wish, name: str, *, open_: bool) -> list[_Part]:
    """Return the releases of one named period, with what each costs."""
    named = indicators.Period.parse(name)
    period = Period(named.start, named.end)
    basis = period.basis or Basis.YEAR
    fitting = tuple(table for table in wish.tables if basis in table.periods)
    other = tuple(table for table in wish.tables if basis not in table.periods)
    if basis is not Basis.YEAR and other:
        raise Invalid("A table is not made for this period.", code="release.period-basis")
    found = [(period, side) for side in _sides(fitting, basis)]
    if other:
        # They are made for quarters only.
        quarters = (indicators.Period.parse(f"{name}-Q{n}") for n in range(1, QUARTERS + 1))
        found += [(Period(one.start, one.end), other) for one in quarters]
    return [_priced(wish, *one, open_=open_) for one in found]


def _sides(tables: tuple[IndicatorTable, ...], basis: Basis) -> list[tuple[IndicatorTable, ...]]:
    first = one_side(tables, basis)
    rest = tuple(table for table in tables if table not in first)
    return [side for side in (first, rest) if side]


def _priced(
    wish: Wish, period: Period, tables: tuple[IndicatorTable, ...], *, open_: bool
) -> _Part:
    rho = _rho(wish, period, tables, cohort(period.year, ()))
    if not rho:
        raise Refused(
            "An organisation of this declared size publishes no such part of a year.",
            code="release.basis",
            hint="casevault release plan --declared-size N says what a size allows.",
        )
    return _Part(period, tables, rho, rho * YEARS_RHO if open_ else Fraction(0))


def _rho(wish: Wish, period: Period, tables: tuple[IndicatorTable, ...], paid: Cohort) -> Fraction:
    basis = period.basis or Basis.YEAR
    return rho_of(basis, PLANS[wish.size], paid, people=tables[0].universe == PEOPLE)


def _released(facts: Facts, wish: Wish, snap: Snapshot, part: _Part) -> tuple[Release, Noisy]:
    names, paid = facts.regions, part.paid
    if not facts.declared and any(table.geo == REGION for table in part.tables):
        share = part.rho * REGIONS_RHO
        paid += share
        days = day_number(part.period.start), day_number(part.period.end)
        counts = snap.by_region(*days, len(names))
        bits = _bits(facts, wish, "regions", *_said(part))
        places = choose(counts, share, _delta(wish) / 2, bits).most(MOST_REGIONS)
        # Whose region is not named stands in the last place, `unknown`.
        moved = np.full(len(names) + 1, len(places))
        moved[list(places)] = np.arange(len(places))
        snap, names = snap.with_regions(moved), tuple(names[place] for place in places)
    release = Release.of(_design(wish, part, names, paid), catalogue.shipped())
    return release, release.measure(snap, _bits(facts, wish, *_said(part)))


def _delta(wish: Wish) -> float:
    """Return the part of δ that goes to all choices of labels."""
    return delta_for(wish.declared_size) * float(LABELS_DELTA)


def rounded(
    facts: Facts, wish: Wish, periods: Sequence[str], key: bytes, given: Sequence[str]
) -> dict[str, bytes]:
    """Return files of rounded counts, if the gate lets them go to who was given the others."""
    if not periods or (not facts.declared and any(t.geo == REGION for t in wish.tables)):
        raise Invalid(
            "Rounded counts name their years (--period) and regions (--regions) beforehand.",
            code="release.labels",
            hint="A year or region that one person has would show that person by its name.",
        )
    snap = snapshot(facts.records, key)
    how = f"{rounding.METHOD}; SIMULATION"
    lines: dict[str, list[tuple[str, ...]]] = {}
    for part in (part for name in periods for part in _parts(wish, name, open_=False)):
        if part.period.basis is not Basis.YEAR:
            raise Invalid("Rounded counts are of whole years.", code="release.period-basis")
        release = Release.of(_design(wish, part, facts.regions), catalogue.shipped())
        for name, shown in rounding.cells(release, snap).items():
            table = catalogue.shipped().tables[name]
            lines.setdefault(name, []).extend(rows(release, table, shown, how))
    tables = catalogue.shipped().tables
    made = {name: csv_bytes(tables[name], found) for name, found in lines.items()}
    before = [one for text in given for one in read_all(text)]
    rounding.check(before, [one for file in made.values() for one in read_all(file.decode())])
    return {f"{name}.csv": file for name, file in made.items()}


def snapshot_key(seed: str | None) -> bytes:
    """Return the key of a snapshot: random, or following from the seed."""
    if seed is None:
        return secrets.token_bytes(32)
    return hashlib.blake2b(seed.encode(), digest_size=32, person=b"cv-simulation").digest()


def _bits(facts: Facts, wish: Wish, *what: str) -> Bits:
    """Return the noise: the system's, or one that follows from seed, design and records.

    From the records too: two releases of different people share no noise, and whoever subtracts
    one from the other under one seed must find what they would find in two real ones.
    """
    if wish.seed is None:
        return SystemBits()
    asked = json.dumps(_asked(wish, *what)).encode()
    return SeededBits(hashlib.sha256(asked + _digest(facts.records)).digest())


def _digest(records: Records) -> bytes:
    found = hashlib.sha256(repr(sorted(records.distinct.items())).encode())
    events = (records.services, records.referrals)
    columns = (
        *(records.case, records.person, records.day, records.consent, records.historic),
        *(records.region, *records.values.values()),
        *(part for one in events for part in (one.case, one.service, one.day, one.outcome)),
    )
    for column in columns:
        found.update(len(column).to_bytes(8, "big"))
        found.update(np.ascontiguousarray(column).data)
    return found.digest()


def _design(
    wish: Wish, part: _Part, regions: tuple[str, ...], labels: Fraction = Fraction(0)
) -> Design:
    return Design(
        release_id=_release_id(wish, part),
        catalogue_version=catalogue.shipped().version,
        tables=tuple(table.id for table in part.tables),
        tier=tier_of(part.period.basis or Basis.YEAR, PLANS[wish.size]),
        period=part.period,
        regions=regions,
        rho=part.rho,
        delta=delta_for(wish.declared_size),
        code_version=wish.code_version,
        simulation=True,
        labels=labels,
    )


def _release_id(wish: Wish, part: _Part) -> str:
    """Return an id that follows from the seed alone: it must say nothing of the records."""
    year = part.period.year
    if wish.seed is None:
        return f"SIMULATION-{year}-{secrets.token_hex(6)}"
    digest = hashlib.sha256(json.dumps(_asked(wish, *_said(part))).encode()).hexdigest()
    return f"SIMULATION-{year}-{digest[:12]}"


def _said(part: _Part) -> tuple[str, ...]:
    return (
        part.period.start.isoformat(),
        part.period.end.isoformat(),
        *(t.id for t in part.tables),
    )


def _asked(wish: Wish, *what: str) -> list[object]:
    return [wish.seed, what, [table.id for table in wish.tables], wish.declared_size]
