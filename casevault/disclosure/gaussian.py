"""The exact discrete Gaussian, after Canonne, Kamath and Steinke (2020), algorithms 1 to 3.

Integers only: no float, no division, no table of values, so that the distribution is the one of
the proof and not one of rounded numbers. `tests/checks` reads this module for that. The time of a
draw depends on the draw; nobody outside the process can measure one draw of a release.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from casevault.disclosure.bits import Bits


def below(limit: int, bits: Bits) -> int:
    """Return a uniform integer in [0, limit)."""
    width = (limit - 1).bit_length()
    while True:
        drawn = bits.take(width)
        if drawn < limit:
            return drawn


def happens(numerator: int, denominator: int, bits: Bits) -> bool:
    """Return true with probability numerator : denominator, at most one."""
    return below(denominator, bits) < numerator


def _exp_small(numerator: int, denominator: int, bits: Bits) -> bool:
    """Return true with probability exp(-numerator : denominator), for a fraction up to one."""
    k = 1
    while happens(numerator, denominator * k, bits):
        k += 1
    return k % 2 == 1


def exp_happens(numerator: int, denominator: int, bits: Bits) -> bool:
    """Return true with probability exp(-numerator : denominator), for any fraction from zero."""
    while numerator > denominator:
        if not _exp_small(1, 1, bits):
            return False
        numerator -= denominator
    return _exp_small(numerator, denominator, bits)


def discrete_laplace(scale: int, bits: Bits) -> int:
    """Return x with probability proportional to exp(-|x| : scale)."""
    while True:
        low = below(scale, bits)
        if not _exp_small(low, scale, bits):
            continue
        high = 0
        while _exp_small(1, 1, bits):
            high += 1
        magnitude = low + scale * high
        negative = bits.take(1)
        if negative and magnitude == 0:
            continue
        return -magnitude if negative else magnitude


def discrete_gaussian(variance: Fraction, bits: Bits) -> int:
    """Return x with probability proportional to exp(-x² : 2·variance)."""
    if variance <= 0:
        raise ValueError("the variance is positive")
    top, bottom = variance.numerator, variance.denominator
    scale = isqrt(top // bottom) + 1
    while True:
        drawn = discrete_laplace(scale, bits)
        away = abs(drawn) * scale * bottom - top
        if exp_happens(away * away, 2 * top * bottom * scale * scale, bits):
            return drawn
