"""A leaflet for an area: who helps, in the language of whoever reads it, on paper.

Holds organisations that agreed to stand on it, and nobody else. Pure; escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from casevault.domain import vocabulary
from casevault.domain.pages import rendering
from casevault.domain.sharing.consent import recipient_key
from casevault.domain.sharing.partners import DOCUMENT, Partner

_LINES = ("phone", "hours", "address")


def page(area: str, found: Iterable[Partner], language: str, style_href: str) -> str:
    """Return the leaflet of an area as one HTML page that prints on A4.

    The area is written as the directory has it: what somebody typed is not shown.
    """
    partners = list(found)
    body = "".join(_entry(one, language) for one in partners)
    if not body:
        body = f"<p>{escape(vocabulary.form_text('leaflet.nobody', language))}</p>"
    head = f"<p>{escape(vocabulary.form_text('leaflet.help', language))}</p>\n"
    title = " · ".join([vocabulary.form_text("leaflet.title", language), *_area(area, partners)])
    return rendering.page(title, head + body, language, style_href)


def _area(area: str, partners: list[Partner]) -> list[str]:
    wanted = recipient_key(area)
    spelt = [a for one in partners for a in one.content["areas"] if recipient_key(a) == wanted]
    return spelt[:1]


def _entry(one: Partner, language: str) -> str:
    content = one.content
    helps = _codes("service_type", content["services"], language)
    lines = [f'<p class="label">{escape(helps)}</p>']
    for name in _LINES:
        if content.get(name):
            # A number reads from left to right in every script.
            value = (
                f'<bdi dir="{"ltr" if name == "phone" else "auto"}">{escape(content[name])}</bdi>'
            )
            lines.append(f"<p>{_label(name, language)}: {value}</p>")
    if content.get("serves"):
        serves = escape(_codes("serves", content["serves"], language))
        lines.append(f"<p>{_label('serves', language)}: {serves}</p>")
    if content.get("languages"):
        # Each as those who speak it call it: they look for a word that they know.
        spoken = _mark(language).join(
            f"<bdi>{escape(vocabulary.language_name(one))}</bdi>" for one in content["languages"]
        )
        lines.append(f"<p>{_label('languages', language)}: {spoken}</p>")
    if content.get("fee"):
        lines.append(f"<p>{escape(vocabulary.code_label('fee', content['fee'], language))}</p>")
    inner = "".join(lines)
    return f'<section class="field"><h2><bdi>{escape(one.name)}</bdi></h2>{inner}</section>\n'


def _codes(name: str, codes: Iterable[str], language: str) -> str:
    return _mark(language).join(vocabulary.code_label(name, code, language) for code in codes)


def _mark(language: str) -> str:
    return "، " if language == "ar" else ", "


def _label(name: str, language: str) -> str:
    return escape(vocabulary.field_label(DOCUMENT, name, language))
