"""Counters of writers: what is missing, what is there twice, in whatever order numbers come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.errors import Tampered
from casevault.ledger.counters import Counters, Gap
from casevault.ledger.entry import FIRST_COUNTER


def counted(numbers, writer="w1"):
    """Return the counters after these numbers of one writer."""
    found = Counters()
    for index, number in enumerate(numbers):
        found.add(writer, number, index)
    return found


@given(st.sets(st.integers(FIRST_COUNTER, 40), min_size=1), st.randoms(use_true_random=False))
def test_gaps_are_what_is_not_there(numbers, chance):
    """Whatever the order in which they come."""
    shuffled = sorted(numbers)
    chance.shuffle(shuffled)
    found = counted(shuffled)
    missing = {n for gap in found.gaps() for n in range(gap.first, gap.last + 1)}
    assert missing == set(range(FIRST_COUNTER, max(numbers))) - numbers
    with pytest.raises(Tampered) as caught:
        found.add("w1", shuffled[0], 99)
    assert caught.value.code == "ledger-counter-repeated"


def test_a_writer_who_never_wrote_has_no_gap():
    """And others' numbers are not theirs."""
    found = counted([FIRST_COUNTER, FIRST_COUNTER + 1])
    assert len(found) == 1
    assert found.gaps() == ()


def test_a_number_that_is_explained_is_no_gap():
    """An entry names what was rolled back; saying so twice does no harm."""
    first = FIRST_COUNTER
    found = counted([first, first + 2])
    assert found.gaps() == (Gap("w1", first + 1, first + 1),)
    for _ in range(2):
        found.explain("w1", first + 1)
    assert found.gaps() == ()
    found.explain("w2", first + 1)
    assert found.gaps() == (Gap("w2", first, first),)
