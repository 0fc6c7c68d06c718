"""How much of a passphrase is its owner's: what everybody would try first is taken out.

Decides whether a passphrase is a common one. Known words and sentences, walks over a keyboard,
counting up and down, years and repetitions are what guessing begins with (NIST SP 800-63B-4,
section 3.1.1.2), so only what remains counts. Must never keep, return or show what was typed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from casevault.domain import vocabulary

# Characters that must remain: half of the fifteen that a passphrase has at least.
OWN_CHARACTERS = 8
# What a password that leaked is worth: to say which of nine thousand takes 13 bits, as three
# characters do.
_LEAKED_CHARACTERS = 3
_WALK = 4
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "qsdfghjklm",
    "zxcvbnm",
    "yxcvbnm",
    "wxcvbn",
    "йцукенгшщзхъ",
    "фывапролджэ",
    "ячсмитьбю",
    "1qaz2wsx3edc4rfv",
)
_LIKE_LETTERS = str.maketrans("@4301!$57", "aaeoiisst")
_REPEATED = re.compile(r"(.+?)\1+")
_YEAR = re.compile(r"(?:19|20)\d\d")


def is_common(passphrase: str) -> bool:
    """Say whether hardly anything is left of a passphrase without what everybody knows."""
    plain = _folded(passphrase)
    return min(_left(plain), _left(plain.translate(_LIKE_LETTERS))) < OWN_CHARACTERS


def _left(text: str) -> int:
    text = _without(vocabulary.common_phrases(), text, 0)
    text = _without_walks(_YEAR.sub(" ", text))
    text = _without(vocabulary.common_passwords(), text, _LEAKED_CHARACTERS)
    return len(_REPEATED.sub(r"\1", text.replace(" ", "")))


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in apart if c.isalnum() or c in "@!$")


def _without(known: frozenset[str], text: str, worth: int) -> str:
    """Return a text in which `worth` characters are left of what is known, the longest first."""
    lengths, kept, at = _lengths(known), [], 0
    while at < len(text):
        length = next((n for n in lengths if text[at : at + n] in known), 0)
        kept.append(text[at : at + worth] + " " if length else text[at])
        at += length or 1
    return "".join(kept)


@cache
def _lengths(known: frozenset[str]) -> tuple[int, ...]:
    return tuple(sorted({len(one) for one in known}, reverse=True))


def _without_walks(text: str) -> str:
    rows = [row for one in _ROWS for row in (one, one[::-1])]
    kept, at = [], 0
    while at < len(text):
        length = max(_walked(text[at:], row) for row in rows)
        if length < _WALK:
            kept.append(text[at])
        at += length if length >= _WALK else 1
    return "".join(kept)


def _walked(text: str, row: str) -> int:
    """Return how many characters the text and the row have in common from the text's first on."""
    start = row.find(text[0])
    length = 0
    while start >= 0 and start + length < len(row) and text[length : length + 1]:
        if row[start + length] != text[length]:
            break
        length += 1
    return length
