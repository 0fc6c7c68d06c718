"""Labels that nobody declared are named only where many people share them."""

from __future__ import annotations

from fractions import Fraction
from math import exp

import pytest

from casevault.disclosure import labels
from casevault.disclosure.accounting import variance_for
from casevault.disclosure.bits import SeededBits


@pytest.mark.parametrize("rho", [Fraction(9, 1000), Fraction(9, 10_000), Fraction(1, 2)])
@pytest.mark.parametrize("delta", [1e-4, 5e-8])
def test_one_person_reaches_the_limit_with_that_probability_at_most(rho, delta):
    """Summed exactly over the discrete Gaussian; half the limit would be reached too often."""
    variance = float(variance_for(1, rho))
    wide = range(-int(12 * variance**0.5) - 3, int(12 * variance**0.5) + 4)
    weight = {x: exp(-x * x / (2 * variance)) for x in wide}

    def reached(limit):
        return sum(w for x, w in weight.items() if 1 + x >= limit) / sum(weight.values())

    assert reached(labels.limit(rho, delta)) <= delta
    assert reached(labels.limit(rho, delta) // 2) > delta


def test_labels_of_many_pass_and_of_one_do_not():
    """The places come back in order; the largest is the largest with noise."""
    found = labels.choose([500, 1, 300, 0], Fraction(9, 1000), 5e-8, SeededBits(b"labels"))
    assert found.passed == (0, 2)
    assert found.largest == 0
    assert found.most(1) == (0,)
    assert found.most(9) == found.passed
