"""The data dictionary: the single list of fields, and the check that refuses all others.

Data minimisation as a mechanism: a field that is not here cannot be stored, each field says what
it is for, and some are off until a purpose of the programme switches them on. Schemas are made
from this list. Errors name places and codes, never what was typed.

A purpose that is switched off takes nothing away from what was stored while it was on: such a
value stays readable, stays where it is when its document is amended, and goes when the writer says
null. It cannot be written anew or changed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from casevault.domain import vocabulary
from casevault.domain.case import fields as tables
from casevault.domain.case.casefile import Compartment, DocumentKind, compartment_of
from casevault.domain.case.fields import Field, Type
from casevault.errors import FieldError, Invalid, Misconfigured

MAX_ITEMS = 50
_TEXT = 200
MAX_TEXT = 20_000
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
# Control characters, surrogates, private use, line and paragraph separators.
_HOSTILE = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_PATTERNS = {
    Type.PHONE: _PHONE,
    Type.LANGUAGE: _LANGUAGE,
    Type.COUNTRY: _COUNTRY,
    Type.MONTH: _MONTH,
}


DOCUMENTS: Mapping[str, tuple[Field, ...]] = {
    DocumentKind.IDENTITY: tables.IDENTITY,
    DocumentKind.PROFILE: tables.PROFILE,
    DocumentKind.FACTS: tables.FACTS,
    DocumentKind.NOTE: tables.NOTE,
    DocumentKind.SERVICE: tables.SERVICE,
    DocumentKind.TASK: tables.TASK,
    DocumentKind.LINK: tables.LINK,
    DocumentKind.TRANSITION: tables.TRANSITION,
    DocumentKind.REFUSED_STAFF: tables.REFUSED_STAFF,
    DocumentKind.CONSENT: tables.CONSENT,
    DocumentKind.BASIS: tables.BASIS,
    DocumentKind.FILE: tables.FILE,
    DocumentKind.REFERRAL: tables.REFERRAL,
}
FIELDS = tuple(field for fields in DOCUMENTS.values() for field in fields)


def fields_of(document: str) -> tuple[Field, ...]:
    """Return the fields of a document."""
    return DOCUMENTS[document]


def shown(document: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without what only the service itself needs of it."""
    hidden = {field.name for field in fields_of(document) if field.system and not field.fields}
    return {name: value for name, value in content.items() if name not in hidden}


def texts_of(document: str) -> frozenset[str]:
    """Return the names of a document's own fields of free text."""
    free = {Type.TEXT, Type.LONG}
    return frozenset(f.name for f in fields_of(document) if f.type in free and not f.many)


def walk(document: str) -> Iterator[tuple[str, Field]]:
    """Yield every field of a document with its dotted name (``safe_contact.code_word``)."""
    yield from walk_fields(fields_of(document))


def walk_fields(fields: tuple[Field, ...]) -> Iterator[tuple[str, Field]]:
    """Yield these fields and those inside them, each with its dotted name."""
    yield from _walk("", fields)


def filled(document: str, content: Mapping[str, Any]) -> set[str]:
    """Return the dotted names of the fields that hold something; a plain no is something."""
    return _filled("", fields_of(document), content)


