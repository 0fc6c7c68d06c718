"""Columns to fields: what a mapping file may say, and how one record is read by it.

Nothing is mapped silently: a column that the mapping does not name is reported, a code that it
does not know is left as it is, and the dictionary refuses it. Errors name places and codes,
never what stood in a cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from casevault.domain.case.fields import Type
from casevault.domain.importing.targets import Target, finished, parse_target
from casevault.errors import FieldError, Invalid

MAX_COLUMNS = 500
_KNOWN = frozenset({"columns", "constants", "ignore", "empty", "separator", "entries"})
_OPTIONS = frozenset({"to", "codes", "date", "separator", "entries"})
# No %y: two digits of a year are a guess. No names of months: they depend on the language.
_DATE_FORMAT = re.compile(r"(?:%[dmYHMS]|[^%A-Za-z0-9])+")
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_NO_ENTRY = 0


@dataclass(frozen=True, slots=True)
class Column:
    """Where a column goes and how its cells are read."""

    name: str
    targets: tuple[Target, ...]
    codes: Mapping[str, object] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    separator: str = ";"
    entries: str = "|"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a record says of a case, not checked yet. `line` is where it stands in the file."""

    line: int
    source_id: str = field(repr=False)
    identity: Mapping[str, Any] = field(repr=False)
    profile: Mapping[str, Any] = field(repr=False)
    case: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Columns:
    """What a mapping does with the columns of a file; `missing` are those that are not there."""

    mapped: tuple[tuple[str, tuple[str, ...]], ...]
    ignored: tuple[str, ...]
    unmapped: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """All columns of a source."""

    columns: tuple[Column, ...]
    constants: tuple[tuple[Target, object], ...] = ()
    ignore: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()

    def look_at(self, names: Iterable[str], id_column: str) -> Columns:
        """Say what becomes of these columns."""
        present = list(dict.fromkeys(names))
        known = {column.name: column for column in self.columns}
        paths = {name: tuple(t.path for t in column.targets) for name, column in known.items()}
        left = [n for n in present if n not in known and n not in {id_column, *self.ignore}]
        return Columns(
            mapped=tuple((name, paths[name]) for name in present if name in known),
            ignored=tuple(name for name in present if name in self.ignore),
            unmapped=tuple(left),
            missing=tuple(name for name in known if name not in present),
        )

    def read(self, line: int, record: Mapping[str, Any], id_column: str) -> Candidate:
        """Read one record; `Invalid` names every place that cannot be read."""
        faults: list[FieldError] = []
        source_id = _source_id(record.get(id_column), faults)
        documents: dict[str, dict[str, Any]] = {}
        for column in self.columns:
            cell = record.get(column.name)
            if not self._is_empty(cell):
                for target in column.targets:
                    self._place(column, target, cell, documents, faults)
        for target, value in self.constants:
            target.fill(documents, value)
        if faults:
            raise Invalid("This line cannot be read.", errors=tuple(faults[:50]))
        found = {name: finished(document) for name, document in documents.items()}
        return Candidate(
            line,
            source_id,
            found.get("identity", {}),
            found.get("profile", {}),
            found.get("case", {}),
        )

    def _is_empty(self, cell: object) -> bool:
        if isinstance(cell, str):
            return not cell.strip() or cell.strip() in self.empty
        return cell is None or cell == []

    def _place(
        self,
        column: Column,
        target: Target,
        cell: object,
        documents: dict[str, dict[str, Any]],
        faults: list[FieldError],
    ) -> None:
        for entry, part in _parts(column, target, cell):
            if self._is_empty(part):
                continue
            if _has_lost_bytes(part):
                faults.append(FieldError(target.pointer(entry), "import.encoding"))
                continue
            values = _listed(column, part) if target.field.many else [part]
            read = [_value(column, target, v) for v in values if not self._is_empty(v)]
            # An empty text for a code says: this one is to be left out.
            kept = [value for value in read if value != ""]
            if kept:
                target.put(documents, kept if target.field.many else kept[0], entry)


def parse_mapping(raw: object) -> ColumnMapping:
    """Read a mapping as TOML or JSON gave it; `Invalid` says what is wrong with it."""
    if not isinstance(raw, dict) or not set(raw) <= _KNOWN:
        raise _wrong("A mapping has [columns], [constants], ignore, empty, separator and entries.")
    columns = raw.get("columns")
    if not isinstance(columns, dict) or not 1 <= len(columns) <= MAX_COLUMNS:
        raise _wrong("A mapping needs [columns]: source column = field.")
    defaults = {name: raw[name] for name in ("separator", "entries") if name in raw}
    made = tuple(_column(str(name), given, defaults) for name, given in columns.items())
    constants = raw.get("constants", {})
    if not isinstance(constants, dict):
        raise _wrong("[constants] says: field = value.")
    mapping = ColumnMapping(
        made,
        tuple((parse_target(path), value) for path, value in constants.items()),
        frozenset(_texts(raw.get("ignore", []))),
        frozenset(_texts(raw.get("empty", []))),
    )
    _check_shared(mapping)
    return mapping


