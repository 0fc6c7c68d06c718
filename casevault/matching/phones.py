"""Telephone numbers in any form: in full where the country is known, and their last seven digits.

The last seven are what survives a missing country code, a dropped zero and a wrong prefix.
"""

from __future__ import annotations

from collections.abc import Iterable

import phonenumbers

from casevault.matching import text

LAST = 7
_MAX_DIGITS = 20


def last_seven(number: str) -> str | None:
    """Return the last seven digits of a number in any script; None if it has fewer."""
    found = text.digits(number)
    return found[-LAST:] if LAST <= len(found) <= _MAX_DIGITS else None


def in_full(number: str, regions: Iterable[str] = ()) -> str | None:
    """Return a number as E.164 if it names its country or fits one of these; else None."""
    found = text.digits(number)
    if not LAST <= len(found) <= _MAX_DIGITS:
        return None
    marked = number.strip().lstrip("(\u200e\u200f\u202a\u202b")
    if marked.startswith(("+", "\uff0b")):
        return _valid("+" + found, None)
    if found.startswith("00"):
        return _valid("+" + found[2:], None)
    return next((full for region in regions if (full := _valid(found, region))), None)


def _valid(number: str, region: str | None) -> str | None:
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
