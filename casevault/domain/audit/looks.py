"""Who looked at this file: entries of the log in words that a survivor reads, and the page of them.

Pure; escaped here. Decides what each code means to the person whose file it is. Holds who, when,
which part and why, and never content of the file: whoever made the list cannot read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType

from casevault.domain import vocabulary

_READING = (".read", ".timeline", ".access", ".print")
_LISTING = frozenset({"case.list", "search.run", "worklist.read", "feed.render"})
_SHARING = ("case.assign", "case.cover", "case.revoke", "case.regrant", "case.rekey")
_COPYING = frozenset({"case.export"})
PARTS = ("identity", "profile", "facts", "note", "service", "task", "consent", "file")
ROLES = (
    "caseworker",
    "supervisor",
    "dpo",
    "auditor",
    "administrator",
    "reporter",
    "referrer",
    "service",
)
WHYS = ("treatment", "emergency", "operations")
DID = ("saw", "changed", "listed", "shared", "emergency", "refused", "copied", "other")
# Codes of a case that nobody's look is behind.
_SILENT: Mapping[str, str] = MappingProxyType(
    {
        "audit.": "about the log",
        "alert.": "about the log",
        "approval.": "about an approval",
        "file.add_start": "listed by its end",
        "file.read_end": "listed by its beginning",
    }
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one person did with one part of a file on one day, and how often.

    `who` is a name, or a role with a number where names were left out; `did` and `part` are names
    of texts.
    """

    day: str
    who: str
    role: str
    did: str
    part: str
    why: str
    times: int = 1


def is_look(code: str) -> bool:
    """Say whether an entry about a case belongs on the list."""
    return not code.startswith(tuple(_SILENT))


def did_of(code: str, outcome: int, rule: str) -> str:
    """Return what somebody did, as the list calls it."""
    if outcome == 4:
        return "refused"
    if code.startswith("breakglass.") or rule == "permit:break-glass":
        return "emergency"
    if code in _COPYING:
        return "copied"
    if code in _LISTING:
        return "listed"
    if code.startswith(_SHARING):
        return "shared"
    if code.endswith((*_READING, ".list")):
        return "saw"
    return "changed" if code.startswith(("case.", *(part + "." for part in PARTS))) else "other"


def part_of(code: str, fields: Iterable[str]) -> str:
    """Return which part of the file it was about."""
    record = code.partition(".")[0]
    if record in PARTS:
        return record
    # A compartment stands for the document that is read in it.
    named = {field.partition(".")[0].replace("narrative", "profile") for field in fields}
    named &= set(PARTS)
    return named.pop() if len(named) == 1 else "case"


def role_of(roles: Iterable[str]) -> str:
    """Return the role in which somebody acted, as the list calls it."""
    return next((role for role in roles if role in ROLES), "service")


def why_of(purpose: str) -> str:
    """Return the reason that an entry gives, as the list calls it."""
    return purpose if purpose in WHYS else "operations"


def grouped(looks: Iterable[Look]) -> list[Look]:
    """Return looks that differ in nothing as one, youngest day first."""
    found: dict[Look, int] = {}
    for look in looks:
        found[look] = found.get(look, 0) + look.times
    rows = [
        Look(one.day, one.who, one.role, one.did, one.part, one.why, times)
        for one, times in found.items()
    ]
    by_person = sorted(rows, key=lambda one: (one.role, one.who, one.did, one.part))
    return sorted(by_person, key=lambda one: one.day, reverse=True)


def section(period: tuple[str, str], looks: Iterable[Look], language: str) -> str:
    """Return the list as a part of another page."""
    title = _raw("title", language)
    rows = "".join(_row(look, language) for look in looks)
    body = _table(rows, title, language) if rows else f"<p>{_text('nobody', language)}</p>"
    first, last = (f'<bdi dir="ltr">{escape(day)}</bdi>' for day in period)
    return (
        f"<h2>{_text('title', language)}</h2>\n"
        f"<p>{_text('period', language)}: {first} – {last} (UTC)</p>\n{body}"
    )


def page(
    reference: str, period: tuple[str, str], looks: Iterable[Look], language: str, style_href: str
) -> str:
    """Return the list as one HTML page that prints on A4 and can be read aloud by a machine."""
    direction = "rtl" if language in vocabulary.RIGHT_TO_LEFT else "ltr"
    title = f"{_raw('title', language)} · {reference}"
    style = f'<link rel="stylesheet" href="{escape(style_href)}">' if style_href else ""
    rows = "".join(_row(look, language) for look in looks)
    body = _table(rows, title, language) if rows else f"<p>{_text('nobody', language)}</p>"
    first, last = (f'<bdi dir="ltr">{escape(day)}</bdi>' for day in period)
    return (
        f'<!doctype html>\n<html lang="{language}" dir="{direction}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>{style}</head>\n"
        f"<body><main><h1>{_text('title', language)} · "
        f'<bdi dir="ltr">{escape(reference)}</bdi></h1>\n'
        f"<p>{_text('help', language)}</p>\n"
        f"<p>{_text('period', language)}: {first} – {last} (UTC)</p>\n{body}</main></body></html>\n"
    )


def _table(rows: str, title: str, language: str) -> str:
    heads = "".join(
        f'<th scope="col">{_text("column." + name, language)}</th>'
        for name in ("day", "who", "did", "part", "why", "times")
    )
    return (
        f"<table><caption>{escape(title)}</caption><thead><tr>{heads}</tr></thead>\n"
        f"<tbody>{rows}</tbody></table>\n"
    )


def _row(look: Look, language: str) -> str:
    role = _text("role." + look.role, language) if look.role else ""
    who = f"<bdi>{escape(look.who)}</bdi>" + (f" ({role})" if role else "")
    cells = [
        f'<th scope="row"><bdi dir="ltr">{escape(look.day)}</bdi></th>',
        f"<td>{who}</td>",
        f"<td>{_text('did.' + look.did, language)}</td>",
        f"<td>{_text('part.' + look.part, language)}</td>",
        f"<td>{_text('why.' + look.why, language)}</td>",
        f"<td>{look.times}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>\n"


def _text(name: str, language: str) -> str:
    return escape(_raw(name, language))


def _raw(name: str, language: str) -> str:
    return vocabulary.look_text(name, language)
