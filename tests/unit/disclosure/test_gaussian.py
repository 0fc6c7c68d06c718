"""The sampler draws the discrete Gaussian, from whatever bits it is given."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import exp

import pytest
from scipy.stats import chisquare

from casevault.disclosure.bits import SeededBits, SystemBits
from casevault.disclosure.gaussian import (
    below,
    discrete_gaussian,
    discrete_laplace,
    exp_happens,
    happens,
)

_UNLIKELY = 1e-6


def _fits(drawn: list[int], weight) -> bool:
    """Chi-square of the draws against weights of -60..60; cells of less than 5 are joined."""
    values = range(-60, 61)
    whole = sum(weight(x) for x in values)
    seen = Counter(drawn)
    expected, found, rest_e, rest_f = [], [], 0.0, 0
    for x in values:
        share = len(drawn) * weight(x) / whole
        if share < 5:
            rest_e, rest_f = rest_e + share, rest_f + seen[x]
        else:
            expected.append(share)
            found.append(seen[x])
    assert sum(found) + rest_f == len(drawn)
    if rest_e:
        expected.append(rest_e)
        found.append(rest_f)
    scale = sum(found) / sum(expected)
    return chisquare(found, [e * scale for e in expected]).pvalue > _UNLIKELY


@pytest.mark.parametrize(
    "variance", [Fraction(1, 3), Fraction(1), Fraction(5, 2), Fraction(1000, 41)]
)
def test_draws_fit_the_discrete_gaussian(variance):
    """Small and large variances, whole and broken."""
    bits = SeededBits(b"gaussian")
    drawn = [discrete_gaussian(variance, bits) for _ in range(8000)]
    spread = float(variance)
    assert _fits(drawn, lambda x: exp(-x * x / 2 / spread))
    assert not _fits(drawn, lambda x: exp(-x * x / 2 / (spread * 1.3)))


def test_draws_fit_the_discrete_laplace():
    """The proposal distribution is right too."""
    bits = SeededBits(b"laplace")
    drawn = [discrete_laplace(4, bits) for _ in range(8000)]
    assert _fits(drawn, lambda x: exp(-abs(x) / 4))
    assert not _fits(drawn, lambda x: exp(-abs(x) / 4.6))


@pytest.mark.parametrize(("top", "bottom"), [(0, 1), (1, 3), (1, 1), (7, 3)])
def test_an_event_of_exponential_probability(top, bottom):
    """exp(-x) for x of zero, below one, one and above."""
    bits = SeededBits(b"event")
    share = sum(exp_happens(top, bottom, bits) for _ in range(6000)) / 6000
    assert abs(share - exp(-top / bottom)) < 0.03


def test_uniform_numbers_and_events():
    """All values below a limit, also below one; what is certain happens."""
    bits = SeededBits(b"uniform")
    assert {below(5, bits) for _ in range(200)} == set(range(5))
    assert below(1, bits) == 0
    assert happens(3, 3, bits)
    assert not happens(0, 3, bits)


def test_a_variance_of_nothing_is_refused():
    """No noise is no mechanism."""
    with pytest.raises(ValueError, match="positive"):
        discrete_gaussian(Fraction(0), SystemBits())


def test_the_seed_decides_in_simulations_only():
    """Same seed, same bits; the system's bits have no seed to give."""
    assert SeededBits(b"a").take(900) == SeededBits(b"a").take(900)
    assert SeededBits(b"a").take(900) != SeededBits(b"b").take(900)
    assert SystemBits().take(900) != SystemBits().take(900)
    with pytest.raises(TypeError):
        SystemBits(b"a")  # type: ignore[call-arg]


def test_bits_are_fair_and_used_once():
    """Half of them are set, and taking in pieces gives what taking at once gives."""
    whole = SeededBits(b"x").take(64 * 64)
    assert abs(whole.bit_count() - 2048) < 200
    pieces, source = 0, SeededBits(b"x")
    for i in range(64):
        pieces |= source.take(64) << (64 * i)
    assert pieces == whole
