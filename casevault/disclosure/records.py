"""Coded records as columns of numbers, ready to be counted: a row per case, a row per service.

Built one record at a time, in bounded memory (about 60 bytes a case), from a file or from facts
as they are opened. Case and person are 64-bit hashes under a key of this snapshot only; two people
of a million fall together with probability 3 in 100 million. Holds no text but codes.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

from casevault.disclosure.arrays import np

if TYPE_CHECKING:
    from casevault.disclosure.arrays import NDArray


Ints: TypeAlias = "NDArray[np.signedinteger[Any]]"
Flags: TypeAlias = "NDArray[np.bool_]"
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Events:
    """Services or referrals: whose case, which service, on which day, with which outcome.

    `counted` is the day by which the period is chosen: later, if it was written down too late.
    """

    case: NDArray[np.uint64]
    service: Ints
    day: Ints
    outcome: Ints
    counted: Ints


@dataclass(frozen=True, slots=True)
class Records:
    """All cases as columns. `values[field]` indexes `distinct[field]`, tuples of codes."""

    case: NDArray[np.uint64]
    person: NDArray[np.uint64]
    day: Ints
    consent: Flags
    historic: Flags
    region: Ints
    values: Mapping[str, Ints]
    distinct: Mapping[str, tuple[tuple[str, ...], ...]]
    services: Events
    referrals: Events


class EventColumns:
    """Takes services or referrals one by one."""

    def __init__(self) -> None:
        self.case, self.service = array("Q"), array("b")
        self.day, self.outcome, self.counted = array("i"), array("b"), array("i")

    def add(
        self, case: int, service: int, day: int, outcome: int, counted: int | None = None
    ) -> None:
        """Take one service or referral; service and outcome are places in their lists."""
        self.counted.append(day if counted is None else counted)
        self.case.append(case)
        self.service.append(service)
        self.day.append(day)
        self.outcome.append(outcome)

    def close(self) -> Events:
        """Return everything as columns."""
        return Events(
            _unsigned(self.case),
            _ints(self.service),
            _ints(self.day),
            _ints(self.outcome),
            _ints(self.counted),
        )


class Intake:
    """Takes records one by one; `close` gives them as columns."""

    def __init__(self, fields: tuple[str, ...], key: bytes) -> None:
        self._key = key
        self.fields = fields
        self._case, self._person, self._day = array("Q"), array("Q"), array("i")
        self._consent, self._historic, self._region = array("b"), array("b"), array("i")
        self._values = [array("i") for _ in fields]
        self._distinct: dict[str, dict[tuple[str, ...], int]] = {name: {(): 0} for name in fields}
        self.services, self.referrals = EventColumns(), EventColumns()
        self._same: list[tuple[int, int]] = []

    def number(self, name: str) -> int:
        """Return the number by which this snapshot knows a case or a person."""
        return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=self._key).digest())

    def value(self, field: str, codes: tuple[str, ...]) -> int:
        """Return the number of a field's value; an equal one gets the same number."""
        known = self._distinct[field]
        return known.setdefault(codes, len(known))

    def same(self, one: int, other: int) -> None:
        """Take it that two numbers are one person's."""
        self._same.append((one, other))

    def add(
        self,
        case: int,
        person: int,
        day: int,
        region: int,
        flags: tuple[bool, bool],
        values: Any,  # noqa: ANN401
    ) -> None:
        """Take one case; `flags` are consent to statistics and historic."""
        self._case.append(case)
        self._person.append(person)
        self._day.append(day)
        self._region.append(region)
        self._consent.append(flags[0])
        self._historic.append(flags[1])
        for column, number in zip(self._values, values, strict=True):
            column.append(number)

    def close(self) -> Records:
        """Return everything as columns."""
        return Records(
            _unsigned(self._case),
            _merged(_unsigned(self._person), self._same),
            _ints(self._day),
            _ints(self._consent).astype(np.bool_),
            _ints(self._historic).astype(np.bool_),
            _ints(self._region),
            {name: _ints(c) for name, c in zip(self.fields, self._values, strict=True)},
            {name: tuple(values) for name, values in self._distinct.items()},
            self.services.close(),
            self.referrals.close(),
        )


def _merged(person: NDArray[np.uint64], same: list[tuple[int, int]]) -> NDArray[np.uint64]:
    """Return the column with one number for everybody who is the same person, over any chain."""
    if not same:
        return person
    above: dict[int, int] = {}

    def top(one: int) -> int:
        while (found := above.get(one, one)) != one:
            above[one] = above.get(found, found)
            one = found
        return one

    for one, other in same:
        first, second = sorted((top(one), top(other)))
        above[second] = first
    merged = person.copy()
    known = np.array(sorted(above), dtype=np.uint64)
    tops = np.array([top(int(one)) for one in known], dtype=np.uint64)
    at = np.minimum(np.searchsorted(known, person), len(known) - 1)
    hit = known[at] == person
    merged[hit] = tops[at[hit]]
    return merged


def day_number(day: date) -> int:
    """Return days since 1970."""
    return day.toordinal() - EPOCH


def year_of(days: Ints) -> Ints:
    """Return the calendar years of days since 1970, by a table of the days between if it is short.

    One day of long ago makes it long: a single person must not make everybody's count slow.
    """
    if len(days) == 0:
        return np.empty(0, np.int16)
    first, last = int(days.min()), int(days.max())
    if last - first >= len(days):
        return _years(days)
    found: Ints = _years(np.arange(first, last + 1))[days - first]
    return found


def _years(days: Ints) -> Ints:
    found: Ints = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int16)
    return found + np.int16(1970)


def part_of(days: Ints, parts: int) -> Ints:
    """Return which of so many equal parts of its year holds each day, from 0."""
    if parts == 1:
        return np.zeros(len(days), np.int8)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    found: Ints = months // (12 // parts)
    return found


def _unsigned(column: array[int]) -> NDArray[np.uint64]:
    return np.frombuffer(column, dtype=np.uint64) if column else np.empty(0, np.uint64)


def _ints(column: array[int]) -> Ints:
    """Return a column without copying it: a million people must fit into a small server."""
    kind = {"b": np.int8, "i": np.int32}[column.typecode]
    return np.frombuffer(column, dtype=kind) if column else np.empty(0, kind)
