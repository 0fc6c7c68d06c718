"""Codes for phones: one code, drawn for a page and for a terminal."""

from __future__ import annotations

import io

import segno

from casevault.api import qr

TEXT = "otpauth://totp/Made-up:cara?secret=ABCDEFGHIJKLMNOP&issuer=Made-up"


def test_one_code_is_drawn_twice(monkeypatch):
    """It is made once, with the pattern that reads best, and both drawings are of it."""
    made = []

    def make(text, **how):
        made.append(segno.make_qr(text, **how))
        return made[-1]

    monkeypatch.setattr(qr, "make_qr", make)
    svg, text = qr.drawn(TEXT)
    (code,) = made
    assert code.error == "M"
    assert code == segno.make_qr(TEXT, error="m")
    assert svg == code.svg_inline(scale=4)
    assert svg.startswith("<svg")
    out = io.StringIO()
    code.terminal(out=out, compact=True)
    assert text == out.getvalue()


def test_another_text_is_another_code():
    """The drawing is of what it is given."""
    assert qr.drawn(TEXT) == qr.drawn(TEXT)
    assert qr.drawn(TEXT)[0] != qr.drawn(TEXT + "x")[0]
    assert qr.drawn(TEXT)[1] != qr.drawn(TEXT + "x")[1]
