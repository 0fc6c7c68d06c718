"""Whether two people may be one, as a number with its reasons.

The name decides; birth year, phone and papers speak for or against. What one side does not know
speaks for nothing. A score of at least `HIT` is worth a person's look, and no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from casevault.matching.names import NOTHING, Alike, Name, alike
from casevault.matching.people import Person

HIT = 0.76


class Reason(StrEnum):
    """Why two people may be one. The codes never change."""

    NAME_SAME = "name_same"
    NAME_ALIKE = "name_alike"
    NAME_PARTLY = "name_partly"
    FAMILY_NAME_ALIKE = "family_name_alike"
    GIVEN_NAME_ALIKE = "given_name_alike"
    BIRTH_YEAR_SAME = "birth_year_same"
    BIRTH_YEAR_NEAR = "birth_year_near"
    BIRTH_YEAR_OTHER = "birth_year_other"
    PHONE_SAME = "phone_same"
    PHONE_ENDING_SAME = "phone_ending_same"
    NUMBER_SAME = "number_same"


@dataclass(frozen=True, slots=True)
class Match:
    """A score from 0 to 1 and what it is made of."""

    score: float
    reasons: tuple[Reason, ...]

    @property
    def is_hit(self) -> bool:
        """Say whether a person should look at it."""
        return self.score >= HIT


def compare(one: Person, other: Person) -> Match:
    """Compare two people."""
    name = best_name(one.names, other.names)
    reasons: list[Reason] = []
    score = _named(name, reasons)
    score += _years(one.years, other.years, reasons)
    score = _strong(score, name, one, other, reasons)
    return Match(max(0.0, min(1.0, score)), tuple(reasons))


def best_name(mine: tuple[Name, ...], theirs: tuple[Name, ...]) -> Alike:
    """Return how alike the two likest of their names are."""
    found = (alike(a, b) for a in mine for b in theirs)
    return max(found, key=lambda one: (one.score * min(one.met, 1.5), one.score), default=NOTHING)


def explain_parts(asked: Person, found: Person) -> tuple[Reason, ...]:
    """Say which of the words that the asker named as such are met."""
    pairs = ((asked.family, Reason.FAMILY_NAME_ALIKE), (asked.given, Reason.GIVEN_NAME_ALIKE))
    return tuple(
        reason
        for words, reason in pairs
        if words and best_name((words,), found.names).score >= _ALIKE
    )


_SAME, _ALIKE, _PARTLY = 0.98, 0.8, 0.45
_ONE_WORD = 0.72


def _named(name: Alike, reasons: list[Reason]) -> float:
    if name.score >= _SAME and name.met >= _TWO_WORDS:
        reasons.append(Reason.NAME_SAME)
    elif name.score >= _ALIKE:
        reasons.append(Reason.NAME_ALIKE)
    elif name.score >= _PARTLY:
        reasons.append(Reason.NAME_PARTLY)
    # One word in common says little, however alike it is.
    return name.score if name.met >= _TWO_WORDS else name.score * _ONE_WORD


_TWO_WORDS = 1.3


def _years(
    mine: tuple[int, int] | None, theirs: tuple[int, int] | None, reasons: list[Reason]
) -> float:
    if mine is None or theirs is None:
        return 0.0
    apart = max(mine[0] - theirs[1], theirs[0] - mine[1], 0)
    exact = mine[0] == mine[1] and theirs[0] == theirs[1]
    if apart == 0:
        reasons.append(Reason.BIRTH_YEAR_SAME if exact else Reason.BIRTH_YEAR_NEAR)
        return 0.08 if exact else 0.03
    if apart == 1:
        reasons.append(Reason.BIRTH_YEAR_NEAR)
        return 0.04
    reasons.append(Reason.BIRTH_YEAR_OTHER)
    return -0.06 if apart == 2 else -0.12 if apart <= 4 else -0.26


def _strong(score: float, name: Alike, one: Person, other: Person, reasons: list[Reason]) -> float:
    named = bool(one.names and other.names)
    if one.numbers & other.numbers:
        reasons.append(Reason.NUMBER_SAME)
        return max(0.97, score)
    if one.phones & other.phones:
        reasons.append(Reason.PHONE_SAME)
    elif one.last_seven & other.last_seven:
        reasons.append(Reason.PHONE_ENDING_SAME)
    else:
        return score
    full = reasons[-1] is Reason.PHONE_SAME
    if named and name.score < _PARTLY:
        # A phone passes from hand to hand: worth a look, at the end of the list.
        return max(score, HIT)
    return max(score + 0.1, 0.9 if full else 0.85)
