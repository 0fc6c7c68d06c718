"""QR codes of what a phone is to read: as a drawing for a page, as text for a terminal."""

from __future__ import annotations

import io

import segno


def as_svg(text: str) -> str:
    """Return an SVG element."""
    return str(segno.make_qr(text, error="m").svg_inline(scale=4))


def as_text(text: str) -> str:
    """Return lines of block characters, two rows of modules in each."""
    out = io.StringIO()
    segno.make_qr(text, error="m").terminal(out=out, compact=True)
    return out.getvalue()
