"""How a Latin spelling may sound, and how far two sounds are apart.

`readings` gives the few ways in which a spelling may be read, in one letter per sound.
`coarse` keeps only classes of consonants: it decides what is worth comparing, and nothing else.
`distance` weighs edits: a vowel more or less is little, another consonant is much.
"""

from __future__ import annotations

import functools
import re
from itertools import accumulate, islice, product

from rapidfuzz.distance import Levenshtein

# Of two classes of sounds, how much must be the same for the words to be compared at all; one
# consonant is much of a short word.
WORTH, _WORTH_LONG, _LONG_FROM = 0.5, 0.6, 4

# One letter per sound: S sh, C ch, J dzh or zh, x kh; A is a letter that may be any vowel.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "schtsch": ("S",), "shch": ("S",), "chtch": ("S",), "szcz": ("S",),
    "tsch": ("C",), "tch": ("C",), "sch": ("S",), "chh": ("C",), "dzh": ("J",), "dsch": ("J",),
    "tsh": ("C", "sx"), "zh": ("J",), "dj": ("J",), "sh": ("S",), "cz": ("C",), "sz": ("S",),
    "ch": ("C", "x", "S"), "kh": ("x", "k"), "gh": ("g",), "ph": ("f", "p"), "th": ("t", "s"),
    "dh": ("d", "z"), "bh": ("b",), "jh": ("J",), "rh": ("r",), "tz": ("s",), "ts": ("s",),
    "dz": ("z",), "ck": ("k",), "qi": ("ki", "Ci"), "qu": ("k", "Cu"), "q": ("k", "C"),
    "x": ("ks", "S", "x"), "hs": ("S",),
    "ouy": ("uy",), "ou": ("u",), "oo": ("u",), "ee": ("i",), "ii": ("i",), "aa": ("a",),
    "uu": ("u",), "iy": ("i",), "yi": ("i",), "ij": ("i",), "ey": ("i", "ei"), "eo": ("o", "u"),
    "yeo": ("yo", "yu"), "you": ("yu",),
    "eu": ("u", "eu"), "ae": ("e",), "oe": ("o",), "ue": ("u",), "ui": ("ui", "i"), "gn": ("ny",),
    "j": ("J", "y", "x"), "w": ("w",), "z": ("z",), "gu": ("gu", "g"), "lh": ("ly",),
    "nh": ("n", "ny"), "ng": ("n", "ng"), "tj": ("C", "ty"),
}  # fmt: skip
# Between vowels these are two sounds.
_SUNG_N = re.compile(r"ng(?=[aeiou])")
_SOFT_C = re.compile(r"c(?=[eiy])")
_SPELLED = re.compile("|".join(sorted(_SPELLINGS, key=len, reverse=True)))
_MAX_READINGS = 4
_VOWELS = frozenset("aeiouA")
_WEAK = _VOWELS | frozenset("hyw")

_COARSE = str.maketrans(
    "bpfvtdkgxhszSCJmnlr", "BBBBTTKKKKSSSSSMNLR", "aeiouyw"
)  # fmt: skip


@functools.lru_cache(maxsize=4096)
def readings(letters: str, *, bare: bool = False) -> tuple[str, ...]:
    """Return up to four ways to read a spelling, the likeliest first.

    A `bare` one writes the same consonant twice only where a vowel is said between them.
    """
    spelled = _SOFT_C.sub("s", letters)
    if spelled.startswith("x"):
        spelled = "sh" + spelled[1:]
    spelled = _SUNG_N.sub("nG", spelled)
    # A clerk writes one sound in one way throughout a word.
    unsure = sorted({one for one in _SPELLED.findall(spelled) if len(_SPELLINGS[one]) > 1})
    choices = islice(product(*(_SPELLINGS[one] for one in unsure)), _MAX_READINGS)
    ways = (_read(spelled, dict(zip(unsure, choice, strict=True))) for choice in choices)
    return tuple(dict.fromkeys(way if bare else _settled(way) for way in ways))


def _read(spelled: str, unsure: dict[str, str]) -> str:
    sounds, at = "", 0
    for found in _SPELLED.finditer(spelled):
        sounds += spelled[at : found.start()].replace("c", "k")
        sounds += unsure.get(found[0]) or _SPELLINGS[found[0]][0]
        at = found.end()
    return (sounds + spelled[at:].replace("c", "k")).replace("G", "g")


