"""Plain texts: UTF-8, letters and line ends, nothing that hides or controls."""

from __future__ import annotations

import unicodedata

from casevault.cleaning.faults import Unclean

_ALLOWED = "\n\t"


def cleaned_text(content: bytes) -> bytes:
    """Return a text with one kind of line end and without a byte order mark.

    :raises Unclean: it is no UTF-8, holds control characters, or is a program's file.
    """
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise Unclean("file.text") from None
    if any(
        unicodedata.category(one) in ("Cc", "Cs", "Co", "Cn") for one in set(text) - {*_ALLOWED}
    ):
        raise Unclean("file.text")
    # What some other program would take for its own.
    if text.lstrip()[:5].lower() in ("%pdf-", "<html", "<!doc", "<?xml", "<svg ", "{\\rtf"):
        raise Unclean("file.type")
    return text.encode()
