"""QR codes of what a phone is to read: as a drawing for a page, as text for a terminal."""

from __future__ import annotations

import io

from segno import make_qr


def drawn(text: str) -> tuple[str, str]:
    """Return an SVG element, and lines of block characters with two rows of modules in each.

    One code for both: to choose its pattern takes longer than all the rest of a request.
    """
    code, out = make_qr(text, error="m"), io.StringIO()
    code.terminal(out=out, compact=True)
    return str(code.svg_inline(scale=4)), out.getvalue()
