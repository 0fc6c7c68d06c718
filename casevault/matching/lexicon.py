"""Given names that belong together and words that are no names: the tables, read once.

A pair of names that stand in different groups only is two names: a typing error turns no Amina
into an Amira.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources

from casevault.matching import scripts, text

# Dropped between the parts of a name: articles, prepositions, "son of", "daughter of".
PARTICLES = frozenset(
    "al el ul ur as ash az ad ud bin ibn bint binti ben ould wuld walad de da do dos das del della"
    " di du des la le los las van von der den ter ten zu zur af av y e und and"
    " oglu ogly kyzy qizi kizi mac mc".split()
)
# Said before names: no names.
TITLES = frozenset("mr mrs ms miss dr prof sheikh shaikh hajj haji hadji hajja syed sayyid".split())
# Middle words that say no more than man or woman, and names that half a country has.
_COMMON = frozenset(
    "mohammed muhammad mohamed mohammad md mhmd ahmed ahmad ahmd ali begum bibi khatun khatoon"
    " kaur singh devi kumari kumar khan nguyen tran thi van le pham kim lee li wang zhang park"
    " chen maria mary"
    .split()
)  # fmt: skip
_MIDDLE = frozenset("thi van md mhmd begum bibi khatun khatoon kaur devi kumari".split())
_PATRONYMIC = ("ovich", "evich", "ovych", "yovych", "evych", "ovna", "evna", "ivna", "ovitch",
               "evitch", "owitsch", "ewitsch", "ovic", "evic", "ovyc")  # fmt: skip
FULL, COMMON, OPTIONAL = 1.0, 0.8, 0.35


@functools.cache
def groups() -> Mapping[str, frozenset[int]]:
    """Return the groups in which each spelling stands."""
    found: dict[str, set[int]] = {}
    raw = resources.files("casevault.matching").joinpath("nicknames.txt").read_text("utf-8")
    lines = (line for line in raw.splitlines() if line and not line.startswith("#"))
    for number, line in enumerate(lines):
        for one in (one for spelling in line.split() for one in text.words(spelling)):
            for latin in scripts.latin(one)[:1]:
                found.setdefault(latin.letters, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def related(one: str, other: str) -> bool | None:
    """Say whether two spellings may be one name; None if the tables do not know both."""
    known = groups()
    mine, theirs = known.get(one), known.get(other)
    if mine is None or theirs is None:
        return None
    return bool(mine & theirs)


def weight(letters: str, of: int) -> float:
    """Return how much a word of a name of `of` words tells about who it is."""
    if of >= 3 and (letters.endswith(_PATRONYMIC) or letters in _MIDDLE):
        return OPTIONAL
    if len(letters) == 1:
        return OPTIONAL
    return COMMON if letters in _COMMON else FULL
