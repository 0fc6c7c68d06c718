"""Post-processing: numbers add up, none is negative, and the same noise gives the same bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casevault.disclosure import catalogue
from casevault.disclosure.bits import SeededBits
from casevault.disclosure.classifications import Tier
from casevault.disclosure.columns import PUBLISHED, UNRELIABLE, WITHHELD
from casevault.disclosure.estimating import estimate, nearest_with_margins
from casevault.disclosure.measuring import measure
from casevault.disclosure.releasing import Design, Release
from casevault.disclosure.rendering import files
from tests.unit.disclosure.people import crowd, exact, release

_COARSE = release()
_FINE = release(tier=Tier.FINE)


def _adds_up(made: Release, found) -> None:
    for table in made.tables:
        total = int(found[table.universe].values)
        detail = found["/".join((table.universe, *table.axes))].values
        assert detail.min() >= 0
        assert detail.sum() == total
        for position, axis in enumerate(table.axes):
            away = tuple(i for i in range(detail.ndim) if i != position)
            margin = found[f"{table.universe}/{axis}"].values
            assert margin.min() >= 0
            assert margin.sum() == total
            assert (detail.sum(axis=away) == margin).all()


@settings(max_examples=25)
@given(
    seed=st.binary(min_size=1, max_size=8),
    scale=st.integers(0, 400),
    shift=st.integers(-500, 300),
    fine=st.booleans(),
)
def test_details_sum_to_margins_and_margins_to_the_total(seed, scale, shift, fine):
    """For any noisy measurement whatever, also one far below zero."""
    made = _FINE if fine else _COARSE
    draw = np.random.default_rng(list(seed))
    noisy = {
        one.name: tuple(
            int(x) for x in draw.integers(-scale, scale + 1, int(np.prod(one.shape))) + shift
        )
        for one in made.measurements
    }
    _adds_up(made, estimate(made.measurements, noisy))


@settings(max_examples=5)
@given(seed=st.binary(min_size=1, max_size=8), people=st.sampled_from([0, 1, 40]))
def test_the_stored_vector_renders_to_the_same_bytes(seed, people):
    """Through JSON, as it is stored, and with the design read back: byte for byte."""
    noisy = _COARSE.measure(crowd(people, seed=2).snapshot(), SeededBits(seed))
    first = files([(_COARSE, noisy)])
    stored = json.loads(json.dumps({"design": _COARSE.design.as_data(), "noisy": noisy}))
    again = Release.of(Design.from_data(stored["design"]), catalogue.shipped())
    vectors = {name: tuple(values) for name, values in stored["noisy"].items()}
    assert files([(again, vectors)]) == first


@settings(max_examples=5)
@given(st.binary(min_size=1, max_size=8))
def test_no_small_number_is_shown(seed):
    """What is shown is at least 11; what is withheld has neither value nor bounds."""
    noisy = _COARSE.measure(crowd(60, seed=4).snapshot(), SeededBits(seed))
    for shown in _COARSE.cells(noisy).values():
        for cell in shown:
            if cell.status == WITHHELD:
                assert (cell.value, cell.lower, cell.upper) == (None, None, None)
            else:
                assert cell.status in {PUBLISHED, UNRELIABLE}
                assert cell.value >= 11
                assert 0 <= cell.lower <= cell.value <= cell.upper


@settings(max_examples=40)
@given(st.lists(st.floats(-50, 50), min_size=24, max_size=24), st.data())
def test_the_projection_is_the_nearest_array_with_these_margins(values, data):
    """Compared with other arrays of the same margins, none of which is nearer."""
    noisy = np.array(values).reshape(2, 3, 4)
    base = np.array(data.draw(st.lists(st.integers(0, 9), min_size=24, max_size=24)))
    other = base.reshape(2, 3, 4)
    margins = [other.sum(axis=(1, 2)), other.sum(axis=(0, 2)), other.sum(axis=(0, 1))]
    nearest = nearest_with_margins(noisy, margins)
    assert nearest.min() >= 0
    for axis, margin in enumerate(margins):
        away = tuple(i for i in range(3) if i != axis)
        assert nearest.sum(axis=away) == pytest.approx(margin, abs=1e-3)
    assert ((nearest - noisy) ** 2).sum() <= ((other - noisy) ** 2).sum() + 1e-2


def test_noise_without_people_is_mostly_withheld():
    """An empty vault shows (almost) nothing: sampling zeros are no facts."""
    noisy = _COARSE.measure(crowd(0).snapshot(), SeededBits(b"empty"))
    shown = [c for cells in _COARSE.cells(noisy).values() for c in cells]
    assert sum(c.status == WITHHELD for c in shown) > 0.98 * len(shown)


def test_intervals_cover_the_truth():
    """Of all cells that are shown, at least nine in ten intervals hold the exact number."""
    snap = crowd(400, seed=9).snapshot()
    truth = exact(snap, _COARSE)
    held = all_of_them = 0
    for n in range(12):
        found = estimate(
            _COARSE.measurements,
            measure(_COARSE.measurements, truth, SeededBits(bytes([n]))),
        )
        for one in _COARSE.measurements:
            if one.universe == "people":
                away = np.abs(found[one.name].values - truth[one.name])
                held += int((away <= 1.96 * found[one.name].deviation).sum())
                all_of_them += away.size
    assert held / all_of_them > 0.93


def test_the_order_keeps_the_total_near():
    """500 people: the total is off by a few, as its own noise says, not by a third."""
    snap = crowd(500, seed=11).snapshot()
    truth = exact(snap, _COARSE)
    off = []
    for n in range(25):
        noisy = measure(_COARSE.measurements, truth, SeededBits(bytes([7, n])))
        found = estimate(_COARSE.measurements, noisy)
        off.append(abs(int(found["people"].values) - int(truth["people"])))
    assert sum(off) / len(off) < 10
