"""The attacks. Each gives shares between 0 and 1: how often it learned something exact.

They get only what is published, are scored with the truth, and know the mechanism.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix
from scipy.special import erf

from casevault.disclosure import catalogue
from casevault.disclosure.counting import snapshot
from casevault.disclosure.facts_csv import Facts
from casevault.disclosure.measuring import measure
from casevault.disclosure.simulating import Wish, simulate
from tests.attacks.world import (
    FLOOR,
    KEY,
    TABLE,
    Counts,
    Person,
    Published,
    frozen,
    naive,
    noise,
    release,
    rows_of,
    shipped,
    truth,
)

DETAIL = "people/exploitation/age_band/gender"
SMALL = 50


def pinned(published: Published) -> dict[tuple[int, ...], int]:
    """Return the withheld details that a linear program leaves exactly one value for."""
    size = int(np.prod(published.shape))
    places = np.indices(published.shape).reshape(len(published.shape), -1)
    rows, columns, right = [], [], []
    for axes, shown in published.margins.items():
        for place, value in shown.items():
            if value is not None:
                inside = np.ones(size, dtype=bool)
                for axis, index in zip(axes, place, strict=True):
                    inside &= places[axis] == index
                cells = np.flatnonzero(inside)
                rows += [len(right)] * len(cells)
                columns += cells.tolist()
                right.append(value)
    sums = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(right), size))
    hidden = [place for place, value in published.margins[_all(published)].items() if value is None]
    found = {}
    for place in hidden:
        aim = np.zeros(size)
        aim[np.ravel_multi_index(place, published.shape)] = 1
        ends = [
            linprog(sign * aim, A_eq=sums, b_eq=right, bounds=(0, None), method="highs")
            for sign in (1, -1)
        ]
        if all(end.success for end in ends):
            low, high = ends[0].fun, -ends[1].fun
            if high - low < 0.5:
                found[place] = round((high + low) / 2)
    return found


def _all(published: Published) -> tuple[int, ...]:
    return tuple(range(len(published.shape)))


@dataclass(frozen=True)
class Outcome:
    """What an attack got, and what it may get: `limit` is what a guess without data would."""

    naive: float
    shipped: float
    limit: float

    @property
    def held(self) -> bool:
        """Say whether the attack works on naive publishing and not on what is shipped."""
        works = self.naive > max(0.03, 2 * self.shipped)
        return works and self.shipped <= self.limit


def reconstruction(crowd: Sequence[Person], seed: int) -> Outcome:
    """Linear program: small cells (1 to 10) whose exact count it pins down."""
    made = release(TABLE)
    snap = frozen(crowd)
    exact = truth(snap, made)[DETAIL]
    small = {tuple(map(int, p)) for p in np.argwhere((exact > 0) & (exact < FLOOR))}
    cells = made.cells(made.measure(snap, noise("lp", seed)))[TABLE]
    shares = []
    for published in (naive(exact), shipped(made, TABLE, cells)):
        claims = pinned(published)
        shares.append(sum(claims.get(p) == int(exact[p]) for p in small) / len(small))
    return Outcome(shares[0], shares[1], 0.05)


def newcomer(crowd: Sequence[Person], seed: int, tries: int) -> Outcome:
    """Two releases, one person apart: newcomers whose whole profile is read off the difference.

    A guess without data names the most frequent profile."""
    made = release(TABLE)
    hits, blind = [0, 0], 0
    before = frozen(crowd)
    old = truth(before, made)[DETAIL].ravel()
    for n in range(tries):
        after = frozen([*crowd, crowd[(7 * n + seed) % len(crowd)]])
        new = truth(after, made)[DETAIL].ravel()
        place = int(np.argmax(new - old))
        # Hidden small cells give nothing to the naive attacker either.
        shown = [np.where((c > 0) & (c < FLOOR), 0, c) for c in (old, new)]
        change = shown[1] - shown[0]
        hits[0] += int(change.max() > 0 and int(np.argmax(change)) == place)
        drawn = [
            made.estimates(made.measure(s, noise("two", seed, n, i)))[DETAIL].values.ravel()
            for i, s in enumerate((before, after))
        ]
        hits[1] += int(int(np.argmax(drawn[1] - drawn[0])) == place)
        blind += int(int(np.argmax(old)) == place)
    return Outcome(hits[0] / tries, hits[1] / tries, _above(blind / tries, tries))


def thin_slice(crowd: Sequence[Person], seed: int, tries: int) -> Outcome:
    """Totals of everybody and of everybody but a small group: how often its size is exact.

    The limit is what noise of that size hits by chance."""
    made = release(TABLE)
    rest = [p for p in crowd if p["citizenships"] != ("FJ",)]
    snaps = [frozen(c) for c in (crowd, rest)]
    totals = [int(truth(s, made)["people"]) for s in snaps]
    hits, deviation = 0, 1.0
    for n in range(tries):
        found = [
            made.estimates(made.measure(s, noise("slice", seed, n, i)))["people"]
            for i, s in enumerate(snaps)
        ]
        deviation = found[0].deviation
        hits += int(found[0].values - found[1].values) == len(crowd) - len(rest)
    exact = totals[0] - totals[1] == len(crowd) - len(rest)
    chance = 1 / (deviation * 2 * np.sqrt(np.pi))
    return Outcome(float(exact), hits / tries, _above(float(chance), tries))


def averaging(crowd: Sequence[Person], seed: int, draws: int) -> Outcome:
    """Asking again: exact cells among those of 11 and more after many looks.

    The naive publisher here draws new noise for whoever asks; the limit is one look."""
    made = release(TABLE)
    snap = frozen(crowd)
    exact = truth(snap, made)
    flat = exact[DETAIL].ravel()
    busy = flat >= FLOOR
    fresh = [
        measure(made.measurements, exact, noise("again", seed, n))[DETAIL] for n in range(draws)
    ]
    stored = made.measure(snap, noise("once", seed))
    looks = [made.estimates(stored)[DETAIL].values.ravel() for _ in range(draws)]
    shares = [
        float((np.rint(np.mean(seen, axis=0)) == flat)[busy].mean())
        for seen in (fresh, looks, looks[:1])
    ]
    return Outcome(*shares)


def linkage(crowd: Sequence[Person], seed: int) -> Outcome:
    """Knowing two of three attributes: small groups of whom the third is certain for everybody."""
    made = release(TABLE)
    snap = frozen(crowd)
    exact = truth(snap, made)[DETAIL]
    cells = made.cells(made.measure(snap, noise("link", seed)))[TABLE]
    shares = [_certain(_seen(one), exact) for one in (naive(exact), shipped(made, TABLE, cells))]
    return Outcome(shares[0], shares[1], 0.02)


def _seen(published: Published) -> Counts:
    """Return the details as numbers, those that a linear program pins too; withheld is -1."""
    found = published.margins[_all(published)]
    known = {**{p: v for p, v in found.items() if v is not None}, **pinned(published)}
    flat = [known.get(p, -1) for p in np.ndindex(published.shape)]
    return np.array(flat).reshape(published.shape)


def _certain(shown: Counts, exact: Counts) -> float:
    groups = known = 0
    for axis in range(exact.ndim):
        held = np.moveaxis(exact, axis, 0).reshape(exact.shape[axis], -1)
        seen = np.moveaxis(shown, axis, 0).reshape(exact.shape[axis], -1)
        for group in np.flatnonzero((held.sum(axis=0) > 0) & (held.sum(axis=0) < SMALL)):
            groups += 1
            # A zero that is shown rules a value out; what is withheld rules nothing out.
            possible = np.flatnonzero(seen[:, group] != 0)
            known += int(len(possible) == 1 and held[possible[0], group] == held[:, group].sum())
    return known / max(groups, 1)


def zeros(crowd: Sequence[Person], seed: int) -> Outcome:
    """Empty cells that are known to be empty because a zero is shown."""
    made = release(TABLE)
    snap = frozen(crowd)
    exact = truth(snap, made)[DETAIL]
    cells = made.cells(made.measure(snap, noise("zero", seed)))[TABLE]
    empty = [tuple(map(int, place)) for place in np.argwhere(exact == 0)]
    shares = [
        sum(one.margins[_all(one)][place] == 0 for place in empty) / len(empty)
        for one in (naive(exact), shipped(made, TABLE, cells))
    ]
    return Outcome(shares[0], shares[1], 0.0)


def subtraction(crowd: Sequence[Person], seed: int) -> Outcome:
    """A margin of which one category is hidden: total minus what is shown, exactly.

    The limit is what rounding noise of that width hits by chance."""
    made = release(TABLE)
    snap = frozen(crowd)
    exact = truth(snap, made)
    hits, tries, deviation = [0, 0], 0, 1.0
    for n in range(20):
        found = made.estimates(made.measure(snap, noise("minus", seed, n)))
        for axis in ("exploitation", "age_band", "gender"):
            right, seen = exact[f"people/{axis}"], found[f"people/{axis}"]
            deviation = seen.deviation
            for place in np.flatnonzero(right > 0):
                tries += 1
                hits[0] += int(exact["people"] - np.delete(right, place).sum()) == right[place]
                rest = int(found["people"].values) - int(np.delete(seen.values, place).sum())
                hits[1] += rest == right[place]
    chance = 1 / (deviation * np.sqrt(2 * np.pi))
    return Outcome(hits[0] / tries, hits[1] / tries, _above(1.5 * float(chance), tries))


def small_cohort(crowd: Sequence[Person], seed: int, tries: int) -> Outcome:
    """Twenty people: how often their number is read off exactly.

    The limit is what noise of that width hits by chance."""
    few = crowd[:20]
    made = release(TABLE)
    snap = frozen(few)
    found = [
        made.estimates(made.measure(snap, noise("few", seed, n)))["people"] for n in range(tries)
    ]
    hits = sum(int(one.values) == len(few) for one in found)
    chance = 1 / (found[0].deviation * np.sqrt(2 * np.pi))
    return Outcome(1.0, hits / tries, _above(float(chance), tries))


def busy_person(crowd: Sequence[Person], seed: int, tries: int) -> Outcome:
    """Somebody with hundreds of rows of services in several cases: are they in the release?

    Scored as advantage over a coin. The limit is what five services in this noise allow."""
    made = release("services-gender")
    others = {n: [n % 15, (n + 3) % 15] for n in range(len(crowd))}
    busy = {**others, len(crowd): [n % 15 for n in range(600)]}
    snaps = (frozen([*crowd, crowd[0]], busy), frozen(crowd, others))
    exact = [truth(one, made)["services"] for one in snaps]
    middle = float(sum(exact)) / 2
    right, deviation = 0, 1.0
    for n in range(tries):
        for present, snap in zip((True, False), snaps, strict=True):
            one = made.estimates(made.measure(snap, noise("busy", seed, n, present)))["services"]
            deviation = one.deviation
            right += (float(one.values) > middle) == present
    allowed = erf(5 / (2 * np.sqrt(2) * deviation))
    return Outcome(1.0, abs(right / tries - 1), _above(float(allowed), tries))


def one_seed(crowd: Sequence[Person], seed: int, tries: int) -> Outcome:
    """Two simulations under one seed, one person apart: is the newcomer what differs?

    The naive simulator draws the same noise for both; the limit is the most frequent profile."""
    tables = catalogue.shipped().pick([TABLE])
    regions = ("North", "South", "West")
    hits, blind = [0, 0], 0
    made = release(TABLE)
    before = rows_of(crowd)
    old = truth(snapshot(before, KEY), made)[DETAIL].ravel()
    for n in range(tries):
        after = rows_of([*crowd, crowd[(11 * n + seed) % len(crowd)]])
        place = int(np.argmax(truth(snapshot(after, KEY), made)[DETAIL].ravel() - old))
        blind += int(int(np.argmax(old)) == place)
        for side, drawn in enumerate((_coupled, _simulated)):
            seen = [
                drawn(Facts(one, regions, (), declared=True), Wish(tables, 1000, str(n), "0"))
                for one in (before, after)
            ]
            hits[side] += int(int(np.argmax(seen[1] - seen[0])) == place)
    return Outcome(hits[0] / tries, hits[1] / tries, _above(blind / tries, tries))


def _simulated(facts: Facts, wish: Wish) -> Counts:
    ((made, noisy),) = simulate(facts, wish, ["2025"], KEY)
    return made.estimates(noisy)[DETAIL].values.ravel()


def _coupled(facts: Facts, wish: Wish) -> Counts:
    made = release(TABLE)
    return np.array(made.measure(snapshot(facts.records, KEY), noise("one", wish.seed))[DETAIL])


def _above(share: float, tries: int) -> float:
    """Return a limit three deviations above a share of so many tries."""
    return share + 3 * float(np.sqrt(max(share * (1 - share), 1 / tries) / tries))
