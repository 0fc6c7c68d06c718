"""Forms and vocabulary in the language of whoever reads them, made from the data dictionary.

A form names fields; labels, help, codes and limits come from the dictionary and its words, and
what the programme has not switched on is not asked. Holds nothing about a person. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.case.fields import Field, Type
from casevault.domain.staff.access import Role
from casevault.errors import NotFound

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
# What a first talk may need. History, perpetrators and papers wait until there is trust.
_FIRST_TALK = MappingProxyType(
    {
        DocumentKind.IDENTITY.value: (
            "name_to_use",
            "pronoun",
            "names",
            "age",
            "birth_year",
            "age_band",
            "gender",
            "languages",
            "interpreter_needed",
            "safe_contact",
            "phones",
        ),
        DocumentKind.PROFILE.value: (
            "presenting_situation",
            "risk_level",
            "risk_reasons",
            "needs",
            "disability",
            "unlisted",
        ),
    }
)
FORMS = ("intake", "consent", "referral")
_NEEDED_BY = MappingProxyType(
    {
        Compartment.IDENTITY: (Role.CASEWORKER, Role.SUPERVISOR),
        Compartment.NARRATIVE: (Role.CASEWORKER, Role.SUPERVISOR),
        Compartment.FACTS: (Role.REPORTER,),
    }
)


@dataclass(frozen=True, slots=True)
class Section:
    """The fields of one document that a form asks for."""

    document: str
    fields: tuple[Field, ...]


def sections(form: str, words: Dictionary) -> tuple[Section, ...]:
    """Return what a form asks in this programme, document by document.

    :raises NotFound: there is no such form.
    """
    if form not in FORMS:
        raise NotFound(code="form.unknown")
    wanted: Mapping[str, tuple[str, ...]] = _FIRST_TALK
    if form != "intake":
        wanted = {form: tuple(field.name for field in dictionary.fields_of(form))}
    return tuple(
        Section(
            document,
            tuple(f for f in dictionary.fields_of(document) if f.name in names and words.asks(f)),
        )
        for document, names in wanted.items()
    )


def needed_by(document: str) -> tuple[Role, ...]:
    """Return who needs the fields of a document for their work."""
    return _NEEDED_BY[dictionary.compartment_for(document)]


def schema(form: str, language: str, words: Dictionary) -> dict[str, Any]:
    """Return a form as JSON Schema (2020-12) with titles, help and labelled codes.

    What fits the schema of the intake is the body with which a case is opened.
    """
    found = sections(form, words)
    head = {
        "$schema": _DRAFT,
        "$id": f"/v1/forms/{form}?lang={language}",
        "title": vocabulary.form_text(f"form.{form}", language),
        "description": vocabulary.form_text(f"form.{form}.help", language),
    }
    if len(found) == 1:
        return head | _object(found[0].document, "", found[0].fields, language)
    parts = {section.document: _section(section, language) for section in found}
    needed = [part for part, its in parts.items() if its["required"]]
    return head | {
        "type": "object",
        "additionalProperties": False,
        "required": needed,
        "properties": parts,
    }


def code_lists(language: str) -> dict[str, list[dict[str, str]]]:
    """Return every code list with its labels."""
    return {
        name: [
            {"code": code, "label": vocabulary.code_label(name, code, language)}
            for code in vocabulary.code_list(name)
        ]
        for name in sorted(vocabulary.list_names())
    }


def _section(section: Section, language: str) -> dict[str, Any]:
    title = {"title": vocabulary.form_text(f"section.{section.document}", language)}
    return title | _object(section.document, "", section.fields, language)


def _object(document: str, at: str, fields: tuple[Field, ...], language: str) -> dict[str, Any]:
    asked = [field for field in fields if not field.system]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in asked if field.required],
        "properties": {field.name: _field(document, at, field, language) for field in asked},
    }


def _field(document: str, at: str, field: Field, language: str) -> dict[str, Any]:
    name = at + field.name
    shown: dict[str, Any] = {"title": vocabulary.field_label(document, name, language)}
    if text := vocabulary.field_help(document, name, language):
        shown["description"] = text
    one = _one(document, name, field, language)
    if field.many:
        shown |= {"type": "array", "maxItems": dictionary.MAX_ITEMS, "items": one}
    else:
        shown |= one
    return shown | _about(document, field)


def _one(document: str, name: str, field: Field, language: str) -> dict[str, Any]:
    if field.type is Type.GROUP:
        return _object(document, name + ".", field.fields, language)
    if field.type is not Type.CODE:
        return dictionary.scalar_schema(field)
    labelled = [
        {"const": code, "title": vocabulary.code_label(field.codes, code, language)}
        for code in vocabulary.code_list(field.codes)
    ]
    return {"type": "string", "oneOf": labelled}


def _about(document: str, field: Field) -> dict[str, Any]:
    about: dict[str, Any] = {
        "x-type": field.type.value,
        "x-compartment": dictionary.compartment_for(document).value,
        "x-purpose": field.purpose,
        "x-required-by": [role.value for role in needed_by(document)],
    }
    optional = {"x-codes": field.codes, "x-switch": field.switch, "x-htcds": field.htcds}
    return about | {key: value for key, value in optional.items() if value}
