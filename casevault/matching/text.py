"""Words out of what people type: one form for what looks or sounds the same to a reader.

NFKC, no marks of direction, no zero-width characters, case folded, look-alike letters of another
alphabet read as what they stand between. Linear in the input, which is cut at a stated length.
"""

from __future__ import annotations

import functools
import unicodedata

# Nobody's name is longer; what is cut off adds nothing by which to find somebody.
MAX_LETTERS = 240
MAX_WORDS = 12

# Letters of two alphabets that look the same, by the Latin letter that they look like.
_LOOK_ALIKE = str.maketrans(
    "АВЕКМНОРСТУХІЈЅаеорсухіјѕ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβεικνορτυχ",
    "ABEKMHOPCTYXIJSaeopcyxijs" + "ABEZHIKMNOPTYXabeikvoptux",
)
_APOSTROPHES = frozenset("'’‘ʼʹʾʿ`´ʻ׳״\"")
_JOINERS = frozenset("-‐‑–_·.־/,;")


def words(text: str) -> list[str]:
    """Return the words of a name, folded; hyphens and points divide, apostrophes do not."""
    plain = unicodedata.normalize("NFKC", text[:MAX_LETTERS])
    found = "".join(map(_kept, plain)).split()[:MAX_WORDS]
    return [unicodedata.normalize("NFKC", _unmixed(word).casefold()) for word in found]


def digits(text: str) -> str:
    """Return the decimal digits of any script as ASCII."""
    found = (unicodedata.decimal(letter, None) for letter in text[:MAX_LETTERS])
    return "".join(str(one) for one in found if one is not None)


# Of single letters: a name is made of few, and finding one out is slow.
@functools.lru_cache(maxsize=1 << 12)
def script(letter: str) -> str:
    """Return the script of a letter as the first word of its Unicode name, in lower case."""
    return unicodedata.name(letter, "unknown").partition(" ")[0].lower()


def scripts(word: str) -> set[str]:
    """Return the scripts of a word's letters."""
    return {script(letter) for letter in set(word) if letter.isalpha()}


def unmarked(word: str) -> str:
    """Return a word without combining marks."""
    return "".join(
        one for one in unicodedata.normalize("NFD", word) if not unicodedata.combining(one)
    )


@functools.lru_cache(maxsize=1 << 12)
def _kept(letter: str) -> str:
    if letter in _APOSTROPHES:
        return ""
    if letter in _JOINERS or letter.isspace():
        return " "
    category = unicodedata.category(letter)
    if category == "Cf":
        # Zero-width and marks of direction. The non-joiner divides nothing in a Persian name.
        return ""
    return letter if category[0] in "LM" else " " if category[0] in "ZPSC" else ""


def _unmixed(word: str) -> str:
    found = scripts(word)
    if len(found) > 1 and "latin" in found and found <= {"latin", "cyrillic", "greek"}:
        return word.translate(_LOOK_ALIKE)
    return word
