"""A row of HXL tags under the head of a released file. Off unless asked for: HXL is ending."""

from __future__ import annotations

_TAGS = {
    "indicator": "#indicator+code",
    "period_start": "#date+start",
    "period_end": "#date+end",
    "geo": "#adm1+name",
    "value": "#reached+people",
    "lower95": "#reached+people+min",
    "upper95": "#reached+people+max",
    "status": "#status",
    "method": "#meta+method",
    "release_id": "#meta+id",
}


def tagged(text: str) -> str:
    """Return the file with a tag for every column; dimensions are groups of people."""
    head, rest = text.split("\r\n", 1)
    tags = [_TAGS.get(name, f"#group+{name}") for name in head.split(",")]
    return f"{head}\r\n{','.join(tags)}\r\n{rest}"
