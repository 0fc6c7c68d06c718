"""Puts a report together: what the register says, and the files of releases in force."""

from __future__ import annotations

from collections.abc import Iterable

from casevault.disclosure import catalogue
from casevault.disclosure.report.content import Report
from casevault.disclosure.report.published import Published, read
from casevault.domain.counting.indicators import Indicators
from casevault.errors import Invalid


def assembled(indicators: Indicators, files: Iterable[str], organisation: str) -> Report:
    """Return the report of a period; files of other periods are left out.

    :raises Invalid: a file is no released table, or two are of one table.
    """
    found: dict[str, Published] = {}
    for text in files:
        one = read(text, indicators.period)
        if one is not None and one.table.id in found:
            raise Invalid(
                "Two releases have the same table of this period.",
                code="report.twice",
                hint="Name only the files of the release that is in force.",
            )
        if one is not None:
            found[one.table.id] = one
    order = catalogue.shipped().tables
    people = tuple(found[name] for name in order if name in found)
    return Report(indicators, people, organisation)
