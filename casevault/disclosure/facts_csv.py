"""Reads the records of a simulation (docs/formats/facts-csv.md) and checks every cell of them.

Faults are places and codes, never what stood in a cell. Streams: a line is forgotten once it is
columns of numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TextIO

import numpy as np

from casevault.disclosure.catalogue import counted_fields
from casevault.disclosure.classifications import TOTAL, UNKNOWN, coded_fields, codes_of, fact
from casevault.disclosure.records import Intake, Records, day_number
from casevault.domain import vocabulary
from casevault.domain.case.fields import Field
from casevault.errors import FieldError, Invalid

REQUIRED = ("case_row", "pid", "accepted", "region", "branch", "statistics_consent")
EVENT_COLUMNS = ("case_row", "service", "date", "outcome")
HISTORIC = "historic"
# The names of the standard are taken too, because exports of other systems carry them.
ALIASES = {
    "Gender": "gender",
    "Citizenship": "citizenships",
    "TraffickingStatus": "trafficking_status",
    "TypeOfExploitation": "exploitation",
    "ForcedLabourIndustry": "industry",
    "MethodsOfControl": "controlled_by",
}
_MOST_FAULTS, _LONGEST = 20, 200
_FLAGS = {"0": False, "1": True}
Watcher = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file held: records, its regions in order, columns that were not taken.

    Regions that nobody `declared` are the file's own: which of them may be named is a choice.
    """

    records: Records
    regions: tuple[str, ...]
    ignored: tuple[str, ...]
    declared: bool


