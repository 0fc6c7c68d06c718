"""Entries as a CSV table: one line each, several values joined by a semicolon. Pure.

A cell never begins with what a spreadsheet would take for a formula; what was put before it to
prevent that is taken off again when the table is read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from casevault.domain.case.fields import Field, Type
from casevault.errors import FieldError, Invalid

MAX_ROWS = 5_000
_ID = "id"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_GUARD = "'"
Check = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: whose entry it changes (None: a new one), or what is wrong with it."""

    number: int
    id: UUID | None = None
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    faults: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of entries of some fields; `check` gives their normal form or raises `Invalid`."""

    # First part of the codes of its errors, and the command that shows the columns.
    name: str
    command: str
    fields: tuple[Field, ...]
    check: Check

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the head of the table."""
        return (_ID, *(one.name for one in self.fields))

    def written(self, found: Iterable[tuple[UUID, Mapping[str, Any]]]) -> str:
        """Return entries as a table with a head."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        for entry_id, content in found:
            writer.writerow([str(entry_id), *(_cell(each, content) for each in self.fields)])
        return out.getvalue()

    def lines(self, text: str) -> Iterator[Line]:
        """Yield what each line says; a faulty one names its faults and never what stands in it.

        :raises Invalid: the head is not ours, or the table is too long.
        """
        try:
            yield from self._lines(
                csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
            )
        except csv.Error:
            raise Invalid("This is not a CSV table.", code=f"{self.name}.table") from None

    def _lines(self, reader: csv.DictReader[str]) -> Iterator[Line]:
        head = reader.fieldnames or []
        needed = {one.name for one in self.fields if one.required}
        if not set(head) <= set(self.columns) or not set(head) & needed:
            raise Invalid(
                "The first line must name columns of this table.",
                code=f"{self.name}.columns",
                hint=f"`{self.command}`",
            )
        for row in reader:
            if reader.line_num > MAX_ROWS + 1:
                raise Invalid("The table is too long. Split it.", code=f"{self.name}.rows")
            yield self._line(reader.line_num, row)

    def _line(self, number: int, row: Mapping[str | None, Any]) -> Line:
        if None in row or None in row.values():
            return Line(number, faults=(FieldError("/", f"{self.name}.cells"),))
        cells = {str(name): str(value).strip() for name, value in row.items()}
        try:
            known = UUID(cells[_ID]) if cells.get(_ID) else None
            content = self.check(self._content(cells))
        except ValueError:
            return Line(number, faults=(FieldError("/id", "field.id"),))
        except Invalid as error:
            return Line(number, faults=error.errors)
        return Line(number, known, content)

    def _content(self, cells: Mapping[str, str]) -> dict[str, Any]:
        return {
            one.name: _value(one, _plain(cells[one.name]))
            for one in self.fields
            if cells.get(one.name)
        }


def _value(one: Field, text: str) -> Any:  # noqa: ANN401 - as the dictionary checks it
    if one.many:
        return [part.strip() for part in text.split(";") if part.strip()]
    if one.type is Type.YES_NO:
        return {"yes": True, "no": False}.get(text.casefold(), text)
    if one.type is Type.INTEGER and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    return text


def _cell(one: Field, content: Mapping[str, Any]) -> str:
    value = content.get(one.name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ";".join(value) if one.many else str(value)
    return _GUARD + text if text.startswith(_FORMULA) else text


def _plain(text: str) -> str:
    guarded = text.startswith(_GUARD) and text[1:].startswith(_FORMULA)
    return text[1:] if guarded else text