def _column(name: str, given: object, defaults: dict[str, object]) -> Column:
    own: dict[str, object] = given if isinstance(given, dict) else {"to": given}
    options = {**defaults, **own}
    if not set(options) <= _OPTIONS or "to" not in options:
        raise _wrong("A column says `to`, and may say codes, date, separator, entries.")
    codes = options.get("codes", {})
    if not isinstance(codes, dict) or not all(isinstance(v, str | bool) for v in codes.values()):
        raise _wrong("The codes of a column are: value in the source = code of the dictionary.")
    dates = tuple(_texts(_as_list(options.get("date", []))))
    if not all(_DATE_FORMAT.fullmatch(form) and "%Y" in form for form in dates):
        raise _wrong("A date format is made of %d %m %Y %H %M %S and signs between them.")
    separator, entries = (str(options.get(n, d)) for n, d in (("separator", ";"), ("entries", "|")))
    if not separator or not entries or separator == entries:
        raise _wrong("Separators are not empty, and that of lists is not that of entries.")
    targets = tuple(parse_target(path) for path in _texts(_as_list(options["to"])))
    if not targets:
        raise _wrong("A column goes to at least one field; or name it under `ignore`.")
    return Column(name, targets, _folded(codes), dates, separator, entries)


def _check_shared(mapping: ColumnMapping) -> None:
    seen: set[str] = set()
    for target in (target for column in mapping.columns for target in column.targets):
        if target.path in seen and not target.takes_many:
            raise _wrong("Two columns go to one field that holds one value.")
        seen.add(target.path)


def _source_id(cell: object, faults: list[FieldError]) -> str:
    text = str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else cell
    if not isinstance(text, str) or not text.strip():
        faults.append(FieldError("", "import.id-missing"))
        return ""
    found = unicodedata.normalize("NFC", text.strip())
    if len(found) > 200 or any(unicodedata.category(c)[0] == "C" for c in found):
        faults.append(FieldError("", "import.id"))
    return found


def _parts(column: Column, target: Target, cell: object) -> Iterator[tuple[int, object]]:
    if not target.for_each:
        yield _NO_ENTRY, cell
    elif isinstance(cell, list):
        yield from enumerate(cell)
    else:
        yield from enumerate(cell.split(column.entries) if isinstance(cell, str) else [cell])


def _listed(column: Column, part: object) -> list[object]:
    if isinstance(part, list):
        return part
    return list(part.split(column.separator)) if isinstance(part, str) else [part]


def _value(column: Column, target: Target, value: object) -> object:
    if isinstance(value, str):
        value = value.strip()
    if column.codes and not isinstance(value, dict | list):
        code = column.codes.get(_fold(str(value)))
        if code is not None:
            return code
    return _typed(column, target.field.type, value) if isinstance(value, str) else value


def _typed(column: Column, kind: Type, text: str) -> object:
    if kind in {Type.DATE, Type.MONTH, Type.INTEGER} and column.dates:
        day = _day(text, column.dates)
        if day is not None:
            forms = {Type.DATE: "%Y-%m-%d", Type.MONTH: "%Y-%m"}
            return day.year if kind is Type.INTEGER else f"{day:{forms[kind]}}"
    elif kind is Type.INTEGER and _INTEGER.fullmatch(text):
        return int(text)
    elif kind is Type.YES_NO:
        return _YES_NO.get(text.casefold(), text)
    return text


def _day(text: str, forms: Iterable[str]) -> datetime | None:
    for form in forms:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _has_lost_bytes(value: object) -> bool:
    """Say whether bytes that were not UTF-8 stand in for letters."""
    if isinstance(value, list):
        return any(_has_lost_bytes(each) for each in value)
    return isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value)


def _folded(codes: Mapping[str, object]) -> dict[str, object]:
    return {_fold(str(name)): code for name, code in codes.items()}


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong("Lists in a mapping are lists of texts.")
    return value


def _wrong(detail: str) -> Invalid:
    return Invalid(detail, code="mapping", hint="docs/import.md has an example.")
