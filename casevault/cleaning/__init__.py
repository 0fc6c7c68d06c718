"""Cleaning files that people bring: what is shown stays, what tells more than that goes.

Pictures are decoded and encoded anew, PDFs are rebuilt from their pages, texts are checked letter
by letter: so nothing comes out that its kind does not show, and a file that is two kinds at once is
one afterwards. Must never guess: what cannot be cleaned is refused with a reason. Parsing what
strangers made is dangerous, so the product does it in a process of its own (`apart`, `child`),
which holds no key.
"""

from __future__ import annotations

from collections.abc import Callable

from casevault.cleaning.faults import Unclean

MAX_BYTES = 25 << 20
_FORMS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
TYPES = frozenset({"application/pdf", "text/plain", *_FORMS})


def cleaned(content: bytes, media_type: str) -> bytes:
    """Return the content as its kind (one of `TYPES`) shows it, and nothing else.

    :raises Unclean: it is not of this kind, or cannot be cleaned.
    """
    if not content:
        raise Unclean("file.empty")
    if len(content) > MAX_BYTES:
        raise Unclean("file.too-large")
    found = _cleaner(media_type)(content)
    if len(found) > MAX_BYTES:
        raise Unclean("file.too-large")
    return found


def _cleaner(media_type: str) -> Callable[[bytes], bytes]:
    # Only what one kind needs is loaded: a process cleans one file.
    if media_type == "application/pdf":
        from casevault.cleaning.pdfs import cleaned_pdf

        return cleaned_pdf
    if media_type == "text/plain":
        from casevault.cleaning.texts import cleaned_text

        return cleaned_text
    from casevault.cleaning.pictures import cleaned_picture

    return lambda content: cleaned_picture(content, _FORMS[media_type])
