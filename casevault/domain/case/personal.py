"""Signs of a person in words: addresses, numbers, titles, ages, dates of birth, case references.

Decides what in a text looks as if it told who somebody is, by the form of what stands there alone;
names of which nothing but the name is written are `casevault.matching`'s. The programme register
refuses what is found here; a case's notes are only remarked upon. Linear in the text. Must never
repeat what it found: a hint is a place and a kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum


class Sign(StrEnum):
    """What a place in a text looks like."""

    EMAIL = "email"
    PHONE = "phone"
    NUMBER = "number"
    REFERENCE = "reference"
    NAME = "name"
    AGE = "age"
    BIRTH = "birth"


@dataclass(frozen=True, slots=True)
class Hint:
    """A place in a text, in characters (`end` is the first one after it), and what is there.

    `own`: it is somebody's whom the same file speaks of by name.
    """

    start: int
    end: int
    sign: Sign
    own: bool = False


# Days and spans of years are numbers of nobody.
_DATES = re.compile(
    r"(?<!\d)(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2})"
    r"|(?:19|20)\d\d ?[-\u2013/] ?(?:19|20)\d\d)(?!\d)"
)
# Bounded wherever two parts could share what stands between them: the time is linear in the text.
_SIGNS: tuple[tuple[Sign, re.Pattern[str]], ...] = tuple(
    (sign, re.compile(pattern, flags))
    for sign, flags, pattern in (
        (Sign.EMAIL, 0, r"[^\s@<>()\",;:]{1,64}@[^\s@<>()\",;:]{1,190}\.[^\s@<>()\",;:.]{1,63}"),
        (Sign.NUMBER, 0, r"\+?\(?(?:\d[\s./()-]{0,2}){6,}\d"),
        (Sign.NUMBER, 0, r"\b[A-Z]{1,3}[- ]?\d{5,9}[A-Z]?\b"),
        (Sign.REFERENCE, re.IGNORECASE, r"\bCV-[0-9A-Z]{4}-[0-9A-Z]{4}\b"),
        (Sign.NAME, 0, r"\b(?:Mr|Mrs|Ms|Mme|Mlle|Sra?|Srta|Dr)\b\.?\s{1,3}[A-ZÀ-Þ][\w'’-]{0,40}"),
        (Sign.AGE, re.IGNORECASE, r"\b\d{1,2}[\s-]{0,3}(?:years?[\s-]old|ans|años|y/o)\b"),
        (Sign.AGE, re.IGNORECASE, r"\b(?:aged|âgée? de)\s{1,3}\d{1,2}\b"),
        (Sign.NAME, 0, r"(?<!\S)(?:السيدة?|الآنسة|الدكتورة?)\s{1,3}\S{1,40}"),
        (Sign.AGE, 0, r"(?:عمره|عمرها|يبلغ|تبلغ)\s{1,3}(?:من العمر\s{1,3})?\d{1,2}"),
        (
            Sign.AGE,
            0,
            r"(?:فتى|فتاة|طفلة?|شاب|شابة|امرأة|رجل)\s{1,3}\S{0,40}\s{0,3}\d{1,2}\s{0,3}(?:سنة|عام)",
        ),
        (
            Sign.BIRTH,
            0,
            r"(?<!\S)(?:مولودة?|وُلدت?|من مواليد)(?=\s)(?:\s{1,3}(?:في|عام|سنة))?"
            r"(?:\s{1,3}\d[\d/.-]{0,9})?",
        ),
        (
            Sign.BIRTH,
            re.IGNORECASE,
            r"\b(?:born|née?|nacid[oa]|родил(?:ась|ся))\s{1,3}(?:(?:on|in|le|en|el|в)\s{1,3})?\d[\d/.-]{0,9}",
        ),
    )
)


def looks_personal(text: str) -> Sign | None:
    """Say which sign of a person stands in words, or None."""
    return next((hint.sign for hint in _found(text)), None)


def hints(text: str) -> list[Hint]:
    """Return what in a text looks personal, in its order; of what overlaps, the longest."""
    return merged(_found(text))


def merged(found: Iterable[Hint]) -> list[Hint]:
    """Return hints in the order of the text; of what overlaps, the longest, as own if any is."""
    kept: list[Hint] = []
    for hint in sorted(found, key=lambda one: (one.start, -one.end)):
        if kept and hint.start < kept[-1].end:
            before = kept[-1]
            longer = hint if hint.end - hint.start > before.end - before.start else before
            kept[-1] = replace(longer, own=hint.own or before.own)
        else:
            kept.append(hint)
    return kept


def _found(text: str) -> Iterator[Hint]:
    without_dates = _DATES.sub(lambda date: "_" * len(date[0]), text)
    for sign, pattern in _SIGNS:
        searched = without_dates if sign is Sign.NUMBER else text
        yield from (Hint(one.start(), one.end(), sign) for one in pattern.finditer(searched))
