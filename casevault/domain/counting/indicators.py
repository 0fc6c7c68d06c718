"""What the register says about the pledge's four indicators in a period. Pure.

Counts of things are exact. Staff are not survivors: the national share of people trained is exact,
a branch shows its share only from 20 people up. Nothing of a case comes in here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from casevault.domain.counting.programme import Entry, Kind
from casevault.errors import Invalid

SMALLEST_BRANCH = 20
COURSES = ("attended_e_module", "attended_toolkit", "attended_guidance", "attended_other")
_COUNTED = {"running", "finished"}


@dataclass(frozen=True, slots=True)
class Period:
    """A period of whole days, both included."""

    name: str
    start: date
    end: date

    @classmethod
    def parse(cls, text: str) -> Period:
        """Return a year (``2026``), half-year (``2026-H1``) or quarter (``2026-Q3``)."""
        year, _, part = text.partition("-")
        parts = {"": (1, 12), "H1": (1, 6), "H2": (7, 12)}
        parts |= {f"Q{n}": (3 * n - 2, 3 * n) for n in (1, 2, 3, 4)}
        if part not in parts or text.endswith("-") or not is_year(year):
            raise Invalid(
                "A period is a year, a half-year or a quarter: 2026, 2026-H1, 2026-Q3.",
                code="period",
            )
        first, last = parts[part]
        after = date(int(year) + last // 12, last % 12 + 1, 1)
        return cls(text, date(int(year), first, 1), date.fromordinal(after.toordinal() - 1))

    def holds(self, day: str) -> bool:
        """Say whether a day lies in it."""
        return self.start.isoformat() <= day <= self.end.isoformat()


@dataclass(frozen=True, slots=True)
class Trained:
    """People trained of all; `share` is None where so few would say who was not."""

    name: str
    people_trained: int | None
    staff_total: int

    @property
    def share(self) -> float | None:
        """Return the percentage, or None."""
        if self.people_trained is None or not self.staff_total:
            return None
        return 100 * self.people_trained / self.staff_total


@dataclass(frozen=True, slots=True)
class Indicators:
    """The pledge's four indicators, as far as the register knows, and what stands beside them."""

    period: Period
    national: Trained
    regions: tuple[Trained, ...]
    branches: tuple[Trained, ...]
    attendances: Mapping[str, int]
    measures: Mapping[str, Mapping[tuple[str, str], int]]
    cooperation: Mapping[tuple[str, str], int]
    awareness: Mapping[str, int]
    dialogue: Mapping[str, int]
    advocacy: Mapping[str, int]
    focal_point: bool


def of_period(entries: Iterable[Entry], period: Period) -> Indicators:
    """Return what the present versions of the register's entries say about a period."""
    by_kind: dict[Kind, list[Entry]] = {kind: [] for kind in Kind}
    for one in entries:
        if not one.removed:
            by_kind[one.kind].append(one)
    latest = _latest(by_kind[Kind.TRAINING], period)
    measures = {name: Counter[tuple[str, str]]() for name in ("mainstreaming", "response")}
    for one in by_kind[Kind.MEASURE]:
        content = one.content
        if content["status"] in _COUNTED and content["started"] <= f"{period.end:%Y-%m}":
            measures[content["indicator"]][content["programme"], content["type"]] += 1
    return Indicators(
        period,
        _trained("", latest),
        _regions(latest),
        _branches(latest),
        {c: sum(int(one.content.get(c, 0)) for one in latest) for c in COURSES},
        measures,
        Counter(
            (one.content["network"], one.content["type"])
            for one in _held(by_kind[Kind.COOPERATION], period)
        ),
        _reached(_held(by_kind[Kind.AWARENESS], period)),
        Counter(one.content["stakeholder"] for one in _held(by_kind[Kind.DIALOGUE], period)),
        Counter(one.content["topic"] for one in _held(by_kind[Kind.ADVOCACY], period)),
        any(_in_office(one, period) for one in by_kind[Kind.FOCAL_POINT]),
    )


def _latest(trainings: Iterable[Entry], period: Period) -> list[Entry]:
    """Return the last word of each branch up to the end of the period."""
    last: dict[tuple[str, str], Entry] = {}
    for one in sorted(trainings, key=lambda e: (e.content["held_on"], str(e.id))):
        if one.content["held_on"] <= period.end.isoformat():
            last[one.content["region"], one.content["branch"]] = one
    return list(last.values())


def _regions(latest: Iterable[Entry]) -> tuple[Trained, ...]:
    groups: dict[str, list[Entry]] = {}
    for one in latest:
        groups.setdefault(one.content["region"], []).append(one)
    return _shown([_trained(name, groups[name]) for name in sorted(groups)])


def _branches(latest: Iterable[Entry]) -> tuple[Trained, ...]:
    """Return the branches region by region: what is shown of a region is the sum of its own."""
    groups: dict[str, list[Trained]] = {}
    for one in latest:
        region, branch = one.content["region"], one.content["branch"]
        groups.setdefault(region, []).append(_trained(f"{region} / {branch}", [one]))
    inside = (sorted(groups[region], key=lambda one: one.name) for region in sorted(groups))
    return tuple(one for found in inside for one in _shown(found))


def _shown(parts: list[Trained]) -> tuple[Trained, ...]:
    """Hide how many of a small part are trained, and of so many others that no sum gives it away.

    The whole is shown: a single part that is hidden is what is missing from it.
    """
    hidden: list[Trained] = []
    for one in sorted(parts, key=lambda one: (one.staff_total, one.name)):
        together = sum(each.staff_total for each in hidden)
        exposed = len(hidden) == 1 or (hidden and together < SMALLEST_BRANCH)
        if one.staff_total < SMALLEST_BRANCH or exposed:
            hidden.append(one)
    return tuple(replace(one, people_trained=None) if one in hidden else one for one in parts)


def _trained(name: str, latest: Iterable[Entry]) -> Trained:
    contents = [one.content for one in latest]
    total = sum(int(content["staff_total"]) for content in contents)
    return Trained(name, sum(int(content["people_trained"]) for content in contents), total)


def _held(entries: Iterable[Entry], period: Period) -> list[Entry]:
    return [one for one in entries if period.holds(one.content["held_on"])]


def _reached(entries: Iterable[Entry]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in entries:
        found[one.content["target_group"]] += int(one.content["people_reached"])
    return found


def _in_office(one: Entry, period: Period) -> bool:
    until = one.content.get("until", "9999-12")
    return bool(
        one.content["in_office_since"] <= f"{period.end:%Y-%m}" and until >= f"{period.end:%Y-%m}"
    )


def is_year(text: str) -> bool:
    """Say whether this is a year that a period may have."""
    return len(text) == 4 and text.isascii() and text.isdigit() and 2000 <= int(text) <= 2200
