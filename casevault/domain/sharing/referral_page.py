"""A referral as its recipient reads it: one HTML page in their language, printable, no script."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from casevault.domain import vocabulary
from casevault.domain.pages import rendering
from casevault.domain.sharing.referral import FILES, SOURCES

_LETTER = ("urgency", "reason", "answer_by", "safe_contact")


def referral_html(
    packed: bytes, language: str, style_href: str | None = None, more: str = ""
) -> str:
    """Return the page of a referral, made from the very bytes that leave (`referral_json`).

    `more` is HTML that stands behind it: room to answer.
    """
    content = json.loads(packed)
    title = vocabulary.form_text("form.referral", language)
    head = (
        f"<p><strong>{_text('referral.from', language)}</strong>"
        f" <bdi>{escape(content['from'])}</bdi></p>\n"
        f"<p><strong>{_text('referral.reference', language)}</strong>"
        f' <bdi dir="ltr">{escape(content["reference"])}</bdi></p>\n'
        f'<p class="keep">{_text("referral.keep", language)}</p>\n'
    )
    asked = {"service": content["service"]} | {n: content[n] for n in _LETTER if n in content}
    parts = [rendering.document("referral", asked, language)]
    for document in SOURCES:
        if document in content:
            section = f"<h2>{_text(f'section.{document}', language)}</h2>\n"
            parts.append(section + rendering.document(document, content[document], language))
    parts.append(_files(content.get(FILES, []), language))
    return rendering.page(title, head + "".join(parts) + more, language, style_href)


def _files(listed: list[dict[str, Any]], language: str) -> str:
    """Return the list of files that come with a letter; nothing if none does."""
    if not listed:
        return ""
    rows = "".join(
        f"<li><bdi>{escape(one['name'])}</bdi>"
        f' <bdi dir="ltr">({escape(one["media_type"])}, {one["bytes"]:,} B)</bdi></li>\n'
        for one in listed
    )
    return f"<h2>{_text('referral.files', language)}</h2>\n<ul>\n{rows}</ul>\n"


def _text(name: str, language: str) -> str:
    return escape(vocabulary.form_text(name, language))
