"""What is shown of an estimate, and the guard against groups that are nearly one thing."""

from __future__ import annotations

import numpy as np

from casevault.disclosure.columns import UNRELIABLE, WITHHELD
from casevault.disclosure.displaying import cells
from casevault.disclosure.estimating import Estimate
from tests.unit.disclosure.people import release


def _context(details: np.ndarray, deviation: float = 1.0):
    made = release("people-context-exploitation")
    (table,) = made.tables
    found = {
        "people": Estimate(details.sum(), deviation),
        "people/context": Estimate(details.sum(axis=1), deviation),
        "people/exploitation": Estimate(details.sum(axis=0), deviation),
        "people/context/exploitation": Estimate(details, deviation),
    }
    return {c.place: c for c in cells(table, made.dimensions, found)}, made


def _full(value: int = 100) -> np.ndarray:
    made = release("people-context-exploitation")
    shape = tuple(len(made.dimensions[a].categories) for a in made.tables[0].axes)
    return np.full(shape, value, dtype=np.int64)


def test_a_child_that_is_nearly_its_small_parent_is_merged_upward():
    """40 people of a context, 39 of them of one kind: the kinds of that context are not shown."""
    details = _full()
    details[0] = 0
    details[0, :2] = (39, 1)
    shown, made = _context(details)
    climate = made.dimensions["context"].categories[0]
    kinds = made.dimensions["exploitation"].categories
    assert shown[climate, "_T"].value == 40
    assert all(shown[climate, kind].status == WITHHELD for kind in kinds)
    assert shown["health", kinds[0]].value == 100


def test_a_large_parent_or_a_mixed_one_is_shown():
    """60 of 60 are many people; 20 of 40 say little about one."""
    details = _full()
    details[0] = 0
    details[0, 0] = 60
    details[1] = 0
    details[1, :2] = 20
    shown, made = _context(details)
    kinds = made.dimensions["exploitation"].categories
    assert shown["climate", kinds[0]].value == 60
    assert shown["health", kinds[0]].value == 20


def test_the_limits_of_display():
    """Below 11, or below two deviations, nothing; a wide interval is marked."""
    details = _full(20)
    details[0, 0], details[0, 1] = 10, 11
    shown, made = _context(details)
    kinds = made.dimensions["exploitation"].categories
    assert shown["climate", kinds[0]].status == WITHHELD
    assert shown["climate", kinds[1]].value == 11
    wide, _made = _context(details, deviation=9.0)
    assert wide["climate", kinds[1]].status == WITHHELD
    assert wide["climate", kinds[2]].status == UNRELIABLE
    assert (wide["climate", kinds[2]].lower, wide["climate", kinds[2]].upper) == (2, 38)


def test_rows_stand_in_the_order_of_the_lists():
    """Total first, then one-ways, then details: every place once."""
    shown, made = _context(_full())
    places = list(shown)
    sides = [len(made.dimensions[a].categories) for a in made.tables[0].axes]
    assert places[0] == ("_T", "_T")
    assert len(places) == 1 + sum(sides) + sides[0] * sides[1]
