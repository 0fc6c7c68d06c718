"""What the mechanism is worth: mean absolute errors of made-up people, before display."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from casevault.disclosure.classifications import Tier
from casevault.disclosure.estimating import estimate
from casevault.disclosure.measuring import measure
from tests.attacks.world import Person, frozen, noise, release, truth

TABLES = (
    "people-total",
    "people-exploitation-age-gender",
    "people-citizenship-exploitation",
    "people-context-exploitation",
)


@dataclass(frozen=True)
class Errors:
    """Mean absolute errors of details, one-way margins and the total."""

    detail: float
    margin: float
    total: float


def errors(
    crowd: Sequence[Person],
    draws: int,
    tables: tuple[str, ...] = TABLES,
    tier: Tier = Tier.COARSE,
    rho: Fraction = Fraction(9, 100),
) -> Errors:
    """Return the errors of a release of these tables, over several draws."""
    made = release(*tables, tier=tier, rho=rho)
    exact = truth(frozen(crowd), made)
    found: dict[int, list[np.ndarray]] = {0: [], 1: [], 2: []}
    for n in range(draws):
        noisy = measure(made.measurements, exact, noise("accuracy", n))
        for name, one in estimate(made.measurements, noisy).items():
            away = np.abs(one.values - exact[name]).ravel()
            found[min(name.count("/"), 2)].append(away)
    detail, margin, total = (float(np.concatenate(found[k]).mean()) for k in (2, 1, 0))
    return Errors(detail, margin, total)
