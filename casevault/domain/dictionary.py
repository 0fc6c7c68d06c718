"""The data dictionary: the single list of fields, and the check that refuses all others.

Data minimisation as a mechanism: a field that is not here cannot be stored, each field says what
it is for, and some are off until a purpose of the programme switches them on. Schemas are made
from this list. Errors name places and codes, never what was typed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from casevault.domain import vocabulary
from casevault.domain.casefile import Compartment, DocumentKind, compartment_of
from casevault.errors import FieldError, Invalid

MAX_ITEMS = 50
_TEXT = 200
_LONG = 20_000
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
# Control characters, surrogates, private use, line and paragraph separators.
_HOSTILE = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class Type(StrEnum):
    """What a field holds."""

    TEXT = "text"
    LONG = "long"
    CODE = "code"
    DATE = "date"
    MONTH = "month"
    INTEGER = "integer"
    YES_NO = "yes-no"
    PHONE = "phone"
    LANGUAGE = "language"
    COUNTRY = "country"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `many` makes it a list; a group has fields of its own.

    `purpose` says why it may be asked; `switch` names the programme purpose without which it is
    off; `low` and `high` bound integers; `htcds` is the standard's name for it.
    """

    name: str
    type: Type = Type.TEXT
    purpose: str = ""
    many: bool = False
    required: bool = False
    codes: str = ""
    fields: tuple[Field, ...] = ()
    switch: str = ""
    low: int = 0
    high: int = 0
    htcds: str = ""
    # Written by the service itself and never taken from an input.
    system: bool = False


_T = Type
_NAME_PARTS = (
    Field("given", purpose="To address and to find the person"),
    Field("family", purpose="To find the person"),
    Field("other", purpose="Names that are neither, as custom has it"),
)
_SAFE_CONTACT = (
    Field("who", purpose="Who may contact the person"),
    Field("how", _T.CODE, "Which way does not put them at risk", codes="contact_method"),
    Field("when", _T.CODE, "When it is safe", many=True, codes="contact_time"),
    Field("code_word", purpose="To recognise each other"),
    Field("never_say", _T.LONG, "What must not be said, to whom"),
)
_PAPERS = (
    Field("kind", purpose="Which paper", required=True),
    Field("number", purpose="To have it replaced"),
    Field("issued_by", _T.COUNTRY, "To have it replaced"),
    Field("expires", _T.DATE, "To renew it in time"),
    Field("withheld", _T.YES_NO, "A sign of control, and a task"),
)

IDENTITY = (
    Field("name_to_use", purpose="How the person wants to be called", required=True),
    Field("pronoun", purpose="How the person wants to be spoken of"),
    Field("names", _T.GROUP, "To find the person again", many=True, fields=_NAME_PARTS),
    Field("aliases", purpose="Names under which others know them", many=True),
    Field("spellings", purpose="Names in other scripts and spellings", many=True),
    Field("age", _T.INTEGER, "Safeguards for minors", low=0, high=120, htcds="Age"),
    Field("birth_year", _T.INTEGER, "Safeguards, when the age is not known", low=1900, high=2100),
    Field("age_band", _T.CODE, "Safeguards, when only a band is known", codes="age_band"),
    Field("gender", _T.CODE, "Fitting services", codes="gender", htcds="Gender"),
    Field("citizenships", _T.COUNTRY, "Consular and legal help", many=True, htcds="Citizenship"),
    Field("languages", _T.LANGUAGE, "To be understood", many=True, htcds="PrimaryLanguage"),
    Field("interpreter_needed", _T.YES_NO, "To be understood"),
    Field("safe_contact", _T.GROUP, "To reach them without harm", fields=_SAFE_CONTACT),
    Field("phones", _T.PHONE, "To reach them", many=True, htcds="Phone"),
    Field("address", _T.LONG, "Where they can be found, if that is safe to write"),
    Field("papers", _T.GROUP, "Residence and protection", many=True, fields=_PAPERS),
)

_EVENTS = (
    Field("type", _T.CODE, "Course of events", required=True, codes="event_type", htcds="Type"),
    Field("country", _T.COUNTRY, "Where it happened"),
    Field("started", _T.MONTH, "When it began"),
    Field("ended", _T.MONTH, "When it ended"),
    Field("exploitation", _T.CODE, "Claims and needs", many=True, codes="type_of_exploitation"),
    Field("sexual", _T.CODE, "Claims and needs", many=True, codes="type_of_sex_exploitation"),
    Field("industry", _T.CODE, "Claims", many=True, codes="labour_industry"),
    Field("recruited_by", _T.CODE, "Prevention", codes="method_of_recruitment"),
    Field("controlled_by", _T.CODE, "Risk and claims", many=True, codes="methods_of_control"),
    Field("account", _T.LONG, "What the person wants to have written down"),
)
_PERPETRATORS = (
    Field("described_as", purpose="To keep the person safe from them", required=True),
    Field("role", _T.CODE, "Risk and claims", many=True, codes="perpetrator_role"),
    Field("relationship", _T.CODE, "Risk", codes="relationship_to_trafficker"),
    Field("present_danger", _T.YES_NO, "Risk"),
)
_GOALS = (
    Field("goal", purpose="What the person wants to reach", required=True),
    Field("support", _T.CODE, "Which help", codes="support_type", htcds="Type"),
    Field("due", _T.DATE, "Follow-up"),
    Field("state", _T.CODE, "Follow-up", codes="goal_state"),
)
_WASHINGTON = tuple(
    Field(name, _T.CODE, "Barriers to services", codes="washington_group_answer")
    for name in ("seeing", "hearing", "walking", "remembering", "self_care", "communicating")
)

