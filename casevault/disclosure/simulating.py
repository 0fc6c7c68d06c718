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

import numpy as np

from casevault.disclosure import catalogue, rounding
from casevault.disclosure.accounting import delta_for
from casevault.disclosure.bits import Bits, SeededBits, SystemBits
from casevault.disclosure.catalogue import PEOPLE, REGION, IndicatorTable, SizeClass
from casevault.disclosure.classifications import Tier
from casevault.disclosure.counting import Snapshot, snapshot
from casevault.disclosure.facts_csv import Facts
from casevault.disclosure.labels import choose
from casevault.disclosure.measuring import Noisy
from casevault.disclosure.parameters import (
    LABELS_DELTA,
    PLANS,
    REGIONS_RHO,
    YEARS_RHO,
    class_of,
)
from casevault.disclosure.records import Records
from casevault.disclosure.releasing import Design, Release
from casevault.disclosure.rendering import csv_bytes, rows
from casevault.disclosure.report.published import read_all
from casevault.disclosure.tabulating import whole_year
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
                "An organisation of this declared size publishes totals only.",
                code="release.size",
                hint="--tables people-total, or another --declared-size.",
            )


def chosen(ids: Sequence[str], *, services: bool, referrals: bool) -> tuple[IndicatorTable, ...]:
    """Return the tables by their ids, or all for which there is something to read."""
    shipped = catalogue.shipped()
    if ids:
        return shipped.pick(ids)
    given = {PEOPLE, *(["services", "unavailable"] if services else ())}
    given |= {"referrals"} if referrals else set()
    found = [t for t in shipped.tables.values() if t.universe in given]
    return tuple(t for t in found if services or "first_service" not in t.dimensions)


def simulate(
    facts: Facts, wish: Wish, years: Sequence[int], key: bytes
) -> list[tuple[Release, Noisy]]:
    """Return one release per year, each with its noisy measurement.

    Years and regions that nobody declared are chosen by a noisy threshold: their names are numbers
    about people too.
    """
    snap = snapshot(facts.records, key)
    chosen_years = tuple(years) or _years(facts, wish, snap)
    return [_of_year(facts, wish, snap, year, open_=not years) for year in chosen_years]


def _years(facts: Facts, wish: Wish, snap: Snapshot) -> tuple[int, ...]:
    """Return the years with enough people, or the one with the most when none has."""
    known = snap.years
    if not known:
        raise Invalid("Nothing in the file may be counted.", code="release.empty")
    rho = PLANS[wish.size].annual * YEARS_RHO
    found = choose(snap.by_year(known), rho, _delta(wish) / 2, _bits(facts, wish, "years"))
    return tuple(known[place] for place in found.passed or (found.largest,))


def _of_year(
    facts: Facts, wish: Wish, snap: Snapshot, year: int, *, open_: bool
) -> tuple[Release, Noisy]:
    whole = PLANS[wish.size].annual
    regional = not facts.declared and any(table.geo == REGION for table in wish.tables)
    paid = whole * ((YEARS_RHO if open_ else 0) + (REGIONS_RHO if regional else 0))
    names = facts.regions
    if regional:
        counts = snap.by_region(year, len(names))
        bits = _bits(facts, wish, f"regions {year}")
        places = choose(counts, whole * REGIONS_RHO, _delta(wish) / 2, bits).passed
        # Whose region is not named stands in the last place, `unknown`.
        moved = np.full(len(names) + 1, len(places))
        moved[list(places)] = np.arange(len(places))
        snap, names = snap.with_regions(moved), tuple(names[place] for place in places)
    design = replace(_design(facts, wish, year), regions=names, labels=paid)
    release = Release.of(design, catalogue.shipped())
    return release, release.measure(snap, _bits(facts, wish, year))


def _delta(wish: Wish) -> float:
    """Return the part of δ that goes to all choices of labels."""
    return delta_for(wish.declared_size) * float(LABELS_DELTA)


def rounded(
    facts: Facts, wish: Wish, years: Sequence[int], key: bytes, given: Sequence[str]
) -> dict[str, bytes]:
    """Return files of rounded counts, if the gate lets them go to who was given the others."""
    if not years or (not facts.declared and any(t.geo == REGION for t in wish.tables)):
        raise Invalid(
            "Rounded counts name their years (--period) and regions (--regions) beforehand.",
            code="release.labels",
            hint="A year or region that one person has would show that person by its name.",
        )
    snap = snapshot(facts.records, key)
    how = f"{rounding.METHOD}; SIMULATION"
    lines: dict[str, list[tuple[str, ...]]] = {}
    for year in years:
        release = Release.of(_design(facts, wish, year), catalogue.shipped())
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


def _bits(facts: Facts, wish: Wish, year: int | str) -> Bits:
    """Return the noise: the system's, or one that follows from seed, design and records.

    From the records too: two releases of different people share no noise, and whoever subtracts
    one from the other under one seed must find what they would find in two real ones.
    """
    if wish.seed is None:
        return SystemBits()
    asked = json.dumps(_asked(wish, year)).encode()
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


def _design(facts: Facts, wish: Wish, year: int) -> Design:
    settings = PLANS[wish.size]
    return Design(
        release_id=_release_id(wish, year),
        catalogue_version=catalogue.shipped().version,
        tables=tuple(table.id for table in wish.tables),
        tier=settings.tier or Tier.COARSE,
        period=whole_year(year),
        regions=facts.regions,
        rho=settings.annual,
        delta=delta_for(wish.declared_size),
        code_version=wish.code_version,
        simulation=True,
    )


def _release_id(wish: Wish, year: int) -> str:
    """Return an id that follows from the seed alone: it must say nothing of the records."""
    if wish.seed is None:
        return f"SIMULATION-{year}-{secrets.token_hex(6)}"
    digest = hashlib.sha256(json.dumps(_asked(wish, year)).encode()).hexdigest()
    return f"SIMULATION-{year}-{digest[:12]}"


def _asked(wish: Wish, year: int | str) -> list[object]:
    return [wish.seed, year, [table.id for table in wish.tables], wish.declared_size]
