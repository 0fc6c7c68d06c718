"""Signs of a person in words, by their form alone: where they are, and what is none."""

from __future__ import annotations

import pytest

from casevault.domain.case import personal
from casevault.domain.case.personal import Hint, Sign, merged


@pytest.mark.parametrize(
    ("text", "words", "sign"),
    [
        ("write to made.up@example.org today", "made.up@example.org", Sign.EMAIL),
        ("call +39 02 1234 5678 at noon", "+39 02 1234 5678", Sign.NUMBER),
        ("رقم ٠٧٩٠ ٠٠٠ ٠٠٠ له", "٠٧٩٠ ٠٠٠ ٠٠٠", Sign.NUMBER),
        ("passport XK1234567 is gone", "XK1234567", Sign.NUMBER),
        ("see CV-7K3M-9QXP", "CV-7K3M-9QXP", Sign.REFERENCE),
        ("Mrs Made-Up came", "Mrs Made-Up", Sign.NAME),
        ("a 17-year-old girl", "17-year-old", Sign.AGE),
        ("born on 1999-03-02, she says", "born on 1999-03-02", Sign.BIRTH),
        ("родилась 02.03.1999 в деревне", "родилась 02.03.1999", Sign.BIRTH),
    ],
)
def test_a_sign_is_found_where_it_stands(text, words, sign):
    """Its characters, and no more."""
    (hint,) = personal.hints(text)
    assert (text[hint.start : hint.end], hint.sign, hint.own) == (words, sign, False)
    assert personal.looks_personal(text) is sign


@pytest.mark.parametrize(
    "text",
    [
        "next visit on 2026-12-14 at 10:30",
        "le 12/01/2027, le 3.4.26",
        "from 2019-2021 and 2022 – 2023",
        "room 12, bed 4, 120 seats",
        "an @ and a . alone",
    ],
)
def test_days_and_small_numbers_are_nobodys(text):
    """Or every note would be full of remarks."""
    assert personal.hints(text) == []
    assert personal.looks_personal(text) is None


def test_what_overlaps_is_one_hint():
    """The longest, and own if any part is."""
    short, long = Hint(2, 5, Sign.NAME, own=True), Hint(2, 9, Sign.EMAIL)
    longer, later = Hint(4, 12, Sign.NUMBER), Hint(12, 14, Sign.AGE)
    assert merged([later, short, long, longer]) == [Hint(4, 12, Sign.NUMBER, own=True), later]
