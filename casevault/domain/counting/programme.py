"""The programme register: what an organisation did against trafficking. No survivor is in it.

Seven kinds of records about trainings, measures and cooperation, each with a closed list of
fields. Decides which fields and codes there are, and refuses notes that look as if they were about
a person. It can only find what looks personal: nobody should write such a note in the first place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from casevault.domain.case import dictionary, personal
from casevault.domain.case.fields import Field, Type
from casevault.errors import FieldError, Invalid

_T = Type
_MOST = 10_000_000


class Kind(StrEnum):
    """What a record of the register is about."""

    TRAINING = "training"
    MEASURE = "measure"
    AWARENESS = "awareness"
    DIALOGUE = "dialogue"
    ADVOCACY = "advocacy"
    COOPERATION = "cooperation"
    FOCAL_POINT = "focal_point"


def _count(name: str, purpose: str, *, required: bool = False) -> Field:
    return Field(name, _T.INTEGER, purpose, required=required, high=_MOST)


_WHERE = (
    Field("region", purpose="Sums by region"),
    Field("branch", purpose="Who did it"),
)
_NOTE = Field("note", _T.LONG, "What helps others to do the same; never about a person")
_DAY = Field("held_on", _T.DATE, "In which period it counts", required=True)

FIELDS: Mapping[Kind, tuple[Field, ...]] = {
    Kind.TRAINING: (
        Field("region", purpose="Sums by region", required=True),
        Field("branch", purpose="Whose staff and volunteers", required=True),
        Field("held_on", _T.DATE, "On which day this was so", required=True),
        _count("staff_total", "Staff and volunteers of the branch", required=True),
        _count("people_trained", "Different people ever trained", required=True),
        _count("attended_e_module", "Attendances of the Global e-module"),
        _count("attended_toolkit", "Attendances with the IFRC trainer toolkit"),
        _count("attended_guidance", "Attendances on the guidance documents"),
        _count("attended_other", "Attendances of other courses"),
        _NOTE,
    ),
    Kind.MEASURE: (
        Field("indicator", _T.CODE, "Indicator 2 or 3", required=True, codes="measure_indicator"),
        Field("type", _T.CODE, "Which measure", required=True, codes="measure_type"),
        Field("programme", _T.CODE, "Where it belongs", required=True, codes="programme"),
        Field("context", _T.CODE, "Which crisis it answers", many=True, codes="context"),
        Field("started", _T.MONTH, "Since when it counts", required=True),
        Field("status", _T.CODE, "Whether it counts", required=True, codes="measure_status"),
        *_WHERE,
        _NOTE,
    ),
    Kind.AWARENESS: (
        Field("target_group", _T.CODE, "Who was told", required=True, codes="target_group"),
        Field("channel", _T.CODE, "How", required=True, codes="awareness_channel"),
        Field("language", _T.LANGUAGE, "In which language"),
        _DAY,
        _count("people_reached", "How many heard of it", required=True),
        *_WHERE,
        _NOTE,
    ),
    Kind.DIALOGUE: (
        Field("stakeholder", _T.CODE, "With whom", required=True, codes="stakeholder"),
        _DAY,
        *_WHERE,
        _NOTE,
    ),
    Kind.ADVOCACY: (
        Field("topic", _T.CODE, "For what", required=True, codes="advocacy_topic"),
        Field("stakeholder", _T.CODE, "Towards whom", required=True, codes="stakeholder"),
        _DAY,
        _NOTE,
    ),
    Kind.COOPERATION: (
        Field("network", _T.CODE, "Bilateral or which network", required=True, codes="network"),
        Field("type", _T.CODE, "What was done", required=True, codes="cooperation_type"),
        Field("countries", _T.COUNTRY, "With the societies of", many=True),
        _DAY,
        _NOTE,
    ),
    Kind.FOCAL_POINT: (
        Field("in_office_since", _T.MONTH, "Whether there is one", required=True),
        Field("until", _T.MONTH, "Until when, if nobody follows yet"),
        *_WHERE,
    ),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the register in one of its versions; `removed` ends it."""

    id: UUID
    kind: Kind
    content: Mapping[str, Any] = field(repr=False)
    version: int = 1
    removed: bool = False


def checked(kind: Kind, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record in normal form, else `Invalid` with every fault."""
    found = dictionary.checked(FIELDS[kind], content)
    faults = [
        FieldError(f"/{one.name}", "register.personal")
        for one in FIELDS[kind]
        if one.type in {_T.TEXT, _T.LONG} and personal.looks_personal(str(found.get(one.name, "")))
    ]
    faults += _impossible(kind, found)
    if faults:
        raise Invalid(
            "Some fields cannot be taken as they are.",
            code="register.content",
            hint="Nothing about a person belongs here, and no share can be above 100 %.",
            errors=tuple(faults),
        )
    return found


def _impossible(kind: Kind, found: Mapping[str, Any]) -> list[FieldError]:
    if kind is Kind.TRAINING and found["people_trained"] > found["staff_total"]:
        return [FieldError("/people_trained", "register.more-than-all")]
    if kind is Kind.FOCAL_POINT and found.get("until", "9999-12") < found["in_office_since"]:
        return [FieldError("/until", "field.range")]
    return []