class _Faults:
    """Collects faults by line; gives up when there are too many to be helpful."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[FieldError] = []

    def add(self, line: int, column: str, code: str) -> None:
        self._found.append(FieldError(f"/{self._file}/{line}/{column}", code))
        if len(self._found) >= _MOST_FAULTS:
            self.check()

    def check(self) -> None:
        if self._found:
            places = ", ".join(f"{f.pointer} {f.code}" for f in self._found[:5])
            raise Invalid(
                f"Some cells cannot be taken as they are (file, line, column): {places}.",
                code="facts.cells",
                hint="docs/formats/facts-csv.md; casevault release simulate --list names codes.",
                errors=tuple(self._found),
            )


class _Cells:
    """Turns cells into numbers, and remembers each distinct one."""

    def __init__(self, field: Field, intake: Intake) -> None:
        self.name = field.name
        self.counted = field.name in intake.fields
        self._codes = frozenset(codes_of(field))
        self._many = field.many
        self._intake = intake
        self._known: dict[str, int] = {"": 0}

    def number(self, cell: str) -> int | str:
        """Return the number of a cell, or the code of what is wrong with it."""
        found = self._known.get(cell)
        return self._first(cell) if found is None else found

    def _first(self, cell: str) -> int | str:
        codes = tuple(sorted({part.strip() for part in cell.split(";")} - {""}))
        if not self._codes.issuperset(codes):
            return "code.unknown"
        if len(codes) > 1 and not self._many:
            return "value.one"
        self._known[cell] = self._intake.value(self.name, codes) if self.counted else 0
        return self._known[cell]


def read(
    facts: TextIO,
    services: TextIO | None,
    referrals: TextIO | None,
    *,
    regions: tuple[str, ...] | None,
    key: bytes,
    watch: Watcher = lambda _lines: None,
) -> Facts:
    """Read all files; `regions` are the declared ones, or None to take those of the file."""
    fields = coded_fields()
    intake = Intake(counted_fields(), key)
    found, ignored = _read_cases(facts, intake, fields, regions, watch)
    if services is not None:
        _read_events(services, intake, "services", "service_outcome", watch)
    if referrals is not None:
        _read_events(referrals, intake, "referrals", "referral_outcome", watch)
    records = intake.close()
    _check_keys(records)
    return Facts(*_in_order(records, found, regions), ignored, regions is not None)


def _read_cases(
    file: TextIO,
    intake: Intake,
    fields: Sequence[Field],
    regions: tuple[str, ...] | None,
    watch: Watcher,
) -> tuple[dict[str, int], tuple[str, ...]]:
    lines = _lines(file, "facts")
    header = [ALIASES.get(name, name) for name in next(lines)]
    place = _places(header, REQUIRED, "facts")
    at_case, at_pid, at_day, at_region, _branch, at_consent = (place[name] for name in REQUIRED)
    at_historic = place.get(HISTORIC)
    # Those that are counted first, in the order of the intake; the others are only checked.
    cells = [_Cells(fact(name), intake) for name in intake.fields]
    cells += [_Cells(field, intake) for field in fields if field.name not in intake.fields]
    asked = [(cell, place.get(cell.name)) for cell in cells]
    known = {name: i for i, name in enumerate(regions or ())}
    faults, days = _Faults("facts"), dict[str, int]()
    for number, row in enumerate(lines, start=2):
        if len(row) != len(header):
            faults.add(number, "", "line.columns")
            continue
        day = days.get(row[at_day]) or _new_day(row[at_day], days)
        region = known.get(row[at_region])
        if region is None:
            region = _new_region(row[at_region], known, open_list=regions is None)
        consent = _FLAGS.get(row[at_consent])
        historic = False if at_historic is None else _FLAGS.get(row[at_historic] or "0")
        values = [0 if at is None else cell.number(row[at]) for cell, at in asked]
        wrong = [
            *((c.name, v) for (c, _at), v in zip(asked, values, strict=True) if type(v) is str),
            *_missing(row, {"case_row": at_case, "pid": at_pid}),
        ]
        wrong += [("accepted", "date")] if day is None else []
        wrong += [("region", "code.unknown")] if region is None else []
        wrong += [("statistics_consent", "flag")] if consent is None else []
        wrong += [("historic", "flag")] if historic is None else []
        for column, code in wrong:
            faults.add(number, column, code)
        if not wrong and day is not None and region is not None:
            flags = (bool(consent), bool(historic))
            case, person = intake.number(row[at_case]), intake.number(row[at_pid])
            intake.add(case, person, day, region, flags, values[: len(intake.fields)])
        if not number & 0x3FFF:
            watch(number)
    faults.check()
    taken = {*REQUIRED, HISTORIC, *(field.name for field in fields)}
    return known, tuple(name for name in header if name not in taken)


def _read_events(file: TextIO, intake: Intake, name: str, outcomes: str, watch: Watcher) -> None:
    lines = _lines(file, name)
    header = next(lines)
    place = _places(header, EVENT_COLUMNS, name)
    at_case, at_service, at_day, at_outcome = (place[column] for column in EVENT_COLUMNS)
    services = {code: i for i, code in enumerate(vocabulary.code_list("service_type"))}
    results = {code: i for i, code in enumerate(vocabulary.code_list(outcomes))}
    faults, days = _Faults(name), dict[str, int]()
    into = intake.services if name == "services" else intake.referrals
    for number, row in enumerate(lines, start=2):
        if len(row) != len(header):
            faults.add(number, "", "line.columns")
            continue
        day = days.get(row[at_day]) or _new_day(row[at_day], days)
        service, outcome = services.get(row[at_service]), results.get(row[at_outcome])
        if day is None or service is None or outcome is None:
            checked = (("date", day), ("service", service), ("outcome", outcome))
            for column, value in checked:
                if value is None:
                    faults.add(number, column, "date" if column == "date" else "code.unknown")
            continue
        into.add(intake.number(row[at_case]), service, day, outcome)
        if not number & 0x3FFF:
            watch(number)
    faults.check()


def _lines(file: TextIO, name: str) -> Iterator[list[str]]:
    """Yield the lines of a table; what is no table or no text is one clear error."""
    reader = csv.reader(file, strict=True)
    try:
        first = next(reader, None)
        if first is None:
            raise Invalid(f"The file of {name} is empty.", code="facts.empty")
        yield first
        for row in reader:
            if row:
                yield row
    except UnicodeDecodeError:
        raise Invalid(f"The file of {name} is not UTF-8.", code="facts.encoding") from None
    except csv.Error:
        raise Invalid(
            f"The file of {name} is no CSV from line {reader.line_num} on.", code="facts.csv"
        ) from None


def _places(header: Sequence[str], required: Iterable[str], name: str) -> Mapping[str, int]:
    place = {column: i for i, column in enumerate(header)}
    lacking = [column for column in required if column not in place]
    if lacking or len(place) != len(header):
        what = f"lacks {', '.join(lacking)}" if lacking else "names a column twice"
        raise Invalid(
            f"The header of {name} {what}.",
            code="facts.header",
            hint="docs/formats/facts-csv.md shows the columns.",
        )
    return place


def _missing(row: Sequence[str], places: Mapping[str, int]) -> list[tuple[str, str]]:
    return [
        (name, "missing" if not row[at] else "too-long")
        for name, at in places.items()
        if not 0 < len(row[at]) <= _LONGEST
    ]


def _new_day(cell: str, days: dict[str, int]) -> int | None:
    try:
        found = day_number(date.fromisoformat(cell)) if len(cell) == 10 else None
    except ValueError:
        return None
    if found is not None:
        days[cell] = found
    return found


def _new_region(cell: str, known: dict[str, int], *, open_list: bool) -> int | None:
    """Return the number of a region that was not seen yet; -1 for none, None for a wrong one."""
    if cell in {"", UNKNOWN}:
        return -1
    good = cell.isprintable() and len(cell) <= _LONGEST and cell != TOTAL
    if not open_list or not good:
        return None
    return known.setdefault(cell, len(known))


def _check_keys(records: Records) -> None:
    if len(np.unique(records.case)) != len(records.case):
        raise Invalid("A case_row stands in the facts twice.", code="facts.case-row")
    for name, events in (("services", records.services), ("referrals", records.referrals)):
        if not np.isin(events.case, records.case).all():
            raise Invalid(
                f"A line of {name} has a case_row that the facts do not have.",
                code="facts.case-row",
            )


def _in_order(
    records: Records, found: Mapping[str, int], declared: tuple[str, ...] | None
) -> tuple[Records, tuple[str, ...]]:
    """Return records whose regions are numbered in order; the last number is `unknown`."""
    names = tuple(sorted(found)) if declared is None else declared
    numbers = {name: i for i, name in enumerate(names)}
    # The last place is reached by -1, the region of records that name none.
    moved = np.array([*(numbers[name] for name in found), len(names)], dtype=np.int64)
    return replace(records, region=moved[records.region]), names
