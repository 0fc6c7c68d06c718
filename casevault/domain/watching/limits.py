"""What the rules of the watch compare with: each limit has a default, a reason and a range.

Decides what a programme may set (`alert_limits` in the configuration file). The range is what keeps
a rule from being switched off, or from drowning the auditor. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from casevault.errors import Invalid


@dataclass(frozen=True, slots=True)
class Limits:
    """The present limits; `KNOWN` says what each is for and how far it goes."""

    history_days: int = 28
    volume_factor: float = 3.0
    volume_least: int = 20
    peers_factor: float = 4.0
    outside_cases: int = 6
    after_hours_looks: int = 4
    night_days: int = 4
    day_begins: int = 6
    day_ends: int = 21
    searches: int = 12
    search_opened: float = 0.2
    probes: int = 6
    probe_minutes: int = 30
    denials: int = 12
    denial_minutes: int = 10
    exported: int = 500
    exports_a_day: int = 3
    unfinished_minutes: int = 60
    brief_grant_hours: int = 24
    leaver_days: int = 14
    leaver_factor: float = 2.0
    leaver_least: int = 8
    lost_numbers: int = 1
    letters_guessed: int = 1


@dataclass(frozen=True, slots=True)
class Known:
    """One limit: from, to, and why its default is what it is."""

    least: float
    most: float
    reason: str


KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        "history_days": Known(14, 56, "four weeks hold every weekday four times"),
        "volume_factor": Known(1.5, 10, "three times the own median is no busy day any more"),
        "volume_least": Known(5, 100, "below that many cases a day, a factor says nothing"),
        "peers_factor": Known(2, 10, "for people without a history, and for those who always do"),
        "outside_cases": Known(1, 50, "supervisors look at some cases that nobody gave them"),
        "after_hours_looks": Known(1, 50, "one or two looks at night are a telephone call"),
        "night_days": Known(1, 20, "who worked on so many nights of the history works at night"),
        "day_begins": Known(0, 12, "the hour at which ordinary days begin, in the own time zone"),
        "day_ends": Known(12, 24, "the hour at which they end"),
        "searches": Known(3, 100, "a duplicate check asks two or three times"),
        "search_opened": Known(0, 1, "who searches for work opens some of what is found"),
        "probes": Known(3, 50, "mistyping happens; six different ids do not mistype themselves"),
        "probe_minutes": Known(5, 240, "a person at work does not meet so many dead ends at once"),
        "denials": Known(5, 200, "somebody tries again two or three times, not twelve"),
        "denial_minutes": Known(1, 60, "what is tried in a burst is tried by a program"),
        "exported": Known(1, 100_000, "so many entries or records at once are more than one case"),
        "exports_a_day": Known(1, 50, "the second export of a day is a mistake in the first"),
        "unfinished_minutes": Known(15, 1440, "longer than the largest export takes"),
        "brief_grant_hours": Known(1, 168, "given, looked at and taken back within a day"),
        "leaver_days": Known(1, 60, "before the last day"),
        "leaver_factor": Known(1.2, 10, "handing over is work too: twice the own median"),
        "leaver_least": Known(3, 100, "below that many cases a day, a factor says nothing"),
        "lost_numbers": Known(1, 100, "a number that no entry explains is an entry that is gone"),
        "letters_guessed": Known(1, 20, "five wrong codes in a row are no slip; ask the recipient"),
    }
)
_INTEGERS = frozenset(f.name for f in fields(Limits) if f.type == "int")


def limits(changes: Mapping[str, float]) -> Limits:
    """Return the limits with some of them changed.

    :raises Invalid: one is unknown or out of its range; the sentence names it and the range.
    """
    values: dict[str, float] = {}
    for name, value in changes.items():
        known = KNOWN.get(name)
        if known is None:
            raise Invalid("There is no alert limit of this name.", code="alerts.unknown")
        if not known.least <= value <= known.most:
            text = f"{name} goes from {known.least:g} to {known.most:g}."
            raise Invalid(text, code="alerts.range")
        if name in _INTEGERS and value != int(value):
            raise Invalid(f"{name} is a whole number.", code="alerts.range")
        values[name] = int(value) if name in _INTEGERS else float(value)
    return replace(Limits(), **values)  # type: ignore[arg-type]
