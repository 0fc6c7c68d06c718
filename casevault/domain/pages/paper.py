"""A blank form on paper: HTML to print where there is no network, filled in by hand.

Made from the same fields and words as the form on a screen. Nothing about a person is ever
printed on it: the head has room for a number that only the team can connect. No script, nothing
from elsewhere; the style sheet is a file of our own, or inside the page that is saved to a disk.
"""

from __future__ import annotations

from html import escape

from casevault.domain import vocabulary
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.case.fields import Field, Type
from casevault.domain.pages import forms
from casevault.domain.pages.forms import Section

STYLE = """\
@page { size: A4; margin: 14mm 15mm }
body { font: 11pt/1.4 system-ui, sans-serif; max-width: 180mm; margin: 0 auto; color: #000 }
h1 { font-size: 15pt; margin: 0 }
h2 { font-size: 12pt; margin: 5mm 0 2mm; border-bottom: 0.5mm solid #000 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: start; font-weight: normal; padding: 0 }
thead th { border-bottom: 0.3mm solid #000; padding-bottom: 2mm }
.keep { font-weight: bold }
.head { display: flex; gap: 5mm; margin-top: 2mm }
.head span { flex: 1; border-bottom: 0.2mm solid #000; padding-bottom: 7mm; font-size: 8pt }
.field { margin: 3mm 0; break-inside: avoid }
.label, dt { font-weight: bold }
dl { margin: 0 }
dt { margin-top: 2mm; break-after: avoid }
dd { margin-inline-start: 6mm }
.help, .hint { font-size: 9pt; color: #333 }
.line { border-bottom: 0.2mm solid #000; height: 8mm }
.short { display: inline-block; width: 45mm }
.boxes { list-style: none; margin: 1mm 0; padding: 0; columns: 2 }
.boxes li { break-inside: avoid; padding-inline-start: 7mm; text-indent: -7mm }
.box { display: inline-block; width: 3.5mm; height: 3.5mm; border: 0.3mm solid #000;
  margin-inline-end: 3mm; vertical-align: -0.3mm }
fieldset { border: 0.2mm solid #000; margin: 3mm 0; padding: 0 3mm; break-inside: avoid }
legend { font-weight: bold; padding: 0 1mm }
.lead { font-size: 12pt; margin: 1mm 0 3mm }
.numbers { margin: 4mm 0 6mm; break-inside: avoid }
figcaption, caption { font-weight: bold; text-align: start; margin: 2mm 0; padding: 1mm 0 }
figure caption { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap }
.numbers svg { display: block; width: 100%; max-width: 160mm; height: auto; margin: 0 0 2mm }
.counts { width: auto; min-width: 60%; font-size: 10pt; break-inside: auto }
.counts th, .counts td { padding: 0.8mm 2mm; border-bottom: 0.2mm solid #767676;
  vertical-align: top }
.counts thead th { font-weight: bold; border-bottom: 0.4mm solid #000 }
.counts thead td { border-bottom: 0.4mm solid #000 }
section > h2, section > p { break-after: avoid }
@media screen { body { padding: 0 4mm } }
.counts .end { text-align: end; font-variant-numeric: tabular-nums }
input, textarea, button { font: inherit; max-width: 100% }
button { padding: 2mm 5mm }
section.screen { border-top: 0.5mm solid #000; margin-top: 8mm }
@media screen { body { padding: 5mm } }
@media print { .screen { display: none } }
"""
_LONG_LINES = 5
_MANY_LINES = 3
_MANY_GROUPS = 2


def page(form: str, language: str, words: Dictionary, style_href: str | None = None) -> str:
    """Return a blank form as a page; without an address its style sheet is inside the page."""
    found = forms.sections(form, words)
    direction = "rtl" if language in vocabulary.RIGHT_TO_LEFT else "ltr"
    title = _text(f"form.{form}", language)
    style = f"<style>{STYLE}</style>"
    if style_href is not None:
        style = f'<link rel="stylesheet" href="{escape(style_href)}">'
    body = "".join(_section(section, language, alone=len(found) == 1) for section in found)
    # The head of a table comes again on every sheet, so that no sheet lies about without it.
    return (
        f'<!doctype html>\n<html lang="{language}" dir="{direction}"><head><meta charset="utf-8">'
        f"<title>{title}</title>{style}</head>\n<body><table>\n"
        f"<thead><tr><th>{_head(title, language)}</th></tr></thead>\n"
        f'<tbody><tr><td><p class="help">{_text(f"form.{form}.help", language)}</p>\n{body}'
        "</td></tr></tbody></table></body></html>\n"
    )


def _head(title: str, language: str) -> str:
    rooms = "".join(
        f"<span>{_text(f'paper.{name}', language)}</span>"
        for name in ("reference", "filled", "entered")
    )
    return (
        f'<h1>{title}</h1><div class="keep">{_text("paper.keep", language)}</div>'
        f'<div class="head">{rooms}</div>'
    )


def _section(section: Section, language: str, *, alone: bool) -> str:
    title = "" if alone else f"<h2>{_text(f'section.{section.document}', language)}</h2>\n"
    return title + _fields(section.document, "", section.fields, language)


def _fields(document: str, at: str, fields: tuple[Field, ...], language: str) -> str:
    return "".join(_field(document, at, f, language) for f in fields if not f.system)


def _field(document: str, at: str, field: Field, language: str) -> str:
    name = at + field.name
    label = escape(vocabulary.field_label(document, name, language))
    if field.required:
        label += f" ({_text('paper.required', language)})"
    text = vocabulary.field_help(document, name, language)
    shown = f'<div class="help">{escape(text)}</div>' if text else ""
    if field.type is Type.GROUP:
        inside = _fields(document, name + ".", field.fields, language)
        one = f"<fieldset><legend>{label}</legend>{shown}{inside}</fieldset>\n"
        return one * (_MANY_GROUPS if field.many else 1)
    room = _room(field, language)
    return f'<div class="field"><div class="label">{label}</div>{shown}{room}</div>\n'


def _room(field: Field, language: str) -> str:
    if field.type is Type.CODE:
        codes = vocabulary.code_list(field.codes)
        labels = [vocabulary.code_label(field.codes, code, language) for code in codes]
        return _boxes("paper.several" if field.many else "paper.one", labels, language)
    if field.type is Type.YES_NO:
        labels = [vocabulary.form_text(f"paper.{answer}", language) for answer in ("yes", "no")]
        return _boxes("paper.one", labels, language)
    hints = {Type.DATE: "paper.date", Type.MONTH: "paper.month", Type.INTEGER: "paper.years"}
    if field.type in hints:
        hint = _text(hints[field.type], language)
        return f'<span class="line short"></span> <span class="hint">{hint}</span>'
    lines = _LONG_LINES if field.type is Type.LONG else _MANY_LINES if field.many else 1
    return '<div class="line"></div>' * lines


def _boxes(hint: str, labels: list[str], language: str) -> str:
    items = "".join(f'<li><span class="box"></span>{escape(label)}</li>' for label in labels)
    return f'<span class="hint">{_text(hint, language)}</span><ul class="boxes">{items}</ul>'


def _text(name: str, language: str) -> str:
    return escape(vocabulary.form_text(name, language))
