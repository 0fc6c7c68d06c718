"""A calendar feed: days on which something is to be followed up, as RFC 5545 text. Pure.

Decides what a calendar may show to whoever looks at it: a day and always the same words. Must
never take a case, a kind of task or a word of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from casevault.domain.case import retention

SUMMARY = "CaseVault: follow-up"
MAX_EVENTS = 500
_LINE = 75
_KEPT = timedelta(days=92)
# RFC 5545 asks for at least one component; a calendar without events has this one.
_NO_EVENTS = (
    "BEGIN:VTIMEZONE",
    "TZID:UTC",
    "BEGIN:STANDARD",
    "DTSTART:19700101T000000",
    "TZOFFSETFROM:+0000",
    "TZOFFSETTO:+0000",
    "END:STANDARD",
    "END:VTIMEZONE",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One day (``2026-12-01``); the uid is the same for the same task and tells nothing of it."""

    uid: str
    day: str


def kept_until(today: date) -> date:
    """Return the last day of a feed whose owner signs in today and then never again."""
    return retention.rounded_due(today + _KEPT, minor=False)


def nearest(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events in order, at most `MAX_EVENTS`."""
    return tuple(sorted(events, key=lambda event: (event.day, event.uid))[:MAX_EVENTS])


def render(events: Iterable[Event], rendered_at: datetime, summary: str = SUMMARY) -> str:
    """Return the calendar. The moment (UTC) is shown by the hour: nobody's hours of work."""
    stamp = f"{rendered_at:%Y%m%dT%H0000Z}"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//CaseVault//Follow-up//EN"]
    inside = [line for event in events for line in _event(event, stamp, summary)]
    lines += [*(inside or _NO_EVENTS), "END:VCALENDAR"]
    return "".join(_folded(line) + "\r\n" for line in lines)


def _event(event: Event, stamp: str, summary: str) -> tuple[str, ...]:
    return (
        "BEGIN:VEVENT",
        "UID:" + event.uid,
        "DTSTAMP:" + stamp,
        "DTSTART;VALUE=DATE:" + event.day.replace("-", ""),
        "SUMMARY:" + summary,
        "CLASS:PRIVATE",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    )


def _folded(line: str) -> str:
    """Break a line after at most 75 octets, never inside a character; the rest is indented."""
    parts, part, size = list[str](), "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > _LINE:
            parts.append(part)
            # The space that marks the rest of a line counts too.
            part, size = "", 1
        part, size = part + character, size + octets
    return "\r\n ".join([*parts, part])
