"""The recovery shares on paper: one A4 sheet for each custodian, or plain text.

Nothing names a custodian, neither on the sheet nor in the file's name. Must never be written
anywhere but where the operator said, or into memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

_STYLE = """\
@page { size: A4; margin: 20mm }
body { font: 12pt/1.5 system-ui, sans-serif; margin: 0; color: #000 }
section { break-after: page }
section:last-child { break-after: auto }
h1 { font-size: 17pt; margin: 0 0 4mm }
ol { columns: 3; font: 14pt/1.8 monospace; border: 0.4mm solid #000; padding: 5mm 5mm 5mm 16mm }
li { break-inside: avoid }
.sign { border-bottom: 0.2mm solid #000; padding-top: 14mm; width: 90mm }
"""
_SHEET = re.compile(r"<ol>(.*?)</ol>", re.DOTALL)
_WORD = re.compile(r"<li>([a-z]+)</li>")


def page(organisation: str, shares: Sequence[str], threshold: int) -> str:
    """Return all sheets as one HTML page to print: no script, nothing from elsewhere."""
    body = "".join(
        f"<section><h1>Recovery share {number} of {len(shares)}</h1>"
        f"<p>{escape(organisation)} · CaseVault. Any {threshold} of the {len(shares)} sheets"
        " together open everything. Keep this one where only you find it, dry, and tell nobody its"
        " words. Never photograph, scan or type it, but in a recovery that two people announced."
        f"</p><ol>{''.join(f'<li>{word}</li>' for word in share.split())}</ol>"
        '<p>Received on</p><p class="sign"></p></section>\n'
        for number, share in enumerate(shares, start=1)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Recovery shares</title><style>{_STYLE}</style></head>"
        f"<body>\n{body}</body></html>\n"
    )


def shares_on(printed: str) -> tuple[tuple[str, ...], ...]:
    """Return the words of each sheet of a page."""
    return tuple(tuple(_WORD.findall(sheet)) for sheet in _SHEET.findall(printed))


def text(shares: Sequence[str], threshold: int) -> str:
    """Return all sheets as plain text."""
    return "\n".join(
        f"Recovery share {number} of {len(shares)}; any {threshold} recover.\n{share}\n"
        for number, share in enumerate(shares, start=1)
    )