PROFILE = (
    Field("presenting_situation", _T.LONG, "What the person came with"),
    Field("trafficking_status", _T.CODE, "Which rights apply", codes="trafficking_status"),
    Field("risk_level", _T.CODE, "How urgent it is", codes="risk_level"),
    Field("risk_reasons", _T.LONG, "What the danger is"),
    Field("needs", _T.CODE, "Which services to look for", many=True, codes="service_type"),
    Field("history", _T.GROUP, "Claims, needs, prevention", many=True, fields=_EVENTS),
    Field("perpetrators", _T.GROUP, "Safety", many=True, fields=_PERPETRATORS),
    Field("disability", _T.GROUP, "Barriers", fields=_WASHINGTON, switch="disability"),
    Field("plan", _T.GROUP, "What was agreed with the person", many=True, fields=_GOALS),
    Field("unlisted", _T.YES_NO, "No search card: at high risk, through the supervisor only"),
)

_CODED_SERVICES = (
    Field("type", _T.CODE, "Counts of services", required=True, codes="service_type"),
    Field("outcome", _T.CODE, "Counts of gaps", required=True, codes="service_outcome"),
    Field("month", _T.MONTH, "Counts of a period", required=True),
)

FACTS = (
    Field("case", purpose="Ties the row to its case, inside the sealed part", system=True),
    Field("pid", purpose="Counts people once", system=True),
    Field("accepted_on", _T.MONTH, "Counts of a period"),
    Field("gender", _T.CODE, "Counts by gender", codes="gender", htcds="Gender"),
    Field("age_band", _T.CODE, "Counts by age", codes="age_band"),
    Field("citizenships", _T.COUNTRY, "Counts by origin", many=True, htcds="Citizenship"),
    Field("trafficking_status", _T.CODE, "Counts of survivors", codes="trafficking_status"),
    Field("exploitation", _T.CODE, "Counts by form", many=True, codes="type_of_exploitation"),
    Field("industry", _T.CODE, "Counts by sector", many=True, codes="labour_industry"),
    Field("countries", _T.COUNTRY, "Counts by place", many=True),
    Field("context", _T.CODE, "Counts by context of crisis", many=True, codes="context"),
    Field("legal_status", _T.CODE, "Counts of protection", codes="legal_status_outcome"),
    Field(
        "services",
        _T.GROUP,
        "Counts of services, taken from the services themselves",
        many=True,
        fields=_CODED_SERVICES,
        system=True,
    ),
)

NOTE = (
    Field("kind", _T.CODE, "Which contact it was", required=True, codes="note_kind"),
    Field("date", _T.DATE, "Course of the case", required=True),
    Field("text", _T.LONG, "What matters for the help", required=True),
)
SERVICE = (
    Field("type", _T.CODE, "Which help", required=True, codes="service_type"),
    Field("outcome", _T.CODE, "Whether it reached them", required=True, codes="service_outcome"),
    Field("date", _T.DATE, "Course of the help", required=True),
    Field("provider", purpose="Who gave it"),
    Field("text", _T.LONG, "What is to be known about it"),
)
TASK = (
    Field("kind", _T.CODE, "What is due", required=True, codes="task_kind"),
    Field("due", _T.DATE, "Not to miss it", required=True),
    Field("text", _T.LONG, "What is to be done"),
    Field("done", _T.DATE, "When it was done"),
)
LINK = (
    Field("kind", _T.CODE, "How the cases belong together", required=True, codes="link_kind"),
    Field("reason", _T.LONG, "Why somebody decided so"),
)
TRANSITION = (
    Field("to", _T.CODE, "The new status", required=True, codes="case_status", htcds="Status"),
    Field("reason", _T.LONG, "Why it changed"),
)
REFUSED_STAFF = (Field("reason", _T.LONG, "Why the person does not want them"),)

_DOCUMENTS: Mapping[DocumentKind, tuple[Field, ...]] = {
    DocumentKind.IDENTITY: IDENTITY,
    DocumentKind.PROFILE: PROFILE,
    DocumentKind.FACTS: FACTS,
    DocumentKind.NOTE: NOTE,
    DocumentKind.SERVICE: SERVICE,
    DocumentKind.TASK: TASK,
    DocumentKind.LINK: LINK,
    DocumentKind.TRANSITION: TRANSITION,
    DocumentKind.REFUSED_STAFF: REFUSED_STAFF,
}
FIELDS = tuple(field for fields in _DOCUMENTS.values() for field in fields)


