"""Empirical audit of ε: is somebody's presence easier to tell than the release says?

Two vaults that differ by one person, many draws from each, the likelihood ratio of all measured
vectors as the test. The bound holds with 99.9 % confidence (Clopper and Pearson); a threshold is
chosen on one half of the draws and judged on the other. A bound above the claim refutes the claim.
A bound below it proves nothing: it is what the best attacker of so many draws could show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from casevault.disclosure.catalogue import SizeClass
from casevault.disclosure.classifications import Tier
from casevault.disclosure.counting import Snapshot
from casevault.disclosure.measuring import Measurement, measure
from casevault.disclosure.parameters import PLANS
from casevault.disclosure.releasing import Release
from tests.attacks.world import Counts, Person, frozen, noise, release, truth

CONFIDENCE = 0.999
_FLOATS = NDArray[np.float64]
Build = Callable[[Release], Sequence[Measurement]]


def shipped_build(made: Release) -> Sequence[Measurement]:
    """Measure as the product does."""
    return made.measurements


def less_noise(made: Release) -> Sequence[Measurement]:
    """A broken build: the noise of every vector has a sixth of its deviation."""
    return [replace(one, rho=one.rho * 36) for one in made.measurements]


def cap_forgotten(made: Release) -> Sequence[Measurement]:
    """A broken build: noise as if one person added one service."""
    return [replace(one, squared=1) for one in made.measurements]


def people_release() -> tuple[Release, dict[str, Counts], dict[str, Counts]]:
    """Return a release of people, and its exact vectors with and without one person."""
    made = release("people-total", "people-context-exploitation")
    crowd: list[Person] = [{"exploitation": ("ForcedLabour",), "context": ("conflict",)}] * 40
    target: Person = {"exploitation": ("OrganRemoval",), "context": ("health",)}
    return made, truth(frozen([*crowd, target]), made), truth(frozen(crowd), made)


def services_release() -> tuple[Release, dict[str, Counts], dict[str, Counts]]:
    """Return a release of services, with and without a person who had the five that count."""
    made = release("services-gender")
    crowd: list[Person] = [{"gender": ("Masculine",)}] * 12
    services = {n: [n % 15, (n + 1) % 15] for n in range(12)}
    target: Person = {"gender": ("Feminine",)}
    full = frozen([*crowd, target], {**services, 12: [0, 1, 2, 3, 4]})
    return made, truth(full, made), truth(frozen(crowd, services), made)


def large_year() -> tuple[Release, dict[str, Counts], dict[str, Counts]]:
    """Return all releases of a year of a large organisation as one, with and without a person.

    They are in the annual one, in the quarter's registrations, and had ten services in it: whether
    the account is right to add up what each release costs.
    """
    large = PLANS[SizeClass.LARGE]
    quarters = tuple(f"2025-Q{n}" for n in range(1, 5))
    annual = ("people-total", "people-first-service")
    registered = ("people-total", "people-region")
    parts = [
        release(*annual, tier=Tier.FINE, rho=large.annual),
        release(*registered, rho=large.quarterly_people, period="2025-Q2"),
        *(
            release("services-quarter", rho=large.quarterly_services, period=quarter)
            for quarter in quarters
        ),
    ]
    crowd: list[Person] = [{"gender": ("Masculine",)}] * 12
    services = {n: [n % 15, (n + 1) % 15] for n in range(12)}
    full = frozen([*crowd, crowd[0]], {**services, 12: list(range(10))})
    return _joined(parts), _truths(parts, full), _truths(parts, frozen(crowd, services))


def _joined(parts: Sequence[Release]) -> Release:
    measured = tuple(
        replace(one, universe=f"{number} {one.universe}")
        for number, part in enumerate(parts)
        for one in part.measurements
    )
    whole = sum((part.design.rho for part in parts), Fraction(0))
    return replace(parts[0], design=replace(parts[0].design, rho=whole), measurements=measured)


def _truths(parts: Sequence[Release], snap: Snapshot) -> dict[str, Counts]:
    return {
        f"{number} {name}": counts
        for number, part in enumerate(parts)
        for name, counts in truth(snap, part).items()
    }


def lower_bound(
    case: tuple[Release, Mapping[str, Counts], Mapping[str, Counts]],
    build: Build,
    draws: int,
    seed: int,
) -> float:
    """Return an ε that the mechanism surely exceeds, at the δ of the release."""
    made, full, fewer = case
    plan = build(made)
    scores = [
        np.array([_score(plan, full, fewer, vectors, seed, n, side) for n in range(draws)])
        for side, vectors in enumerate((full, fewer))
    ]
    half = draws // 2
    chosen = max(
        _candidates(scores[0][:half], scores[1][:half]),
        key=lambda t: _bound(scores[0][:half] > t, scores[1][:half] > t, made.design.delta),
    )
    return _bound(scores[0][half:] > chosen, scores[1][half:] > chosen, made.design.delta)


def _candidates(present: _FLOATS, absent: _FLOATS) -> list[float]:
    return [float(x) for x in np.quantile(np.r_[present, absent], np.linspace(0.02, 0.995, 60))]


def _score(
    plan: Sequence[Measurement],
    full: Mapping[str, Counts],
    fewer: Mapping[str, Counts],
    vectors: Mapping[str, Counts],
    *words: object,
) -> float:
    """Return the log likelihood ratio of one draw: present against absent."""
    drawn = measure(plan, vectors, noise("audit", *words))
    score = 0.0
    for one in plan:
        change = (full[one.name] - fewer[one.name]).ravel()
        away = np.array(drawn[one.name]) - fewer[one.name].ravel() - change / 2
        score += float(away @ change) / float(one.variance)
    return score


def _bound(present: NDArray[np.bool_], absent: NDArray[np.bool_], delta: float) -> float:
    """Return ln((TPR - δ) / FPR) with TPR at its lower and FPR at its upper confidence limit."""
    miss = (1 - CONFIDENCE) / 2
    hits, alarms = int(present.sum()), int(absent.sum())
    low = float(beta.ppf(miss, hits, len(present) - hits + 1)) if hits else 0.0
    high = (
        float(beta.ppf(1 - miss, alarms + 1, len(absent) - alarms)) if alarms < len(absent) else 1
    )
    return log(max((low - delta) / high, 1e-12))


def claim(made: Release) -> float:
    """Return the ε that the files of a release state."""
    return made.design.epsilon