def compartment_for(document: str) -> Compartment:
    """Return the compartment in which a document's fields are sealed."""
    return compartment_of(DocumentKind(document))


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The dictionary as one programme uses it: with some of its purposes on."""

    purposes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, purposes: Iterable[str]) -> Self:
        """Return the dictionary with these purposes on; one that there is not is refused."""
        wanted = frozenset(purposes)
        if not wanted <= known_purposes():
            raise Misconfigured(
                "purposes names one that no field has. There are: "
                + ", ".join(sorted(known_purposes()))
                + ".",
                code="config.purposes",
            )
        return cls(wanted)

    def asks(self, field: Field) -> bool:
        """Say whether this programme asks for a field: its purpose is on, or needs no switch."""
        return field.switch in {"", *self.purposes}

    def validate(self, document: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content in normal form (NFC); every fault at once as one `Invalid`."""
        fields = fields_of(document)
        off = {field.name for field in fields if not self.asks(field)}
        faults = [FieldError(f"/{name}", "field.off") for name in content if name in off]
        asked = {name: value for name, value in content.items() if name not in off}
        return checked(tuple(f for f in fields if self.asks(f)), asked, faults)

    def amended(
        self, document: str, stored: Mapping[str, Any], content: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what stands in a document after `content` replaced what was `stored`.

        What the service writes itself stays. A field whose purpose is off stays too, unless the
        content says null for it. Either may be given back as it was shown: that is no fault.
        """
        stays: dict[str, Any] = {}
        asked = dict(content)
        for field in fields_of(document):
            name, off = field.name, not self.asks(field)
            same = name in asked and name in stored and asked[name] == stored[name]
            if name in asked and off and (asked[name] is None or same):
                value = asked.pop(name)
                stays |= {} if value is None else {name: value}
            elif same and field.system and field.fields:
                stays[name] = asked.pop(name)
            elif name in stored and (off or field.system):
                stays[name] = stored[name]
        return {**stays, **self.validate(document, asked)}


def checked(
    fields: tuple[Field, ...], content: Mapping[str, Any], found: Iterable[FieldError] = ()
) -> dict[str, Any]:
    """Return a content of these fields in normal form (NFC); every fault at once as one `Invalid`.

    `found` are faults that are known already.
    """
    faults = list(found)
    normal = _check_group("", fields, content, faults)
    if faults:
        raise Invalid("Some fields cannot be taken as they are.", errors=tuple(faults[:50]))
    return normal


def normal(text: str) -> str:
    """Return words as they are kept: NFC, nothing around them."""
    # Forms filled in on Windows bring \r\n; one kind of line end is enough.
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()


def known_purposes() -> frozenset[str]:
    """Return the purposes that a programme can switch on."""
    return frozenset(field.switch for field in FIELDS if field.switch)


def json_schema(document: str) -> dict[str, Any]:
    """Return the JSON Schema of a document, as the interface shows it."""
    return _group_schema(fields_of(document))


def scalar_schema(field: Field) -> dict[str, Any]:
    """Return the JSON Schema of one value of a field that is no group."""
    if field.type is Type.YES_NO:
        return {"type": "boolean"}
    if field.type is Type.INTEGER:
        return {"type": "integer", "minimum": field.low, "maximum": field.high}
    if field.type is Type.CODE:
        return {"type": "string", "enum": list(vocabulary.code_list(field.codes))}
    if field.type in _PATTERNS:
        return {"type": "string", "pattern": f"^{_PATTERNS[field.type].pattern}$"}
    if field.type is Type.DATE:
        return {"type": "string", "format": "date"}
    return {"type": "string", "maxLength": MAX_TEXT if field.type is Type.LONG else _TEXT}


def _walk(prefix: str, fields: tuple[Field, ...]) -> Iterator[tuple[str, Field]]:
    for field in fields:
        name = prefix + field.name
        yield name, field
        yield from _walk(name + ".", field.fields)


def _filled(at: str, fields: tuple[Field, ...], content: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for field in fields:
        name, value = at + field.name, content.get(field.name)
        values = [one for one in ((value or []) if field.many else [value]) if one is not None]
        if field.type is Type.GROUP:
            inside = set().union(*(_filled(name + ".", field.fields, one) for one in values))
            found |= inside | ({name} if inside else set())
        elif values:
            found.add(name)
    return found


def _check_group(
    at: str,
    fields: tuple[Field, ...],
    content: Mapping[str, Any],
    faults: list[FieldError],
) -> dict[str, Any]:
    known = {field.name: field for field in fields if not field.system}
    own = {field.name for field in fields if field.system}
    faults += [FieldError(f"{at}/{name}", "field.read-only") for name in content if name in own]
    # The name of an unknown field is something that somebody typed: it is not repeated.
    faults += [
        FieldError(f"{at}/*", "field.unknown")
        for name in content
        if name not in known and name not in own
    ]
    checked: dict[str, Any] = {}
    for name, field in known.items():
        pointer = f"{at}/{name}"
        if name in content and content[name] is not None:
            checked[name] = _check_field(pointer, field, content[name], faults)
        elif field.required:
            faults.append(FieldError(pointer, "field.required"))
    return checked


def _check_field(at: str, field: Field, value: object, faults: list[FieldError]) -> object:
    if not field.many:
        return _check_one(at, field, value, faults)
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        faults.append(FieldError(at, "field.list"))
        return None
    return [_check_one(f"{at}/{place}", field, item, faults) for place, item in enumerate(value)]


def _check_one(at: str, field: Field, value: object, faults: list[FieldError]) -> object:
    if field.type is Type.GROUP:
        if isinstance(value, Mapping):
            return _check_group(at, field.fields, value, faults)
        faults.append(FieldError(at, "field.group"))
        return None
    if isinstance(value, str):
        value = normal(value)
    fault = _fault(field, value)
    if fault is not None:
        faults.append(FieldError(at, "field." + fault))
        return None
    return value


def _fault(field: Field, value: object) -> str | None:
    if field.type is Type.YES_NO:
        return None if isinstance(value, bool) else "yes-no"
    if field.type is Type.INTEGER:
        if not isinstance(value, int) or isinstance(value, bool):
            return "integer"
        return None if field.low <= value <= field.high else "range"
    if not isinstance(value, str) or not value:
        return "text"
    return _text_fault(field, value)


def _text_fault(field: Field, text: str) -> str | None:
    pattern = _PATTERNS.get(field.type)
    if pattern is not None:
        return None if pattern.fullmatch(text) else field.type.value
    if field.type is Type.CODE:
        return None if text in vocabulary.code_list(field.codes) else "code"
    if field.type is Type.DATE:
        return None if _is_date(text) else "date"
    return words_fault(text, long=field.type is Type.LONG)


def words_fault(text: str, *, long: bool) -> str | None:
    """Say what is wrong with words that somebody typed, or None: too long, hidden, or no words."""
    if len(text) > (MAX_TEXT if long else _TEXT):
        return "too-long"
    if text.isprintable() and any(map(str.isalnum, text)):
        # As nearly everything is; nothing that hides or breaks text is printable.
        return None
    allowed = "\n\t" if long else ""
    if any(_is_hostile(c) and c not in allowed for c in text):
        return "control-character"
    return None if any(unicodedata.category(c)[0] in "LNPS" for c in text) else "text"


def _is_hostile(character: str) -> bool:
    """Say whether a character could hide, reverse or break text rather than be read."""
    # Joiners are letters' companions in Arabic, Persian and Indic scripts: they stay.
    return unicodedata.category(character) in _HOSTILE or character in _REORDERING


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _group_schema(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in fields if field.required],
        "properties": {field.name: _schema(field) for field in fields if not field.system},
    }


def _schema(field: Field) -> dict[str, Any]:
    group = field.type is Type.GROUP
    one = _group_schema(field.fields) if group else scalar_schema(field)
    one["description"] = field.purpose
    if not field.many:
        return one
    return {"type": "array", "maxItems": MAX_ITEMS, "items": one, "description": field.purpose}
