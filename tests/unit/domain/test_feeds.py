"""A calendar as RFC 5545 wants it, which shows days and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from casevault.domain.texts.feeds import MAX_EVENTS, SUMMARY, Event, kept_until, nearest, render

AT = datetime(2026, 11, 24, 13, 47, 11, tzinfo=UTC)
UID = "00000000-0000-4000-8000-000000000001"


def unfolded(text):
    """Return the content lines, as a calendar program reads them."""
    assert text.endswith("\r\n")
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def test_an_event_is_a_day_and_the_same_words():
    """All day, by date; the moment of rendering is shown by the hour only."""
    assert unfolded(render([Event(UID, "2026-12-01")], AT)) == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//CaseVault//Follow-up//EN",
        "BEGIN:VEVENT",
        "UID:" + UID,
        "DTSTAMP:20261124T130000Z",
        "DTSTART;VALUE=DATE:20261201",
        "SUMMARY:" + SUMMARY,
        "CLASS:PRIVATE",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


def test_a_calendar_without_events_is_still_one():
    """The standard asks for a component; there is one, and it is no event."""
    lines = unfolded(render([], AT))
    assert (lines[0], lines[-1]) == ("BEGIN:VCALENDAR", "END:VCALENDAR")
    assert "BEGIN:VTIMEZONE" in lines
    assert "BEGIN:VEVENT" not in lines


@pytest.mark.parametrize(
    "summary", ["x" * 66, "x" * 67, "x" * 400, "é" * 120, "متابعة" * 30, "𝒳" * 90]
)
def test_long_lines_are_folded_between_characters(summary):
    """At most 75 octets a line, and together what went in."""
    text = render([Event(UID, "2026-12-01")], AT, summary)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "SUMMARY:" + summary in unfolded(text)


def test_every_line_ends_with_both_characters():
    """No bare line feed, no bare carriage return."""
    text = render([Event(UID, "2026-12-01")], AT)
    assert "\n" not in text.replace("\r\n", "")
    assert "\r" not in text.replace("\r\n", "")


def test_a_feed_shows_the_nearest_days():
    """In their order, and no more than a calendar bears."""
    events = [Event(f"{n:05}", f"2027-01-{n % 28 + 1:02}") for n in range(MAX_EVENTS + 5, 0, -1)]
    found = nearest(events)
    assert len(found) == MAX_EVENTS
    assert list(found) == sorted(events, key=lambda event: (event.day, event.uid))[:MAX_EVENTS]


def test_a_feed_without_a_sign_in_ends_with_a_month():
    """After some three months; the day of the last sign-in does not show."""
    ends = {kept_until(date(2026, 11, day)) for day in (1, 15, 27)}
    assert ends == {date(2027, 2, 28)}