def fields_of(document: DocumentKind) -> tuple[Field, ...]:
    """Return the fields of a document."""
    return _DOCUMENTS[document]


def texts_of(document: DocumentKind) -> frozenset[str]:
    """Return the names of a document's own fields of free text."""
    free = {Type.TEXT, Type.LONG}
    return frozenset(f.name for f in fields_of(document) if f.type in free and not f.many)


def walk(document: DocumentKind) -> Iterator[tuple[str, Field]]:
    """Yield every field of a document with its dotted name (``safe_contact.code_word``)."""
    yield from _walk("", fields_of(document))


def compartment_for(document: DocumentKind) -> Compartment:
    """Return the compartment in which a document's fields are sealed."""
    return compartment_of(document)


def validate(
    document: DocumentKind,
    content: Mapping[str, Any],
    switched_on: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the content in normal form (NFC); every fault at once as one `Invalid`."""
    faults: list[FieldError] = []
    checked = _check_group("", fields_of(document), content, switched_on, faults)
    if faults:
        raise Invalid("Some fields cannot be taken as they are.", errors=tuple(faults[:50]))
    return checked


def json_schema(document: DocumentKind) -> dict[str, Any]:
    """Return the JSON Schema of a document, as the interface shows it."""
    return _group_schema(fields_of(document))


def _walk(prefix: str, fields: tuple[Field, ...]) -> Iterator[tuple[str, Field]]:
    for field in fields:
        name = prefix + field.name
        yield name, field
        yield from _walk(name + ".", field.fields)


def _check_group(
    at: str,
    fields: tuple[Field, ...],
    content: Mapping[str, Any],
    switched_on: frozenset[str],
    faults: list[FieldError],
) -> dict[str, Any]:
    known = {f.name: f for f in fields if not f.system and f.switch in {"", *switched_on}}
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
            checked[name] = _check_field(pointer, field, content[name], switched_on, faults)
        elif field.required:
            faults.append(FieldError(pointer, "field.required"))
    return checked


def _check_field(
    at: str, field: Field, value: object, switched_on: frozenset[str], faults: list[FieldError]
) -> object:
    if not field.many:
        return _check_one(at, field, value, switched_on, faults)
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        faults.append(FieldError(at, "field.list"))
        return None
    return [
        _check_one(f"{at}/{place}", field, item, switched_on, faults)
        for place, item in enumerate(value)
    ]


def _check_one(
    at: str, field: Field, value: object, switched_on: frozenset[str], faults: list[FieldError]
) -> object:
    if field.type is Type.GROUP:
        if isinstance(value, Mapping):
            return _check_group(at, field.fields, value, switched_on, faults)
        faults.append(FieldError(at, "field.group"))
        return None
    if isinstance(value, str):
        # Forms filled in on Windows bring \r\n; one kind of line end is enough.
        value = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
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
    patterns = {
        Type.PHONE: _PHONE,
        Type.LANGUAGE: _LANGUAGE,
        Type.COUNTRY: _COUNTRY,
        Type.MONTH: _MONTH,
    }
    if field.type in patterns:
        return None if patterns[field.type].fullmatch(text) else field.type.value
    if field.type is Type.CODE:
        return None if text in vocabulary.code_list(field.codes) else "code"
    if field.type is Type.DATE:
        return None if _is_date(text) else "date"
    if len(text) > (_LONG if field.type is Type.LONG else _TEXT):
        return "too-long"
    allowed = "\n\t" if field.type is Type.LONG else ""
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
    one = _one_schema(field) | {"description": field.purpose}
    if not field.many:
        return one
    return {"type": "array", "maxItems": MAX_ITEMS, "items": one, "description": field.purpose}


def _one_schema(field: Field) -> dict[str, Any]:
    if field.type is Type.GROUP:
        return _group_schema(field.fields)
    if field.type is Type.YES_NO:
        return {"type": "boolean"}
    if field.type is Type.INTEGER:
        return {"type": "integer", "minimum": field.low, "maximum": field.high}
    if field.type is Type.CODE:
        return {"type": "string", "enum": list(vocabulary.code_list(field.codes))}
    patterns = {
        Type.PHONE: _PHONE,
        Type.LANGUAGE: _LANGUAGE,
        Type.COUNTRY: _COUNTRY,
        Type.MONTH: _MONTH,
    }
    if field.type in patterns:
        return {"type": "string", "pattern": f"^{patterns[field.type].pattern}$"}
    if field.type is Type.DATE:
        return {"type": "string", "format": "date"}
    return {"type": "string", "maxLength": _LONG if field.type is Type.LONG else _TEXT}
