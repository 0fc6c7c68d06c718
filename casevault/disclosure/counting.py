"""The counting rules: from records to the units that tables count, each person bounded.

- The unit is the merged person. Whoever refused statistics in any record is not there at all.
- Historic records count nowhere.
- In a year a person counts once, in the period of the first record accepted in it; what that
  record leaves open is taken from a later one of the same year.
- Services: distinct (person, service) pairs of a year, at most `cap`, chosen by keyed hash.
- Services by quarter: distinct (person, service, quarter), at most `cap` in the year; what a later
  quarter brings never takes the place of an earlier one, which was published.
- A person contributes in the first three years in which there is anything of theirs.

No rule looks at more than one person: leaving one person out changes nothing for the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from casevault.disclosure.arrays import np
from casevault.disclosure.catalogue import PARTS, QUARTERLY
from casevault.disclosure.classifications import Tier
from casevault.disclosure.parameters import CONTRIBUTING_YEARS
from casevault.disclosure.records import EPOCH, Events, Flags, Ints, Records, part_of, year_of
from casevault.domain import vocabulary

if TYPE_CHECKING:
    from casevault.disclosure.arrays import NDArray

GIVEN = ("provided", "partly_provided")
UNAVAILABLE = ("unavailable",)
EARLY_DAYS = 30
QUARTERS = len(PARTS[Tier.FINE])
_YEARS = 10_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct (person, year, service) pairs before the cap, with the outcome that counts.

    `part` is the quarter from 0, where pairs are distinct by quarter too; else 0.
    """

    person: Ints
    year: Ints
    part: Ints
    service: Ints
    outcome: Ints
    # The row of `Registrations` from which gender and region are taken.
    row: Ints


