"""What the rules of the watch see: entries of one day, and numbers of the weeks before.

Pure. An event is an opened entry with ids that mean the same in every month; it holds nothing that
an auditor could not see. Numbers per person and day (tallies) are all that outlives a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone, tzinfo
from statistics import median

# Looks at one case's content. Lists and worklists are not among them: they come by themselves.
LOOKS = frozenset(
    {
        "case.read",
        "case.timeline",
        "case.export",
        "note.read",
        "note.list",
        "service.read",
        "service.list",
        "task.read",
        "task.list",
        "consent.read",
        "consent.list",
        "consent.add",
        "consent.withdraw",
        "basis.read",
        "basis.list",
        "basis.add",
        "basis.withdraw",
        "link.list",
        "refused_staff.list",
        "file.read",
        "file.add_end",
        "file.remove",
        "case.amend",
        "note.add",
        "note.amend",
        "note.redact",
        "service.add",
        "service.amend",
        "service.redact",
        "task.add",
        "task.amend",
        "task.redact",
        "case.transition",
        "case.link",
        "case.unlink",
    }
)
READS = frozenset(code for code in LOOKS if code.endswith((".read", ".list", ".timeline")))
SEARCH = "search.run"
EXPORTS = frozenset({"case.export", "audit.export_end", "ledger.export"})
GIVING = frozenset({"case.assign", "case.cover", "case.regrant", "case.take"})
DENIED, FAILED = 4, 8
UTC_ZONE: tzinfo = timezone(timedelta())


@dataclass(frozen=True, slots=True)
class Event:
    """One entry. `cases` and `staff` are records it is about; `position` its place in the log."""

    at: datetime
    position: int
    code: str
    outcome: int = 0
    rule: str = ""
    actor: str | None = None
    roles: tuple[str, ...] = ()
    session: str | None = None
    cases: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    count: int | None = None
    writer: str = ""
    counter: int = 0
    skipped: tuple[int, ...] = ()

    @property
    def looks(self) -> bool:
        """Say whether somebody saw or changed the content of a case."""
        return self.code in LOOKS and self.outcome == 0 and bool(self.cases)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one person did on one day, in numbers."""

    cases: int = 0
    looks: int = 0
    after_hours: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """A colleague as the watch needs to know them. `held` are cases granted to them by name."""

    roles: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    leaves_on: date | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should look at.

    `key` tells findings of one rule and day apart; the same finding has the same key whenever it
    is found again. `actors` are the people whose access it is about.
    """

    rule: str
    day: date
    key: str
    actors: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """One day in the programme's time zone, as the rules see it.

    `events` are those of the day in the order of time, `before` those of the day before. `history`
    gives each person's tallies of the days before on which they did anything, `people` everybody.
    """

    day: date
    events: Sequence[Event]
    before: Sequence[Event] = ()
    history: Mapping[str, Sequence[Tally]] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    zone: tzinfo = UTC_ZONE
    now: datetime | None = None

    def by_actor(self) -> dict[str, list[Event]]:
        """Return the events of people, person by person."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            if event.actor is not None:
                found.setdefault(event.actor, []).append(event)
        return found

    def is_night(self, event: Event, begins: int, ends: int) -> bool:
        """Say whether something happened outside of the hours of ordinary days."""
        return not begins <= event.at.astimezone(self.zone).hour < ends

    def person(self, actor: str) -> Person:
        """Return what is known about somebody; nothing about who is there no more."""
        return self.people.get(actor, Person())


def cases_seen(events: Iterable[Event]) -> set[str]:
    """Return the cases whose content was looked at."""
    return {case for event in events if event.looks for case in event.cases}


def tallies(day: Day, begins: int, ends: int) -> dict[str, Tally]:
    """Return what everybody did on a day, in numbers."""
    found = {}
    for actor, events in day.by_actor().items():
        looks = [event for event in events if event.looks]
        night = sum(day.is_night(event, begins, ends) for event in looks)
        if looks:
            found[actor] = Tally(len(cases_seen(looks)), len(looks), night)
    return found


def typical(history: Sequence[Tally]) -> float | None:
    """Return the median number of cases on days with any, or None with fewer than five of them."""
    days = [one.cases for one in history if one.cases]
    return median(days) if len(days) >= 5 else None
