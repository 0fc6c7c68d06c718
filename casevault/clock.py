"""The one source of time. Everything that decides by time takes a Clock as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Gives the present moment."""

    def now(self) -> datetime:
        """Return the present moment as an aware datetime in UTC."""
        ...


class SystemClock:
    """The clock of the operating system, optionally shifted (drills and tests)."""

    def __init__(self, shift: timedelta = timedelta()) -> None:
        self._shift = shift

    def now(self) -> datetime:
        """Return the system's time plus the shift."""
        return datetime.now(UTC) + self._shift


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("a clock needs an aware datetime")
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the moment at which the clock stands."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move the clock by `by` (negative moves it back)."""
        self._at += by


def unix_seconds(moment: datetime) -> int:
    """Return whole seconds since 1970-01-01T00:00Z, rounded down."""
    return int(moment.timestamp())
