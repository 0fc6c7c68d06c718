"""The columns of a release's file, for who writes it and who reads it. Needs no arithmetic.

Also what makes a cell safe: none begins with a sign that a spreadsheet would run as a formula.
"""

from __future__ import annotations

BEFORE = ("indicator", "period_start", "period_end", "geo")
AFTER = ("value", "lower95", "upper95", "status", "method", "release_id")
NUMBERS = frozenset({"value", "lower95", "upper95"})
DATES = frozenset({"period_start", "period_end"})
PUBLISHED, WITHHELD, UNRELIABLE = "P", "W", "U"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_GUARD = "'"


def safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return _GUARD + text if text.startswith(_FORMULA) else text


def plain(cell: str) -> str:
    """Return what `safe` was given."""
    return cell[1:] if cell.startswith(_GUARD) and cell[1:].startswith(_FORMULA) else cell