@dataclass(frozen=True, slots=True)
class Registrations:
    """One row per person and year; `waited` is days to the first service, -1 for none yet."""

    person: Ints
    year: Ints
    day: Ints
    region: Ints
    values: Mapping[str, Ints]
    waited: Ints
    counted: Flags


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What may be counted, frozen."""

    registrations: Registrations
    distinct: Mapping[str, tuple[tuple[str, ...], ...]]
    pairs: Mapping[str, Pairs]
    names: NDArray[np.uint64]
    key: bytes

    def by_year(self, years: range) -> list[int]:
        """Return how many people were accepted in each of these years. Exact: never shown."""
        found = self.registrations
        inside = found.counted & (found.year >= years.start) & (found.year < years.stop)
        places = found.year[inside].astype(np.int64) - years.start
        return [int(number) for number in np.bincount(places, minlength=len(years))]

    def by_region(self, first: int, last: int, regions: int) -> list[int]:
        """Return how many of those accepted in these days each region has. Exact: never shown."""
        found = self.registrations
        inside = found.counted & (found.day >= first) & (found.day <= last)
        places = np.bincount(found.region[inside], minlength=regions)[:regions]
        return [int(number) for number in places]

    def with_regions(self, moved: Ints) -> Snapshot:
        """Return the snapshot with other numbers for its regions: `moved` at each old number."""
        region = moved[self.registrations.region]
        return replace(self, registrations=replace(self.registrations, region=region))


def snapshot(records: Records, key: bytes, *, quarters: bool = False) -> Snapshot:
    """Apply the rules; `key` decides which services stand behind a cap.

    `quarters`: services are wanted by quarter too.
    """
    names, inverse = np.unique(records.person, return_inverse=True)
    owner = inverse.astype(np.int32)
    del inverse
    refused = np.bincount(owner, weights=~records.consent, minlength=len(names)) > 0
    kept = np.flatnonzero(~refused[owner] & ~records.historic)
    rows = _first_of_year(records, owner, kept)
    person, year = owner[rows.first], rows.year
    day = records.day[rows.first]
    # One kind of event after the other: a million people must fit into a small server.
    given = _owned(_with_outcome(records.services, GIVEN), records.case, owner, kept)
    waited = _waited(person, day, given)
    pairs = {"services": _pairs(given, person, year, day)}
    if quarters:
        pairs[QUARTERLY] = _pairs(given, person, year, day, parts=QUARTERS)
    del given
    lacking = _owned(_with_outcome(records.services, UNAVAILABLE), records.case, owner, kept)
    pairs["unavailable"] = _pairs(lacking, person, year, day)
    del lacking
    referred = _owned(records.referrals, records.case, owner, kept)
    pairs["referrals"] = _pairs(referred, person, year, day)
    allowed = _allowed(person, year, pairs)
    registrations = Registrations(
        person,
        year,
        day,
        records.region[rows.first],
        rows.values,
        waited,
        np.isin(_mark(person, year), allowed),
    )
    pairs = {name: _within(found, allowed) for name, found in pairs.items()}
    return Snapshot(registrations, records.distinct, pairs, names, key)


def capped(found: Pairs, cap: int, snap: Snapshot) -> Ints:
    """Return the positions of the pairs that count: at most `cap` per person and year."""
    group = _mark(found.person, found.year)
    ranks = np.zeros(len(group), np.int16)
    order = np.argsort(group, kind="stable")
    edges = np.flatnonzero(np.diff(group[order], prepend=-1, append=-1))
    for first in np.flatnonzero(np.diff(edges) > cap):
        members = order[edges[first] : edges[first + 1]]
        ranks[members] = _drawn_order(found, members, snap)
    kept: Ints = np.flatnonzero(ranks < cap)
    return kept


def _drawn_order(found: Pairs, members: Ints, snap: Snapshot) -> Ints:
    def mark(position: int) -> bytes:
        parts = (
            int(snap.names[found.person[position]]),
            int(found.year[position]),
            int(found.part[position]),
            int(found.service[position]),
        )
        message = b"".join(part.to_bytes(8, "big") for part in parts)
        drawn = hashlib.blake2b(message, digest_size=16, key=snap.key).digest()
        return int(found.part[position]).to_bytes(1, "big") + drawn

    marks = [mark(int(position)) for position in members]
    return np.argsort(np.argsort(np.array(marks), kind="stable"), kind="stable")


def _mark(person: Ints, year: Ints) -> Ints:
    """Return one number for each person and year, in the order of both."""
    return person.astype(np.int64) * _YEARS + year


# --- registrations -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    first: Ints
    year: Ints
    values: Mapping[str, Ints]


def _first_of_year(records: Records, owner: Ints, kept: Ints) -> _Rows:
    """Return the first record of each person and year; open fields come from later ones."""
    years = year_of(records.day[kept])
    order = np.lexsort((records.day[kept], years, owner[kept]))
    rows, years = kept[order], years[order]
    group = _mark(owner[rows], years)
    fresh = np.r_[True, np.diff(group) != 0] if len(group) else np.empty(0, np.bool_)
    index = np.cumsum(fresh) - 1
    values = {name: column[rows][fresh] for name, column in records.values.items()}
    for position in np.flatnonzero(~fresh):
        for name, column in records.values.items():
            if values[name][index[position]] == 0:
                values[name][index[position]] = column[rows[position]]
    return _Rows(rows[fresh], years[fresh], values)


def _waited(person: Ints, day: Ints, given: _Owned) -> Ints:
    """Return days from acceptance to the first service; help of up to 30 days before is day 0."""
    # Counted from the year 1, so that no day, however long ago, falls into another person's span.
    span = 1 << 22
    at = np.sort(given.person.astype(np.int64) * span + given.day + EPOCH)
    wanted = person.astype(np.int64) * span + day + EPOCH
    found = np.searchsorted(at, wanted - EARLY_DAYS)
    padded = np.r_[at, -1]
    same = padded[found] // span == person
    return np.where(same, np.maximum(padded[found] - wanted, 0), -1)


def _allowed(person: Ints, year: Ints, pairs: Mapping[str, Pairs]) -> Ints:
    """Return person-years that may contribute: the first three with anything of theirs."""
    marks = [_mark(person, year), *(_mark(p.person, p.year) for p in pairs.values())]
    all_years = np.unique(np.concatenate(marks))
    people = all_years // _YEARS
    first = np.searchsorted(people, people)
    allowed: Ints = all_years[np.arange(len(all_years)) - first < CONTRIBUTING_YEARS]
    return allowed


# --- services ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Owned:
    person: Ints
    service: Ints
    day: Ints
    outcome: Ints
    counted: Ints


def _owned(events: Events, case: NDArray[np.uint64], owner: Ints, kept: Ints) -> _Owned:
    """Return events with their person; those of people who are not there fall out."""
    cases = case[kept]
    order = np.argsort(cases)
    place = np.searchsorted(cases[order], events.case)
    place = np.minimum(place, max(len(order) - 1, 0))
    if len(order) == 0 or len(events.case) == 0:
        empty = np.empty(0, np.int64)
        return _Owned(empty, empty, empty, empty, empty)
    at = order[place]
    hit = cases[at] == events.case
    return _Owned(
        owner[kept][at][hit],
        events.service[hit],
        events.day[hit],
        events.outcome[hit],
        events.counted[hit],
    )


def _with_outcome(events: Events, outcomes: tuple[str, ...]) -> Events:
    codes = vocabulary.code_list("service_outcome")
    hit = np.isin(events.outcome, [codes.index(code) for code in outcomes])
    return Events(
        events.case[hit],
        events.service[hit],
        events.day[hit],
        events.outcome[hit],
        events.counted[hit],
    )


def _pairs(events: _Owned, person: Ints, year: Ints, day: Ints, parts: int = 1) -> Pairs:
    """Return distinct pairs of a year, or of each of its parts, the latest outcome of each."""
    if len(events.person) == 0:
        empty = np.empty(0, np.int64)
        return Pairs(empty, empty, empty, empty, empty, empty)
    # What is dated before the person was accepted is accepted with them.
    opened = day[np.searchsorted(person, events.person)]
    accepted = np.maximum(events.counted, opened)
    years, part = year_of(accepted), part_of(accepted, parts)
    services = len(vocabulary.code_list("service_type"))
    owned = _mark(events.person, years)
    mark = (owned * parts + part) * services + events.service
    order = np.lexsort((events.day, mark))
    last = order[np.r_[np.diff(mark[order]) != 0, True]]
    row = np.searchsorted(_mark(person, year), owned[last], side="right") - 1
    return Pairs(
        events.person[last],
        years[last],
        part[last],
        events.service[last],
        events.outcome[last],
        row,
    )


def _within(found: Pairs, allowed: Ints) -> Pairs:
    hit = np.isin(_mark(found.person, found.year), allowed)
    return Pairs(
        found.person[hit],
        found.year[hit],
        found.part[hit],
        found.service[hit],
        found.outcome[hit],
        found.row[hit],
    )
