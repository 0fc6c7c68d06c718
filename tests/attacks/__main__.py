"""`make attack`: run every attack in full and print what it got. Exit code 1 if one got through."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction

from casevault.disclosure.classifications import Tier
from tests.attacks import accuracy, attacks, audit, neighbours
from tests.attacks.attacks import Outcome
from tests.attacks.world import Person, people

ATTACKS: Sequence[tuple[str, Callable[[Sequence[Person], int], Outcome]]] = (
    ("reconstruction (linear program)", attacks.reconstruction),
    ("differencing two releases", lambda crowd, seed: attacks.newcomer(crowd, seed, 60)),
    ("differencing subgroup totals", lambda crowd, seed: attacks.thin_slice(crowd, seed, 200)),
    ("total minus what is shown", attacks.subtraction),
    ("a cohort of twenty", lambda crowd, seed: attacks.small_cohort(crowd, seed, 300)),
    ("600 services of one person", lambda crowd, seed: attacks.busy_person(crowd, seed, 200)),
    ("two simulations, one seed", lambda crowd, seed: attacks.one_seed(crowd, seed, 40)),
    ("averaging 64 looks", lambda crowd, seed: attacks.averaging(crowd, seed, 64)),
    ("linkage by two attributes", attacks.linkage),
    ("zero inference", attacks.zeros),
    ("labels, one person apart", lambda crowd, _seed: neighbours.labels(len(crowd), 25)),
    ("what is withheld", lambda crowd, _seed: neighbours.withheld(len(crowd), 100)),
)
_SIZES = (500, 1500, 5000)


def main() -> int:
    """Print three tables; return the exit code."""
    held = [*_attacks(), *_audits()]
    _accuracy()
    print(f"\n{sum(held)} of {len(held)} as they should be")
    return 0 if all(held) else 1


def _attacks() -> list[bool]:
    print(f"{'attack':34}{'people':>7}{'naive':>9}{'shipped':>9}{'limit':>8}  verdict")
    held = []
    for name, attack in ATTACKS:
        for size in _SIZES:
            found = attack(people(size, size), size)
            held.append(found.held)
            verdict = "held" if found.held else "GOT THROUGH, or does not attack"
            print(
                f"{name:34}{size:>7}{found.naive:>9.1%}{found.shipped:>9.1%}"
                f"{found.limit:>8.1%}  {verdict}"
            )
    return held


def _audits() -> list[bool]:
    print(f"\n{'membership audit':34}{'build':>16}{'epsilon >':>11}{'claim':>7}  verdict")
    held = []
    cases = (
        ("a person", audit.people_release),
        ("a person's services", audit.services_release),
        ("a person's year of releases", audit.large_year),
    )
    for name, case in cases:
        made = case()
        for build, broken in (
            (audit.shipped_build, False),
            (audit.less_noise, True),
            (audit.cap_forgotten, True),
        ):
            if build is audit.cap_forgotten and case is not audit.services_release:
                continue
            began = time.process_time()
            bound, claim = audit.lower_bound(made, build, 20_000, 7), audit.claim(made[0])
            held.append((bound > claim) == broken)
            verdict = "refuted" if bound > claim else "not refuted"
            spent = f"{time.process_time() - began:.0f} s"
            print(f"{name:34}{build.__name__:>16}{bound:>11.2f}{claim:>7.2f}  {verdict} ({spent})")
    return held


def _accuracy() -> None:
    print(f"\n{'mean absolute error':34}{'rho':>7}{'detail':>9}{'margin':>9}{'total':>8}")
    more = (*accuracy.TABLES, "people-means", "people-first-service", "people-region")
    for name, size, tier, rho, tables in (
        ("coarse, 5,000, 4 tables", 5_000, Tier.COARSE, Fraction(9, 100), accuracy.TABLES),
        ("coarse, 5,000, 7 tables", 5_000, Tier.COARSE, Fraction(9, 100), more),
        ("fine, 100,000, 4 tables", 100_000, Tier.FINE, Fraction(45, 1000), accuracy.TABLES),
        ("fine, 100,000, 7 tables", 100_000, Tier.FINE, Fraction(45, 1000), more),
    ):
        found = accuracy.errors(people(size, 3), 60, tables, tier, rho)
        print(
            f"{name:34}{float(rho):>7}{found.detail:>9.2f}{found.margin:>9.2f}{found.total:>8.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
