"""A document of a case as people read it: HTML with the dictionary's labels, in their language.

Used wherever content leaves on a page: referrals, copies. Pure; everything that somebody typed is
escaped and kept in its own direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.fields import Field, Type
from casevault.domain.pages.paper import STYLE

# What reads from left to right in every script.
_LTR = frozenset({Type.PHONE, Type.DATE, Type.MONTH, Type.INTEGER, Type.COUNTRY})


def page(title: str, body: str, language: str, style_href: str | None = None) -> str:
    """Return a whole page; without an address its style sheet is inside it."""
    direction = "rtl" if language in vocabulary.RIGHT_TO_LEFT else "ltr"
    style = f"<style>{STYLE}</style>"
    if style_href is not None:
        style = f'<link rel="stylesheet" href="{escape(style_href)}">'
    return (
        f'<!doctype html>\n<html lang="{language}" dir="{direction}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>{style}</head>\n<body><main><h1>{escape(title)}</h1>\n"
        f"{body}</main></body></html>\n"
    )


def document(name: str, content: Mapping[str, Any], language: str) -> str:
    """Return a document's filled fields as a list of terms; empty if there are none."""
    return _group(name, "", dictionary.fields_of(name), content, language)


def fields(name: str, wanted: Iterable[str], content: Mapping[str, Any], language: str) -> str:
    """Return some of a document's fields as a list of terms."""
    names = frozenset(wanted)
    chosen = tuple(one for one in dictionary.fields_of(name) if one.name in names)
    return _group(name, "", chosen, content, language)


def _group(
    document: str, at: str, fields: tuple[Field, ...], content: Mapping[str, Any], language: str
) -> str:
    rows = []
    for one in fields:
        value = content.get(one.name)
        if value is None or value == []:
            continue
        label = escape(vocabulary.field_label(document, at + one.name, language))
        rows.append(f"<dt>{label}</dt>{_value(document, at + one.name, one, value, language)}\n")
    return f"<dl>\n{''.join(rows)}</dl>\n" if rows else ""


def _value(document: str, at: str, one: Field, value: Any, language: str) -> str:  # noqa: ANN401
    values = value if one.many else [value]
    if one.type is Type.GROUP:
        inner = [_group(document, at + ".", one.fields, each, language) for each in values]
    else:
        inner = [_words(one, each, language) for each in values]
    return "".join(f"<dd>{each}</dd>" for each in inner)


def _words(one: Field, value: Any, language: str) -> str:  # noqa: ANN401
    if one.type is Type.CODE:
        return escape(vocabulary.code_label(one.codes, value, language))
    if one.type is Type.YES_NO:
        return escape(vocabulary.form_text("paper.yes" if value else "paper.no", language))
    if one.type is Type.LANGUAGE:
        return f"<bdi>{escape(vocabulary.language_name(value))}</bdi>"
    way = "ltr" if one.type in _LTR else "auto"
    return f'<bdi dir="{way}">{escape(str(value)).replace(chr(10), "<br>")}</bdi>'
