"""All numbers of a report as one CSV, in the columns of a release; `categories` holds the axes.

`indicator,period_start,period_end,geo,categories,value,lower95,upper95,status,method,release_id`.
Exact counts have themselves as bounds and no release; what is withheld has no value.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from casevault.disclosure import catalogue
from casevault.disclosure.catalogue import REGION, RegisterTable
from casevault.disclosure.classifications import TOTAL
from casevault.disclosure.columns import AFTER, BEFORE, PUBLISHED, WITHHELD, safe
from casevault.disclosure.report.content import Report
from casevault.disclosure.report.published import Published
from casevault.domain.counting.indicators import Indicators, Trained

HEAD = (*BEFORE, "categories", *AFTER)
EXACT = "exact: things and staff, no survivor"
_Counted = Mapping[tuple[str, ...], int]


def csv_text(report: Report) -> str:
    """Return every number of a report, the register's first."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEAD)
    period = report.indicators.period
    days = (period.start.isoformat(), period.end.isoformat())
    for indicator, *rest in _lines(report):
        writer.writerow([safe(cell) for cell in (indicator, *days, *rest)])
    return out.getvalue()


def _lines(report: Report) -> Iterator[tuple[str, ...]]:
    yield from _of_register(report.indicators)
    for one in report.people:
        yield from _of_people(one)


def _of_register(found: Indicators) -> Iterator[tuple[str, ...]]:
    tables = catalogue.shipped().register
    for one in (found.national, *found.regions, *found.branches):
        yield from _of_staff(tables["pledge-1-trained"], one)
    counted: Mapping[str, _Counted] = {
        "pledge-1-attendances": _keyed(found.attendances),
        "pledge-2-measures": _paired(found.measures["mainstreaming"]),
        "pledge-3-measures": _paired(found.measures["response"]),
        "pledge-4-cooperation": _paired(found.cooperation),
        "awareness-target-group": _keyed(found.awareness),
        "dialogue-stakeholder": _keyed(found.dialogue),
        "advocacy-topic": _keyed(found.advocacy),
        "focal-point": {(): int(found.focal_point)},
    }
    for name, counts in counted.items():
        for codes in sorted(counts):
            yield _exact(tables[name], TOTAL, codes, str(counts[codes]))


def _of_staff(table: RegisterTable, one: Trained) -> Iterator[tuple[str, ...]]:
    share = "" if one.share is None else f"{one.share:.1f}"
    trained = "" if one.people_trained is None else str(one.people_trained)
    (names,) = table.categories()
    for name, value in zip(names, (trained, str(one.staff_total), share), strict=True):
        yield _exact(table, one.name or TOTAL, (name,), value)


def _exact(table: RegisterTable, geo: str, codes: tuple[str, ...], value: str) -> tuple[str, ...]:
    places = zip(table.dimensions, codes, strict=True)
    status = PUBLISHED if value else WITHHELD
    return (table.id, geo, _joined(dict(places)), value, value, value, status, EXACT, "")


def _of_people(one: Published) -> Iterator[tuple[str, ...]]:
    for row in one.rows:
        numbers = ("" if n is None else str(n) for n in (row.value, row.lower, row.upper))
        geo = row.place.get(REGION, TOTAL)
        inside = {name: code for name, code in row.place.items() if name != REGION}
        yield (
            one.table.id,
            geo,
            _joined(inside),
            *numbers,
            row.status,
            one.method,
            one.release_id,
        )


def _joined(places: Mapping[str, str]) -> str:
    return ";".join(f"{name}={code}" for name, code in places.items())


def _keyed(counts: Mapping[str, int]) -> _Counted:
    return {(code,): count for code, count in counts.items()}


def _paired(counts: Mapping[tuple[str, str], int]) -> _Counted:
    return {codes: count for codes, count in counts.items() if count}
