"""Which labels of a file may be named: those that enough people share, by a noisy threshold.

A declared list is public and needs none of this. Where a list is taken from the records
themselves, a label that one person has would name that person by being there, whatever number
stands beside it: so a label is named only when its count with noise passes a limit that a single
person passes with probability δ at most (stability-based selection: Korolova et al. 2009; the tail
of the discrete Gaussian: Canonne, Kamath and Steinke 2020, prop. 25). It is paid for like any
other measurement. Must never look at more than one label of a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt
from statistics import NormalDist

from casevault.disclosure.accounting import variance_for
from casevault.disclosure.bits import Bits
from casevault.disclosure.gaussian import discrete_gaussian


@dataclass(frozen=True, slots=True)
class Choice:
    """Counts of labels with noise, and the limit that a label has to reach."""

    noisy: tuple[int, ...]
    limit: int

    @property
    def passed(self) -> tuple[int, ...]:
        """Return the places of the labels that may be named, in order."""
        return tuple(i for i, count in enumerate(self.noisy) if count >= self.limit)

    def most(self, number: int) -> tuple[int, ...]:
        """Return as `passed`, and of more than this number those with the largest noisy counts."""
        largest = sorted(self.passed, key=lambda i: -self.noisy[i])[:number]
        return tuple(sorted(largest))

    @property
    def largest(self) -> int:
        """Return the place of the label whose noisy count is the largest.

        Only of a list that is public: of one from the records, it would name whoever is alone.
        """
        return max(range(len(self.noisy)), key=self.noisy.__getitem__)


def choose(counts: Sequence[int], rho: Fraction, delta: float, bits: Bits) -> Choice:
    """Return the choice among labels of which each person has one, for `rho` and `delta`."""
    variance = variance_for(1, rho)
    noisy = tuple(count + discrete_gaussian(variance, bits) for count in counts)
    return Choice(noisy, limit(rho, delta))


def limit(rho: Fraction, delta: float) -> int:
    """Return the count that one person alone reaches with probability `delta` at most."""
    deviation = sqrt(variance_for(1, rho))
    return 2 + ceil(-NormalDist().inv_cdf(delta) * deviation)
