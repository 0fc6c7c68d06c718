"""The counters of all writers: which numbers are there, which twice, which not.

Memory grows with the number of gaps, not of entries: numbers come nearly in order (PostgreSQL
integrates staged rows in any order), so a writer's numbers are a few runs at any time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from casevault.ledger.entry import FIRST_COUNTER
from casevault.ledger.faults import tampered


@dataclass(frozen=True, slots=True)
class Gap:
    """Counters `first` to `last` (both included) of one writer that are not in the log."""

    writer: str
    first: int
    last: int


class Counters:
    """Takes every entry's writer and counter; knows what is missing."""

    def __init__(self) -> None:
        self._runs: dict[str, _Runs] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, writer: str, counter: int, index: int) -> None:
        """Take one number; one that was there already is `Tampered` at `index`."""
        if not self._runs.setdefault(writer, _Runs()).add(counter):
            raise tampered("counter-repeated", index)

    def explain(self, writer: str, counter: int) -> None:
        """Take a number that an entry names as rolled back; more than once does no harm."""
        self._runs.setdefault(writer, _Runs()).add(counter)

    def gaps(self) -> tuple[Gap, ...]:
        """Return all gaps, by writer."""
        return tuple(
            Gap(writer, first, last)
            for writer in sorted(self._runs)
            for first, last in self._runs[writer].gaps()
        )


class _Runs:
    """Numbers as runs [start, end), apart from each other, in order."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, number: int) -> bool:
        if self.ends and self.ends[-1] == number:
            self.ends[-1] += 1
            return True
        at = bisect_right(self.starts, number) - 1
        if at >= 0 and number < self.ends[at]:
            return False
        joins_left = at >= 0 and self.ends[at] == number
        joins_right = at + 1 < len(self.starts) and self.starts[at + 1] == number + 1
        if joins_left and joins_right:
            self.ends[at] = self.ends.pop(at + 1)
            self.starts.pop(at + 1)
        elif joins_left:
            self.ends[at] += 1
        elif joins_right:
            self.starts[at + 1] = number
        else:
            self.starts.insert(at + 1, number)
            self.ends.insert(at + 1, number + 1)
        return True

    def gaps(self) -> Iterator[tuple[int, int]]:
        expected = FIRST_COUNTER
        for start, end in zip(self.starts, self.ends, strict=True):
            if start > expected:
                yield expected, start - 1
            expected = end