def coarse(sounds: str) -> str:
    """Return the classes of a reading's consonants; of one without any, its first letter."""
    kept = sounds[:1].replace("h", "") + sounds[1:].rstrip("h")
    classes = kept.translate(_COARSE)
    return _undoubled(classes) or sounds[:1].upper()


@functools.lru_cache(maxsize=1 << 14)
def classes(letters: str, *, bare: bool = False) -> tuple[str, ...]:
    """Return the classes of a spelling's consonants, in each way to read it."""
    return tuple(dict.fromkeys(coarse(one) for one in readings(letters, bare=bare)))


def are_worth_comparing(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Say whether two words are near enough by their classes to be compared at all."""
    return any(
        is_worth(a, b, Levenshtein.normalized_similarity(a, b)) for a in mine for b in theirs
    )


def is_worth(one: str, other: str, same: float) -> bool:
    """Say whether classes of which so much is the same belong to words that may be one."""
    is_long = max(len(one), len(other)) >= _LONG_FROM
    return same >= (_WORTH_LONG if is_long else WORTH)


def share_letters(one: str, other: str) -> bool:
    """Say whether two spellings have so many letters in order that they may be one name."""
    return Levenshtein.normalized_similarity(one, other, score_cutoff=_SHARED) > 0


_SHARED = 0.34


def distance(one: str, other: str, *, bare: bool = False) -> float:
    """Return the weighted edit distance of two readings; `bare`: `one` has no short vowels."""
    costs = _BARE_COSTS if bare else _COSTS
    adding = [_added(letter, other, at, bare) for at, letter in enumerate(other)]
    row = [0.0, *accumulate(adding)]
    for place, left in enumerate(one):
        dropped = _added(left, one, place, bare=False)
        diagonal, row[0] = row[0], row[0] + dropped
        last = row[0]
        for at, right in enumerate(other, 1):
            above = row[at]
            last = min(
                diagonal + costs.get(left + right, 1.0), above + dropped, last + adding[at - 1]
            )
            diagonal, row[at] = above, last
    return row[-1]


_CLOSE: dict[frozenset[str], float] = {
    frozenset(pair): cost
    for cost, pairs in (
        (0.05, "yi wu Aa Ae Ai Ao Au"),
        (0.15, "ou ei hx ea"),
        (0.25, "SC CJ ao wv wo ye sz CJ ya wa"),
        (0.35, "td gk fv kx JS zJ ts dz bp gx gh vb pf zs ai gJ yJ kh uy iw"),
        (0.5, "sS lr mn au eo oi tC dJ sC ue bv fh"),
        (0.7, "iu"),
    )
    for pair in pairs.split()
}
_LONG = frozenset([("w", "u"), ("w", "o"), ("y", "i"), ("y", "e"), ("a", "e"), ("a", "o")])
_BARE_VOWEL, _VOWEL, _ENDING, _WEAK_ONE = 0.06, 0.45, 0.3, 0.3


def _changed(left: str, right: str, *, bare: bool) -> float:
    if left == right:
        return 0.0
    if bare and left in "awy" and right in _WEAK:
        # A long vowel is written by the letter of a consonant.
        return 0.1 if (left, right) in _LONG else 0.4
    return _CLOSE.get(frozenset((left, right)), 1.0 if {left, right} - _VOWELS else 0.6)


_LETTERS = "bpfvtdkgxhszSCJmnlraeiouyw"
_COSTS = {a + b: _changed(a, b, bare=False) for a in _LETTERS for b in _LETTERS}
_BARE_COSTS = {a + b: _changed(a, b, bare=True) for a in _LETTERS for b in _LETTERS}


def is_other(left: str, right: str) -> bool:
    """Say whether two sounds are consonants that nobody takes for one another."""
    return bool(left and right) and not {left, right} & _WEAK and _COSTS.get(left + right, 1.0) >= 1


def _added(letter: str, word: str, place: int, bare: bool) -> float:
    if letter in _VOWELS:
        if bare:
            return _BARE_VOWEL
        return _ENDING if letter in "ei" or place in (0, len(word) - 1) else _VOWEL
    if letter in "hyw":
        return _WEAK_ONE
    # A consonant beside its like is one consonant held longer.
    return 0.4 if letter == "x" else 1.0


def _settled(sounds: str) -> str:
    return _undoubled(re.sub(r"y(?![aeiou])", "i", sounds))


def _undoubled(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)
