"""What matching knows of a person, from a record or from what somebody typed, and as a card.

A card's text holds words in Latin letters with their classes of sounds, birth years, the last
seven digits of phones, and in full only what the programme switches on. Never more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from casevault.matching import VERSION, phones, sounds, text
from casevault.matching.names import Name, Part, parts

MAX_NAMES, MAX_PHONES, MAX_NUMBERS = 12, 6, 6
_SHORTEST_NUMBER = 5


@dataclass(frozen=True, slots=True)
class Person:
    """A person as far as matching goes; `years` are the first and last possible birth year."""

    names: tuple[Name, ...] = field(default=(), repr=False)
    years: tuple[int, int] | None = field(default=None, repr=False)
    last_seven: frozenset[str] = field(default=frozenset(), repr=False)
    phones: frozenset[str] = field(default=frozenset(), repr=False)
    numbers: frozenset[str] = field(default=frozenset(), repr=False)
    # Which of the words are said to be the family's, or the person's own; for explanations.
    family: Name = field(default=(), repr=False)
    given: Name = field(default=(), repr=False)


def person(
    names: Iterable[str] = (),
    years: tuple[int, int] | None = None,
    phone_numbers: Iterable[str] = (),
    numbers: Iterable[str] = (),
    *,
    family: str = "",
    given: str = "",
    regions: Iterable[str] = (),
) -> Person:
    """Return what can be compared of a person; what says nothing is left out."""
    dialled = list(phone_numbers)[:MAX_PHONES]
    written = [parts(name) for name in list(names)[:MAX_NAMES]]
    known = tuple(regions)
    return Person(
        names=tuple(dict.fromkeys(name for name in written if name)),
        years=years,
        last_seven=frozenset(s for one in dialled if (s := phones.last_seven(one)) is not None),
        phones=frozenset(s for one in dialled if (s := phones.in_full(one, known)) is not None),
        numbers=frozenset(s for one in list(numbers)[:MAX_NUMBERS] if (s := number(one))),
        family=parts(family),
        given=parts(given),
    )


def number(written: str) -> str:
    """Return a number of a paper without what people put between its signs; short ones are none."""
    plain = unicodedata.normalize("NFKC", written[: text.MAX_LETTERS]).casefold()
    kept = "".join(text.digits(one) or one for one in plain if one.isalnum())
    return kept if len(kept) >= _SHORTEST_NUMBER else ""


def attributes(one: Person) -> int:
    """Count what a search goes by: each word of the fullest name, a birth year, a phone, a paper.

    A phone or a paper is strong: it counts as two.
    """
    words = max((_telling(name) for name in one.names), default=0)
    strong = bool(one.last_seven) + bool(one.numbers)
    return words + (one.years is not None) + 2 * strong


def encode(one: Person, *, full_phones: bool, with_numbers: bool) -> bytes:
    """Return the text of a card."""
    years = "" if one.years is None else f"{one.years[0]}-{one.years[1]}"
    lines = (
        str(VERSION),
        years,
        " ".join(sorted(one.last_seven)),
        " ".join(sorted(one.phones)) if full_phones else "",
        " ".join(sorted(one.numbers)) if with_numbers else "",
        *(" ".join(map(token, name)) for name in one.names),
    )
    return "\n".join(lines).encode()


def decode(card: bytes) -> tuple[int, Person]:
    """Return the version of matching that made a card, and what it holds."""
    version, years, seven, full, numbers, *names = card.decode().split("\n")
    span = None
    if years:
        first, _, last = years.partition("-")
        span = int(first), int(last)
    return int(version), Person(
        tuple(tuple(part_of(word) for word in name.split(" ")) for name in names if name),
        span,
        frozenset(seven.split()),
        frozenset(full.split()),
        frozenset(numbers.split()),
    )


def token(part: Part) -> str:
    """Return a word of a card: the letters, and by what it is found to be worth comparing."""
    return f"{part}:{','.join(sounds.classes(part.letters, bare=part.bare))}"


def part_of(word: str) -> Part:
    """Read what `token` wrote."""
    letters = word.partition(":")[0]
    return Part(letters.removeprefix("~"), letters.startswith("~"))


def _telling(name: Name) -> int:
    return sum(len(one.letters) > 1 for one in name)
