"""The arithmetic of the privacy account: zero-concentrated differential privacy (zCDP).

ρ adds up over releases (Bun and Steinke 2016) and is an exact fraction everywhere; ε is a
translation for people, computed at the end and never added.
"""

from __future__ import annotations

from fractions import Fraction
from math import exp, log, log1p


def variance_for(squared_sensitivity: int, rho: Fraction) -> Fraction:
    """Return the variance of the noise that costs `rho`, for a vector of that L2 change squared."""
    return Fraction(squared_sensitivity) / (2 * rho)


def epsilon(rho: Fraction, delta: float) -> float:
    """Return the smallest ε with which `rho` is (ε, δ) (Canonne, Kamath, Steinke, prop. 12)."""
    spent = float(rho)
    if spent == 0:
        return 0.0

    def at(log_excess: float) -> float:
        excess = exp(log_excess)
        alpha = 1 + excess
        return spent * alpha + (-log(delta) - log(alpha)) / excess + log1p(-1 / alpha)

    # Where it is used: every worker loads this module, and it takes a second and 30 MB.
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(at, bounds=(-12, 12), method="bounded", options={"xatol": 1e-9})
    return max(float(found.fun), 0.0)


def delta_for(people: int) -> float:
    """Return δ for a size that is public: a declared band, never a raw count."""
    return 1e-7 if people > 100_000 else 1e-6
