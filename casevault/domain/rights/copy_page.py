"""The survivor's copy as one page: in their language, to be printed, heard, or read on a phone.

Made from the very JSON that the other form of the copy is. Pure; everything that somebody typed is
escaped and keeps its own direction. No script, nothing from elsewhere: it is saved to a disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby
from typing import Any

from casevault.domain import vocabulary
from casevault.domain.audit import looks
from casevault.domain.audit.looks import Look
from casevault.domain.pages import rendering

_ONCE = ("identity", "profile", "facts")


def page(
    copy: Mapping[str, Any],
    language: str,
    style_href: str | None = None,
    *,
    with_files: bool = False,
) -> str:
    """Return the page of a copy; without an address its style sheet is inside it.

    `with_files`: they lie beside it, and it leads to them.
    """
    groups = groupby(copy["parts"], key=lambda part: str(part["part"]))
    body = [
        _head(copy, language),
        *(_group(kind, list(parts), language, with_files) for kind, parts in groups),
        _looks(copy["looks"], language),
        _section("copy.rights.title", f"<p>{_text('copy.rights', language)}</p>\n", language),
        _section(
            "answer.complain.title", f"<p>{_text('answer.complain', language)}</p>\n", language
        ),
    ]
    title = vocabulary.right_text("copy.title", language)
    return rendering.page(title, "".join(body), language, style_href)


def _head(copy: Mapping[str, Any], language: str) -> str:
    rows = [(f"copy.{name}", copy[name]) for name in ("reference", "made_on", "opened")]
    kept = [(f"copy.kept.{name}", day) for name, day in copy["kept_until"].items()]
    return (
        f'<p class="keep">{_text("copy.help", language)}</p>\n{_terms(rows, language)}'
        + _section("copy.kept", _terms(kept, language), language)
    )


def _group(kind: str, parts: Iterable[Mapping[str, Any]], language: str, with_files: bool) -> str:
    once = kind in _ONCE
    shown = "".join(_part(part, language, dated=not once, with_files=with_files) for part in parts)
    return _section(f"part.{kind}", shown, language)


def _part(part: Mapping[str, Any], language: str, *, dated: bool, with_files: bool) -> str:
    kind = part["part"]
    found = [f"<h3>{_ltr(part['from'])}</h3>\n"] if dated else []
    if "content" in part:
        found.append(rendering.document(kind, part["content"], language))
    if with_files and "file" in part:
        found.append(_link(part["file"]["path"], language))
    found.append(_state(part.get("state", {}), language))
    if "kept_back" in part:
        why = "".join(f"<li>{_text('keep.' + one, language)}</li>" for one in part["kept_back"])
        found.append(f"<p>{_text('copy.kept_back', language)}</p><ul>{why}</ul>\n")
    for before, reason in zip(part.get("before", ()), part.get("corrections", ()), strict=True):
        found.append(
            f"<h4>{_text('copy.before', language)} ({_ltr(before['on'])})</h4>\n"
            + rendering.document(kind, before["content"], language)
            + (_said("copy.corrected", reason, language) if reason else "")
        )
    if "redacted" in part:
        found.append(f"<p>{_text('copy.redacted', language)} {part['redacted']}</p>\n")
    return f"<section>{''.join(found)}</section>\n"


def _link(path: str, language: str) -> str:
    href = f'<a href="{escape(path)}">{_ltr(path)}</a>'
    return f"<p>{_text('copy.file', language)} {href}</p>\n"


def _state(state: Mapping[str, str], language: str) -> str:
    said = [
        _text(f"{name}.{state[name]}", language) for name in ("state", "stage") if name in state
    ]
    rows = "".join(f"<dd>{one}</dd>" for one in said)
    listed = f"<dl><dt>{_text('copy.state', language)}</dt>{rows}</dl>\n" if rows else ""
    answer = _said("copy.answer", state["answer"], language) if "answer" in state else ""
    return listed + answer


def _looks(found: Mapping[str, Any] | None, language: str) -> str:
    if found is None:
        return f"<p>{_text('copy.looks.missing', language)}</p>\n"
    items = [Look(**one) for one in found["looks"]]
    return looks.section((str(found["first"]), str(found["last"])), items, language)


def _section(title: str, body: str, language: str) -> str:
    return f"<section><h2>{_text(title, language)}</h2>\n{body}</section>\n"


def _terms(rows: Iterable[tuple[str, Any]], language: str) -> str:
    listed = "".join(f"<dt>{_text(name, language)}</dt><dd>{_ltr(v)}</dd>\n" for name, v in rows)
    return f"<dl>\n{listed}</dl>\n"


def _said(title: str, words: str, language: str) -> str:
    return f'<p>{_text(title, language)} <bdi dir="auto">{escape(words)}</bdi></p>\n'


def _ltr(value: object) -> str:
    return f'<bdi dir="ltr">{escape(str(value))}</bdi>'


def _text(name: str, language: str) -> str:
    return escape(vocabulary.right_text(name, language))
