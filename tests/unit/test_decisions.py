"""Decisions are cited by their number: each has one of its own, and none is left out."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "adr" / "README.md"


def numbers(page: str) -> list[int]:
    """Return the numbers of the decisions, in the page's order."""
    return [int(found) for found in re.findall(r"^(\d+)\. \*\*", page, re.MULTILINE)]


def test_decisions_are_numbered_one_after_another():
    """No number is given twice or skipped."""
    found = numbers(PAGE.read_text())
    assert found == list(range(1, len(found) + 1))


def test_a_number_given_twice_is_seen():
    """The check can fail: it reads numbers, not places in a list."""
    assert numbers("1. **One.** Text\n   goes on.\n1. **Two.**\n3. **Three.**") == [1, 1, 3]
