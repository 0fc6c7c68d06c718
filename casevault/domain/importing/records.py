"""Records of a file, one after another: CSV with a header, or JSON lines.

Reads as much of a file as one record needs, so that memory does not grow with it. A record that
cannot be read is given as a fault with its line, and the next one follows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from casevault.domain.texts import strict_json
from casevault.errors import FieldError, Invalid

MAX_LINE = 1 << 20
DELIMITERS = (",", ";", "\t")
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Record:
    """One record and the line on which it begins, or why it cannot be read."""

    line: int
    cells: Mapping[str, Any] = field(default_factory=dict, repr=False)
    faults: tuple[FieldError, ...] = ()


class _Lines:
    """Lines of a file as text; a line that is too long is cut, and said to be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0
        self.was_cut = False

    def __iter__(self) -> Iterator[str]:
        while raw := self._file.readline(MAX_LINE):
            self.number += 1
            if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                self.was_cut = True
                self._skip()
                raw += b"\n"
            if self.number == 1:
                if raw.startswith(_UTF_16):
                    raise Invalid(
                        "The file is UTF-16. Save it as 'CSV UTF-8' and try again.",
                        code="import.encoding",
                    )
                raw = raw.removeprefix(_BOM)
            # Bytes that are not UTF-8 become lone surrogates, which the mapping refuses by line.
            yield raw.decode("utf-8", "surrogateescape")

    def _skip(self) -> None:
        while raw := self._file.readline(MAX_LINE):
            if raw.endswith(b"\n"):
                return

    def cut(self) -> bool:
        """Say, once, whether a line was cut since the last question."""
        found, self.was_cut = self.was_cut, False
        return found


class CsvRecords:
    """A table with a header line. `columns` are its names."""

    def __init__(self, file: BinaryIO, delimiter: str | None = None) -> None:
        self._lines = _Lines(file)
        self._rest = iter(self._lines)
        first = next(self._rest, "")
        if self._lines.cut():
            raise _no_header()
        self.delimiter = delimiter or _delimiter(first)
        self._reader = csv.reader(_first_then(first, self._rest), **self._dialect())
        self.columns = self._header()

    def __iter__(self) -> Iterator[Record]:
        while True:
            line = self._lines.number + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                self._lines.cut()
                yield _refused(line, "csv.syntax")
                continue
            if self._lines.cut():
                yield _refused(line, "import.line-too-long")
            elif any(cell.strip() for cell in cells):
                yield self._record(line, cells)

    def _record(self, line: int, cells: list[str]) -> Record:
        if len(cells) != len(self.columns):
            # One cell too few or too many: every cell after it would go to a wrong field.
            return _refused(line, "csv.cells")
        return Record(line, dict(zip(self.columns, cells, strict=True)))

    def _header(self) -> tuple[str, ...]:
        try:
            names = tuple(name.strip() for name in next(self._reader, []))
        except csv.Error:
            raise _no_header() from None
        if not names or len(set(names)) != len(names) or not all(names):
            raise _no_header()
        return names

    def _dialect(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "strict": True}


class JsonRecords:
    """One JSON object a line. `columns` are the names in the first."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _Lines(file)
        self._records = self._read()
        self._first = next(self._records, None)
        self.columns = () if self._first is None else tuple(self._first.cells)

    def __iter__(self) -> Iterator[Record]:
        if self._first is not None:
            yield self._first
        yield from self._records

    def _read(self) -> Iterator[Record]:
        for text in self._lines:
            line = self._lines.number
            if self._lines.cut():
                yield _refused(line, "import.line-too-long")
            elif text.strip():
                yield _object(line, text)


def _object(line: int, text: str) -> Record:
    try:
        found = strict_json.parse(text.encode("utf-8", "surrogateescape"))
    except Invalid as error:
        return Record(line, faults=error.errors)
    if not isinstance(found, dict):
        return _refused(line, "json.object")
    return Record(line, found)


def _delimiter(header: str) -> str:
    # Only the header is looked at: what people wrote below it would mislead the guess.
    try:
        return csv.Sniffer().sniff(header, delimiters="".join(DELIMITERS)).delimiter
    except csv.Error:
        return DELIMITERS[0]


def _first_then(first: str, rest: Iterable[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _refused(line: int, code: str) -> Record:
    return Record(line, faults=(FieldError("", code),))


def _no_header() -> Invalid:
    return Invalid(
        "The first line must name the columns, each once.",
        code="import.header",
        hint="If the columns are not separated by comma, semicolon or tab, give --delimiter.",
    )
