"""The answer to a request about one's own file: one page in the asker's language, to be printed.

Whoever is refused reads why and where to complain. Pure; everything that somebody typed is escaped.
"""

from __future__ import annotations

from html import escape

from casevault.domain import vocabulary
from casevault.domain.pages import rendering
from casevault.domain.rights.rights import Story


def answer(
    reference: str,
    right: str,
    received: str,
    story: Story,
    language: str,
    style_href: str | None = None,
) -> str:
    """Return the page of a decided request."""
    refused = story.ground is not None
    decided = next(one for one in reversed(story.steps) if one.what in ("granted", "refused"))
    rows = [
        ("answer.file", f'<bdi dir="ltr">{escape(reference)}</bdi>'),
        ("answer.received", f'<bdi dir="ltr">{escape(received)}</bdi>'),
        ("answer.asked", _text(f"right.{right}", language)),
        ("answer.decision", _text("answer.refused" if refused else "answer.granted", language)),
    ]
    if refused:
        rows.append(("answer.why", _text(f"ground.{story.ground}", language)))
    listed = "".join(f"<dt>{_text(name, language)}</dt><dd>{said}</dd>\n" for name, said in rows)
    words = f'<p><bdi dir="auto">{escape(decided.words)}</bdi></p>\n' if decided.words else ""
    more = (
        f"<h2>{_text('answer.complain.title', language)}</h2>\n"
        f"<p>{_text('answer.complain', language)}</p>\n"
    )
    title = vocabulary.right_text("answer.title", language)
    return rendering.page(title, f"<dl>\n{listed}</dl>\n{words}{more}", language, style_href)


def _text(name: str, language: str) -> str:
    return escape(vocabulary.right_text(name, language))
