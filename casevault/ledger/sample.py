"""The weekly sample: which entries somebody looks at by hand, drawn so that nobody chooses them.

The draw is a function of a signed checkpoint that nobody could know while the week went on, and of
the public leaves: an outsider with an export repeats it. Of the entries of a week (all but those
of category ``system``), the 2 % with the lowest SHA-256(seed ‖ index) are drawn, where the seed is
SHA-256("casevault/1/sample\\n" ‖ week ‖ "\\n" ‖ checkpoint text) and the index 8 bytes, big endian.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from casevault.errors import FieldError, Invalid
from casevault.ledger.entry import Leaf
from casevault.ledger.note import Checkpoint

PERCENT: Final = 2
_LABEL: Final = b"casevault/1/sample\n"
_WEEK: Final = re.compile(r"([0-9]{4})-W(0[1-9]|[1-4][0-9]|5[0-3])")


@dataclass(frozen=True, slots=True)
class Week:
    """An ISO week (``2026-W47``), from Monday midnight UTC to the next, which is not included."""

    name: str
    begins: datetime
    ends: datetime

    @classmethod
    def parse(cls, text: str) -> Week:
        """Read a week's name, else `Invalid`."""
        found = _WEEK.fullmatch(text)
        try:
            if found is None:
                raise ValueError
            begins = datetime.fromisocalendar(int(found[1]), int(found[2]), 1).replace(tzinfo=UTC)
            return cls(text, begins, begins + timedelta(days=7))
        except ValueError:
            raise Invalid(
                "A week looks like 2026-W47.",
                code="sample.week",
                errors=(FieldError("/week", "sample.week"),),
            ) from None

    @classmethod
    def before(cls, moment: datetime) -> Week:
        """Return the last week that was over at a moment."""
        year, number, _ = (moment.astimezone(UTC) - timedelta(days=7)).isocalendar()
        return cls.parse(f"{year}-W{number:02}")

    def holds(self, leaf: Leaf) -> bool:
        """Say whether an entry is of this week and among those that are drawn from."""
        hour = datetime.fromisoformat(leaf.t)
        return self.begins <= hour < self.ends and leaf.c != "system"


def population(leaves: Iterable[tuple[int, Leaf]], week: Week) -> tuple[int, ...]:
    """Return the indices of the entries that are drawn from, lowest first."""
    return tuple(sorted(index for index, leaf in leaves if week.holds(leaf)))


def draw(checkpoint: Checkpoint, week: Week, among: Sequence[int]) -> tuple[int, ...]:
    """Return the drawn indices, lowest first: 2 % of them, rounded up."""
    seed = hashlib.sha256(_LABEL + week.name.encode() + b"\n" + checkpoint.encode()).digest()
    count = -(-len(among) * PERCENT // 100)

    def rank(index: int) -> bytes:
        return hashlib.sha256(seed + index.to_bytes(8, "big")).digest()

    return tuple(sorted(sorted(among, key=rank)[:count]))
