"""Remarks on notes: what is found of what is marked, what is found that is not, and how long."""

from __future__ import annotations

import sys
import time

import pytest

from casevault.domain.case.personal import Sign
from casevault.matching import noticing
from casevault.matching.noticing import Known
from casevault.matching.people import person
from casevault.store.casework import advising
from casevault.store.casework.advising import remarked
from tests.unit.matching.notes import NOTES, OWN_NAMES, OWN_PAPERS, OWN_PHONES, UNSEEN, marked

KNOWN = Known(person(OWN_NAMES, None, OWN_PHONES, OWN_PAPERS), OWN_NAMES)


def judged(notes):
    """Return how many marks were found, how many not, and how many remarks nobody marked."""
    found = missed = false = 0
    for note in notes:
        text, places = marked(note)
        hints = remarked(text, KNOWN)
        met = [any(h.start < end and h.end > start for h in hints) for start, end, _ in places]
        found, missed = found + sum(met), missed + met.count(False)
        false += sum(
            not any(h.start < end and h.end > start for start, end, _ in places) for h in hints
        )
    return found, missed, false


@pytest.mark.parametrize(
    ("notes", "recall", "precision"), [(NOTES, 0.95, 0.95), (UNSEEN, 0.75, 0.9)]
)
def test_what_names_somebody_is_found(notes, recall, precision, capsys):
    """In eight languages; of notes that nothing was tuned to, most: it is advice, no proof."""
    found, missed, false = judged(notes)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(notes)} notes: recall {found / (found + missed):.2f} ({missed} missed),"
            f" precision {found / (found + false):.2f} ({false} false)\n"
        )
    assert found / (found + missed) >= recall
    assert found / (found + false) >= precision


def test_kinds_and_places_are_those_of_the_marks():
    """Characters of the text, the kind that stands there, and whether the file speaks of them."""
    for note in NOTES:
        text, places = marked(note)
        hints = remarked(text, KNOWN)
        for start, end, kind in places:
            hint = next(one for one in hints if one.start < end and one.end > start)
            assert hint.sign == {"own": "name"}.get(kind, kind), text
            assert hint.own or kind != "own", text


def test_without_an_identity_nobody_is_own():
    """Who does not hold the identity learns nothing about it from what they write."""
    text, _ = marked("{own|Zaziwe} has the passport {number|XK1234567}, phone {phone|+15550100199}")
    assert [hint.sign for hint in remarked(text, Known())] == [Sign.NUMBER, Sign.PHONE]
    assert not any(hint.own for hint in remarked(text, Known()))
    assert all(hint.own for hint in remarked(text, KNOWN))


def test_a_reference_of_the_same_case_is_own():
    """And another's is not."""
    text = "cv-7k3m-9qxp and CV-AAAA-BBBB"
    found = remarked(text, Known(), reference="CV-7K3M-9QXP")
    assert [(hint.sign, hint.own) for hint in found] == [
        (Sign.REFERENCE, True),
        (Sign.REFERENCE, False),
    ]


def test_phones_of_the_programmes_countries_need_no_prefix():
    """A number that can be dialled there is a phone."""
    assert [h.sign for h in remarked("06 12 34 56 78", Known(), ["FR"])] == [Sign.PHONE]
    assert [h.sign for h in remarked("06 12 34 56 78", Known())] == [Sign.NUMBER]


@pytest.mark.parametrize(
    "text",
    [
        "Amina came to see Karim in Paris. " * 600,
        "وصلت أمينة مع خديجة الى المدينة. " * 600,
        "a@" * 10_000,
        "1 " * 10_000,
        "فتى " + " " * 19_000,
        "@" * 20_000,
        "Dr" + " " * 19_000,
        "'" * 20_000,
    ],
)
def test_the_longest_text_takes_little_time(text):
    """Also one that was written to take long: a fifth of what is allowed at most."""
    began = time.thread_time()
    remarked(text[:20_000], KNOWN)
    assert time.thread_time() - began < advising.MOST_SECONDS


def test_what_takes_too_long_is_given_up(monkeypatch):
    """So that advice never keeps anybody waiting."""
    monkeypatch.setattr(advising, "MOST_SECONDS", -1.0)
    with pytest.raises(TimeoutError):
        remarked("Amina", KNOWN)


def test_words_with_marks_and_joiners_are_words():
    """Combining marks belong to their letter, an apostrophe inside a word to the word."""
    found = noticing.names_in("O'Brien met Mari\u0301a-Fatima.", Known())
    assert [(one.start, one.end) for one in found] == [(12, 25)]
