"""Thai to Latin: vowels that are written before their consonant, silent letters, final sounds.

Which unwritten vowel is said between two consonants cannot be known from the letters; an `o` is
put between the two of a closed syllable, which is what it mostly is.
"""

from __future__ import annotations

import re

_CONSONANTS = dict(
    zip(
        "กขฃคฅฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ",
        (
            "k kh kh kh kh kh ng ch ch ch s ch y d t th th th n d t th th th n b p ph f ph f ph m y"
            " r l w s s s h l - h"
        ).split(),
        strict=True,
    )
)
_LEADING = {"เ": "e", "แ": "ae", "โ": "o", "ใ": "ai", "ไ": "ai"}
_FOLLOWING = {
    "ะ": "a",
    "ั": "a",
    "า": "a",
    "ิ": "i",
    "ี": "i",
    "ึ": "ue",
    "ื": "ue",
    "ุ": "u",
    "ู": "u",
    "ำ": "am",
}
_SILENT = "\u0e4c"
_OE = re.compile("เ(.)[ิี]")
# What is said at the end of a syllable.
_FINAL = {
    **dict.fromkeys(("d", "s", "ch", "th"), "t"),
    **dict.fromkeys(("l", "r"), "n"),
    **{"b": "p", "ph": "p", "f": "p", "kh": "k", "y": "i"},
}


def from_thai(word: str) -> str:
    """Return a word in Latin letters; vowels that are not written are not there."""
    word = re.sub(".[ิุ]?" + _SILENT, "", word.replace("รร", "ั").replace("ศรี", "สี"))
    word = _OE.sub(r"โ\1", word)
    sounds: list[str] = []
    lead = ""
    for place, letter in enumerate(word):
        if letter in _LEADING:
            lead = _LEADING[letter]
        elif letter == "อ" and sounds:
            sounds.append("o")
        elif letter in _CONSONANTS:
            sounds.append(_CONSONANTS[letter].replace("-", ""))
            # The vowel was written first; a cluster with r or l stays together.
            if lead and word[place + 1 : place + 2] not in ("ร", "ล"):
                sounds.append(lead)
                lead = ""
        elif letter in _FOLLOWING:
            sounds.append(_FOLLOWING[letter])
    if len(sounds) > 1 and word[-1] in _CONSONANTS:
        sounds[-1] = _FINAL.get(sounds[-1], sounds[-1])
    return "".join(sounds)
