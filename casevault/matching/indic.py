"""The alphabets of South Asia that Unicode lays out alike: one table by position.

A consonant carries an `a` unless a vowel sign or the virama follows; at the end of a word, and
before a syllable with a vowel of its own, most languages of the north do not say it.
"""

from __future__ import annotations

from casevault.matching import text

# First code point of each block: Devanagari, Bengali, Gurmukhi, Gujarati, Oriya, Tamil, Telugu,
# Kannada, Malayalam.
_BLOCKS = (0x900, 0x980, 0xA00, 0xA80, 0xB00, 0xB80, 0xC00, 0xC80, 0xD00)
_NAMES = frozenset(
    "devanagari bengali gurmukhi gujarati oriya tamil telugu kannada malayalam".split()
)
_VOWELS = dict(
    zip(
        range(0x05, 0x15),
        "a a i i u u ri l e e e ai o o o au".split(),
        strict=True,
    )
)
_CONSONANTS = dict(
    zip(
        range(0x15, 0x3A),
        (
            "k kh g gh n ch chh j jh n t th d dh n t th d dh n n p ph b bh m y r r l l l v sh"
            " sh s h"
        ).split(),
        strict=True,
    )
)
_SIGNS = dict(zip(range(0x3E, 0x4D), "a i i u u ri ri e e e ai o o o au".split(), strict=True))
_NASAL, _NUKTA, _VIRAMA = frozenset({0x01, 0x02, 0x70}), 0x3C, 0x4D
# A dot below makes another consonant.
_DOTTED = {"d": "r", "dh": "r", "j": "z", "ph": "f", "k": "q", "kh": "kh", "g": "gh", "y": "y"}
_BY_LETTER = {"ৎ": "t", "ৰ": "r", "ৱ": "w"}


def is_indic(word: str) -> bool:
    """Say whether a word is in one of these alphabets."""
    return bool(text.scripts(word) & _NAMES)


def from_indic(word: str) -> str:
    """Return a word in Latin letters."""
    sounds: list[tuple[str, bool]] = []
    for letter in word:
        at = _position(letter)
        if letter in _BY_LETTER:
            sounds.append((_BY_LETTER[letter], True))
        elif at in _CONSONANTS:
            sounds.append((_CONSONANTS[at], True))
        elif at in _VOWELS:
            sounds.append((_VOWELS[at], False))
        elif sounds and at == _NUKTA:
            sounds[-1] = (_DOTTED.get(sounds[-1][0], sounds[-1][0]), True)
        elif sounds and (at in _SIGNS or at == _VIRAMA):
            sounds[-1] = (sounds[-1][0] + _SIGNS.get(at, ""), False)
        elif at in _NASAL:
            sounds.append(("n", False))
    return _spoken(sounds)


def _position(letter: str) -> int:
    code = ord(letter)
    return next((code - base for base in _BLOCKS if base <= code < base + 0x80), -1)


def _spoken(sounds: list[tuple[str, bool]]) -> str:
    last = len(sounds) - 1
    return "".join(
        sound + ("a" if carries and place != last else "")
        for place, (sound, carries) in enumerate(sounds)
    )
