"""Pairs of records with a label, from a seed: spelled as clerks, scripts and standards would.

Same person: two spellings by two rules, words swapped, a part left out, a slip of the finger, a
birth year as somebody said it. Near misses: brothers and sisters, the same given name in another
family, the given name of the stock that is spelled most alike, the same birth year throughout.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from tests.pairs.people import STOCKS, Stock


@dataclass(frozen=True, slots=True)
class Record:
    """What one desk wrote down."""

    name: str
    birth_year: int | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records, and whether they are one person."""

    script: str
    kind: str
    one: Record
    other: Record
    same: bool


def pairs(seed: int, of_each: int = 28) -> list[Pair]:
    """Return labelled pairs: `of_each` of the same person and as many near misses, by script."""
    draw = random.Random(seed)  # noqa: S311 - a seed is the point
    return [pair for stock in STOCKS for pair in _of(stock, draw, of_each)]


def _of(stock: Stock, draw: random.Random, count: int) -> Iterator[Pair]:
    for _ in range(count):
        given, family = draw.choice(stock.given), draw.choice(stock.family)
        yield _same(stock, draw, given, family)
    for _ in range(count):
        given, family = draw.choice(stock.given), draw.choice(stock.family)
        yield _near(stock, draw, given, family)


def _same(stock: Stock, draw: random.Random, given: Name, family: Name) -> Pair:
    one, other = _spelled_twice(stock, draw, given, family)
    swapped = _spelled_twice(stock, draw, given, family, swapped=True)
    year = draw.randint(1970, 2010) if draw.random() < 0.5 else None
    kind = "spelling"
    chance = draw.random()
    if chance < 0.12 and not stock.together:
        (one, other), kind = swapped, "swapped"
    elif chance < 0.24 and len(other.split()) > 2 and not stock.together:
        other, kind = _partly(other, draw), "partial"
    elif chance < 0.34:
        typed = _mistyped(other, draw)
        other, kind = typed, "typo" if typed != other else kind
    heard = None if year is None else year + draw.choice((0, 0, 0, 1, -1))
    return Pair(stock.script, kind, Record(one, year), Record(other, heard), same=True)


def _near(stock: Stock, draw: random.Random, given: Name, family: Name) -> Pair:
    chance = draw.random()
    if chance < 0.45:
        kind, other_given, other_family = "sibling", _another(stock.given, given, draw), family
    elif chance < 0.75:
        kind, other_given, other_family = "given", given, _another(stock.family, family, draw)
    else:
        kind, other_given, other_family = "likest", _likest(stock.given, given), family
    one, _ = _spelled_twice(stock, draw, given, family)
    _, other = _spelled_twice(stock, draw, other_given, other_family)
    year = draw.randint(1970, 2010) if draw.random() < 0.5 else None
    return Pair(stock.script, kind, Record(one, year), Record(other, year), same=False)


Name = tuple[str, str]


def _spelled_twice(
    stock: Stock, draw: random.Random, given: Name, family: Name, *, swapped: bool = False
) -> tuple[str, str]:
    first, second = draw.sample(["own", *stock.spellings], 2)
    return (
        _spelled(stock, first, given, family, stock.family_first),
        _spelled(stock, second, given, family, stock.family_first != swapped),
    )


def _spelled(stock: Stock, rule: str, given: Name, family: Name, family_first: bool) -> str:
    spell = stock.spellings.get(rule)
    words = [family[0], given[0]] if spell is None else [spell(family[1]), spell(given[1])]
    glue = "" if stock.together and spell is None else " "
    return glue.join(words if family_first else words[::-1])


def _partly(name: str, draw: random.Random) -> str:
    words = name.split()
    particles = {"bin", "al", "el", "de", "la", "abd", "عبد", "بن", "thị", "văn", "thi", "van"}
    droppable = [
        at
        for at, word in enumerate(words)
        if at > 0 and word.lower() not in particles and words[at - 1].lower() not in particles
    ]
    if not droppable or len(words) < 3:
        return name
    del words[draw.choice(droppable)]
    return " ".join(words)


def _mistyped(name: str, draw: random.Random) -> str:
    words = name.split()
    longest = max(range(len(words)), key=lambda at: len(words[at]))
    word = words[longest]
    if len(word) < 6 or not word.isascii():
        return name
    at = draw.randint(2, len(word) - 2)
    slip = draw.choice(("drop", "double", "swap", "other"))
    if slip == "drop":
        word = word[:at] + word[at + 1 :]
    elif slip == "double":
        word = word[:at] + word[at] + word[at:]
    elif slip == "swap":
        word = word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    else:
        word = word[:at] + draw.choice("aeioustrnlm") + word[at + 1 :]
    words[longest] = word
    return " ".join(words)


def _another(stock: tuple[Name, ...], present: Name, draw: random.Random) -> Name:
    return draw.choice([one for one in stock if one != present])


def _likest(stock: tuple[Name, ...], present: Name) -> Name:
    """Return the other name that shares most letters at the same distance from the ends."""

    def shared(one: Name) -> tuple[int, int]:
        a, b = one[1], present[1]
        front = sum(x == y for x, y in zip(a, b, strict=False))
        back = sum(x == y for x, y in zip(a[::-1], b[::-1], strict=False))
        return -(front + back), abs(len(a) - len(b))

    return min((one for one in stock if one != present), key=shared)


def by_script(found: list[Pair]) -> dict[str, list[Pair]]:
    """Return pairs by their script."""
    return {script: list(group) for script, group in groupby(found, key=lambda one: one.script)}
