"""Our sampler against OpenDP's: the same distribution, and the same price in ρ.

OpenDP is in requirements-oracle.lock and not in the environment of the gate: its library is large.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from scipy.stats import chi2_contingency

from casevault.disclosure.accounting import variance_for
from casevault.disclosure.bits import SeededBits
from casevault.disclosure.gaussian import discrete_gaussian

dp = pytest.importorskip("opendp.prelude", reason="Python package: opendp (make oracle)")
_DRAWS = 20_000


def _theirs(scale: float):
    dp.enable_features("contrib")
    domain = dp.vector_domain(dp.atom_domain(T=int))
    return dp.m.make_gaussian(domain, dp.l2_distance(T=float), scale=scale)


def _alike(ours: list[int], theirs: list[int], width: float) -> float:
    """Return the p-value that both come from one distribution; far tails are joined."""
    far = int(3 * width) + 1
    counts = [Counter(max(min(x, far), -far) for x in drawn) for drawn in (ours, theirs)]
    cells = [x for x in range(-far, far + 1) if counts[0][x] + counts[1][x] > 10]
    table = [[count[x] for x in cells] for count in counts]
    return float(chi2_contingency(table).pvalue)


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1), Fraction(9, 2), Fraction(12)])
def test_both_samplers_draw_alike(scale):
    """And noise that is a tenth wider would be told apart."""
    theirs = [int(x) for x in _theirs(float(scale))([0] * _DRAWS)]
    bits = SeededBits(b"oracle")
    ours = [discrete_gaussian(scale**2, bits) for _ in range(_DRAWS)]
    wider = [discrete_gaussian((scale * Fraction(11, 10)) ** 2, bits) for _ in range(_DRAWS)]
    assert _alike(ours, theirs, float(scale)) > 1e-5
    assert _alike(wider, theirs, float(scale)) < 1e-5


@pytest.mark.parametrize(("squared", "rho"), [(1, Fraction(9, 100)), (25, Fraction(1, 200))])
def test_both_charge_the_same(squared, rho):
    """What our variance is made to cost is what OpenDP says that it costs."""
    scale = float(variance_for(squared, rho)) ** 0.5
    assert _theirs(scale).map(squared**0.5) == pytest.approx(float(rho), rel=1e-6)
