"""How other standards write a period of a release."""

from __future__ import annotations

from datetime import date

from casevault.errors import Invalid


def named(start: date, end: date, half: str, quarter: str) -> str:
    """Return a year, or it with a half or quarter after the given mark (``-S``, ``Q``)."""
    after = date.fromordinal(end.toordinal() + 1)
    months = 12 * (after.year - start.year) + after.month - start.month
    number = (start.month - 1) // months + 1 if months else 0
    marks = {12: "", 6: f"{half}{number}", 3: f"{quarter}{number}"}
    if months not in marks or start.day != 1 or after.day != 1:
        raise Invalid("This form has no word for the period of the file.", code="report.period")
    return f"{start.year}{marks[months]}"
