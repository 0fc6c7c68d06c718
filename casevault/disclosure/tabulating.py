"""Exact counts of a table from a snapshot. They never leave this package but as noise on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from casevault.disclosure.arrays import np
from casevault.disclosure.catalogue import (
    FIRST_SERVICE,
    PARTS,
    PEOPLE,
    QUARTERLY,
    Basis,
    IndicatorTable,
)
from casevault.disclosure.classifications import Dimension, Tier
from casevault.disclosure.counting import QUARTERS, Pairs, Snapshot, capped
from casevault.disclosure.records import Ints, day_number, part_of


@dataclass(frozen=True, slots=True)
class Period:
    """A period of time, both days included, within one year."""

    start: date
    end: date

    @property
    def year(self) -> int:
        """Return the cohort year that pays for it."""
        return self.start.year

    @property
    def basis(self) -> Basis | None:
        """Return which part of a year it is, or None for days that are no such part."""
        after = date.fromordinal(self.end.toordinal() + 1)
        months = 12 * (after.year - self.start.year) + after.month - self.start.month
        known = {12: Basis.YEAR, 6: Basis.HALF, 3: Basis.QUARTER}
        whole = self.start.day == after.day == 1 and months in known
        return known[months] if whole and not (self.start.month - 1) % months else None


def whole_year(year: int) -> Period:
    """Return a calendar year."""
    return Period(date(year, 1, 1), date(year, 12, 31))


def tabulate(
    snap: Snapshot, table: IndicatorTable, axes: Sequence[Dimension], tier: Tier, period: Period
) -> Ints:
    """Return the counts of every cell, an array with one axis per dimension."""
    if table.universe == PEOPLE:
        rows = _registered(snap, period)
        columns = [_of_person(snap, axis, rows, tier) for axis in axes]
        return _counted(columns, axes, len(rows))
    pairs = snap.pairs[table.universe]
    chosen = capped(pairs, table.cap, snap)
    chosen = chosen[pairs.year[chosen] == period.year]
    if table.universe == QUARTERLY:
        chosen = chosen[pairs.part[chosen] == (period.start.month - 1) // (12 // QUARTERS)]
    columns = [_of_pair(snap, axis, pairs, chosen, tier) for axis in axes]
    return _counted(columns, axes, len(chosen))


def _registered(snap: Snapshot, period: Period) -> Ints:
    day = snap.registrations.day
    inside = (day >= day_number(period.start)) & (day <= day_number(period.end))
    rows: Ints = np.flatnonzero(inside & snap.registrations.counted)
    return rows


def _of_person(snap: Snapshot, axis: Dimension, rows: Ints, tier: Tier) -> Ints:
    if axis.field:
        places = np.array([axis.place(codes) for codes in snap.distinct[axis.field]])
        found: Ints = places[snap.registrations.values[axis.field][rows]]
        return found
    if axis.name == "first_service":
        return _band(snap.registrations.waited[rows], tier)
    if axis.name == "accepted_in":
        return part_of(snap.registrations.day[rows], len(PARTS[tier]))
    return snap.registrations.region[rows]


def _of_pair(snap: Snapshot, axis: Dimension, pairs: Pairs, chosen: Ints, tier: Tier) -> Ints:
    if axis.name == "service":
        return pairs.service[chosen]
    if axis.name == "referral_outcome":
        return pairs.outcome[chosen]
    return _of_person(snap, axis, pairs.row[chosen], tier)


def _band(waited: Ints, tier: Tier) -> Ints:
    limits = [days for _name, days in FIRST_SERVICE[tier] if days is not None]
    bands: Ints = np.searchsorted(limits, waited)
    none_yet = len(FIRST_SERVICE[tier])
    return np.where(waited < 0, none_yet, bands)


def _counted(columns: Sequence[Ints], axes: Sequence[Dimension], rows: int) -> Ints:
    shape = tuple(len(axis.categories) for axis in axes)
    if not columns:
        return np.array(rows, dtype=np.int64)
    cells = np.ravel_multi_index(tuple(columns), shape)
    return np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
