"""One question against many cards, in time and memory that do not grow with what is asked.

Words of names repeat, so each different word is judged once, in bulk, by its class of sounds; a
card is read in full only if what its words could add up to would be a hit. Nothing is kept once
the question is answered.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import add

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from casevault.matching import lexicon, sounds
from casevault.matching.names import Name, Part, likeness
from casevault.matching.people import Person, decode, part_of
from casevault.matching.score import HIT, Match, compare

_REMEMBERED = 60_000
_LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """A card that matched: the caller's name for it, and why."""

    which: bytes
    match: Match
    person: Person = field(repr=False)


class Scan:
    """A question under way. Feed it cards in batches, then take the best."""

    def __init__(self, asked: Person, limit: int) -> None:
        self._asked = asked
        self._limit = limit
        self._words = _words(asked)
        self._classes = {
            one for part in self._words for one in sounds.classes(part.letters, bare=part.bare)
        }
        self._initials = {part.letters[0] for part in self._words}
        self._spellings = _relations(self._words)
        # Each word of a card → how it could speak for each name that was asked.
        self._known: dict[str, tuple[float, ...] | None] = {}
        self._need = [_needed(asked, name) for name in asked.names]
        self._sure = {one.encode() for one in asked.last_seven | asked.numbers | asked.phones}
        self._best: list[tuple[float, int, Found]] = []
        self._count = 0

    def feed(self, cards: Sequence[tuple[bytes, bytes]]) -> None:
        """Judge cards: the caller's name for each, and its text."""
        texts = [(which, text, text.split(b"\n", 5)) for which, text in cards]
        words = [(parts[5].decode().split() if len(parts) > 5 else []) for _, _, parts in texts]
        self._learn(words)
        for (which, text, parts), named in zip(texts, words, strict=True):
            if self._may_hit(named) or (self._sure and self._is_sure(parts)):
                self._judge(which, text)

    def best(self) -> list[Found]:
        """Return the likeliest cards, the likeliest first."""
        return [found for _, _, found in sorted(self._best, key=lambda one: (-one[0], one[1]))]

    def _judge(self, which: bytes, text: bytes) -> None:
        _, person = decode(text)
        match = compare(self._asked, person)
        if not match.is_hit:
            return
        self._count += 1
        entry = (match.score, -self._count, Found(which, match, person))
        if len(self._best) < self._limit:
            heapq.heappush(self._best, entry)
        else:
            heapq.heappushpop(self._best, entry)

    def _is_sure(self, parts: list[bytes]) -> bool:
        return any(not self._sure.isdisjoint(line.split()) for line in parts[2:5])

    def _may_hit(self, words: Iterable[str]) -> bool:
        known = self._known
        weights: tuple[float, ...] | None = None
        for word in words:
            found = known[word]
            if found is not None:
                weights = found if weights is None else tuple(map(add, weights, found))
        if weights is None:
            return False
        return any(have >= need for have, need in zip(weights, self._need, strict=True))

    def _learn(self, cards: Iterable[Iterable[str]]) -> None:
        known = self._known
        if len(known) > _REMEMBERED:
            known.clear()
        new = {word for words in cards for word in words if word not in known}
        if not new or not self._words:
            known.update(dict.fromkeys(new))
            return
        fresh = list(new)
        worth = self._worth(fresh)
        known.update(dict.fromkeys(fresh))
        known.update((word, self._weights(part_of(word))) for word in worth)

    def _worth(self, words: list[str]) -> set[str]:
        """Return the words that any word of the question could be."""
        spelled = [(word, *word.partition(":")[::2]) for word in words]
        found = {
            word
            for word, letters, _ in spelled
            if letters.lstrip("~") in self._spellings
            or (len(letters) == 1 and letters in self._initials)
            or (len(letters) > 1 and letters[0] in self._initials and "" in self._spellings)
        }
        sounding = [(word, one) for word, _, heard in spelled for one in heard.split(",")]
        heard = [one for _, one in sounding]
        for asked in self._classes:
            close = process.extract_iter(
                asked,
                heard,
                scorer=Levenshtein.normalized_similarity,
                score_cutoff=sounds.WORTH,
            )
            found.update(
                sounding[at][0] for one, same, at in close if sounds.is_worth(asked, one, same)
            )
        return found

    def _weights(self, part: Part) -> tuple[float, ...] | None:
        """Return what a word of a card is worth for each name that was asked."""
        found = tuple(_worth_for(name, part) for name in self._asked.names)
        return found if any(found) else None


def _worth_for(name: Name, part: Part) -> float:
    likest = max(name, key=lambda one: likeness(one, part))
    sim = likeness(likest, part)
    if sim >= _LEAST:
        return lexicon.weight(likest.letters, len(name)) * sim
    # Two words of the question may be one word here, and one there be two here.
    return 1.0 if any(_overlaps(one.letters, part.letters) for one in name) else 0.0


def _overlaps(one: str, other: str) -> bool:
    shared = min(len(one), len(other), 3)
    return shared >= 2 and (one[:shared] == other[:shared] or one[-shared:] == other[-shared:])


def _needed(asked: Person, name: Name) -> float:
    """Return what the words of a card must add up to at least for a hit by this name."""
    total = sum(lexicon.weight(one.letters, len(name)) for one in name)
    year = 0.08 if asked.years else 0.0
    return (HIT - year) * 0.5 * min(total, 2.0) if len(name) > 1 else _LEAST * min(total, 1.0)


def _words(asked: Person) -> list[Part]:
    return list(dict.fromkeys(part for name in asked.names for part in name))


def _relations(words: Iterable[Part]) -> set[str]:
    """Return every spelling that the tables relate to a word, and the words themselves."""
    table = lexicon.groups()
    mine: set[int] = set()
    for part in words:
        mine |= table.get(part.letters, frozenset())
    related = {spelling for spelling, numbers in table.items() if numbers & mine}
    return related | {part.letters for part in words}
