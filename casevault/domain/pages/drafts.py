"""Drafts: half-filled forms of somebody who was interrupted.

Decides what a draft may hold: known fields, whatever their values, so that nothing of an interview
is lost to a typing error; and for how long. A draft counts for nothing and is in no copy. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.dictionary import MAX_ITEMS, MAX_TEXT, Dictionary, fields_of
from casevault.domain.case.fields import Field, Type
from casevault.errors import FieldError, Invalid

KEPT_DAYS = 7


class DraftForm(StrEnum):
    """What is being filled in."""

    INTAKE = "intake"
    IDENTITY = "identity"
    PROFILE = "profile"
    FACTS = "facts"
    NOTE = "note"
    SERVICE = "service"
    TASK = "task"
    LINK = "link"
    TRANSITION = "transition"
    REFUSED_STAFF = "refused_staff"
    CONSENT = "consent"
    BASIS = "basis"
    REFERRAL = "referral"


# An intake is the two documents by which a case begins.
_INTAKE = (DocumentKind.IDENTITY, DocumentKind.PROFILE)


def kept_until(today: date) -> date:
    """Return the last day of a draft that is saved today."""
    return today + timedelta(days=KEPT_DAYS)


def check(words: Dictionary, form: DraftForm, content: Mapping[str, Any]) -> None:
    """Refuse fields that the form does not have here and values that no field could hold."""
    faults: list[FieldError] = []
    if form is DraftForm.INTAKE:
        fields = tuple(
            Field(kind.value, Type.GROUP, fields=_asked(words, kind.value)) for kind in _INTAKE
        )
    else:
        fields = _asked(words, form.value)
    _check_group("", fields, content, faults)
    if faults:
        raise Invalid("Some fields cannot be taken as they are.", errors=tuple(faults[:50]))


def _asked(words: Dictionary, document: str) -> tuple[Field, ...]:
    # A purpose that is switched off is not asked for in a draft either.
    return tuple(f for f in fields_of(document) if not f.system and words.asks(f))


def _check_group(
    at: str, fields: tuple[Field, ...], content: Mapping[str, Any], faults: list[FieldError]
) -> None:
    known = {field.name: field for field in fields}
    for name, value in content.items():
        if name in known:
            _check(f"{at}/{name}", known[name], value, faults)
        else:
            # The name of an unknown field is something that somebody typed: it is not repeated.
            faults.append(FieldError(f"{at}/*", "field.unknown"))


def _check(at: str, field: Field, value: object, faults: list[FieldError]) -> None:
    if isinstance(value, list):
        if not field.many or len(value) > MAX_ITEMS:
            faults.append(FieldError(at, "field.list"))
            return
        for place, item in enumerate(value):
            if isinstance(item, list):
                faults.append(FieldError(f"{at}/{place}", "field.list"))
            else:
                _check(f"{at}/{place}", field, item, faults)
    elif isinstance(value, Mapping):
        if field.type is Type.GROUP:
            _check_group(at, field.fields, value, faults)
        else:
            faults.append(FieldError(at, "field.group"))
    elif isinstance(value, str) and len(value) > MAX_TEXT:
        faults.append(FieldError(at, "field.too-long"))
