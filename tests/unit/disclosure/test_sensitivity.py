"""One person changes no measured vector by more than the sensitivity that its noise is made for.

Everybody is removed in turn from a crowd of every kind, and the change of each total, margin and
detail is compared with its own bound. Worst cases are built by hand, so that bounds are reached.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pytest

from casevault.disclosure.classifications import Tier
from casevault.disclosure.counting import snapshot
from casevault.disclosure.measuring import Measurement
from casevault.disclosure.records import Events, Records
from casevault.disclosure.tabulating import Period
from casevault.domain import vocabulary
from casevault.domain.counting import indicators
from tests.unit.disclosure.people import KEY, Book, crowd, exact, release

_MANY = ("safehouse", "health_medical", "psychosocial", "food", "legal_assistance", "education")


# The first day there is, the last before a day's number is negative, a quarter's and a year's last.
_ODD_DAYS = (
    *(date(1, 1, 1), date(1899, 12, 31), date(1969, 12, 31), date(1970, 1, 1)),
    *(date(2025, 3, 31), date(2025, 12, 31), date(2201, 1, 1), date(9999, 12, 31)),
)


def without(records: Records, person: np.uint64) -> Records:
    """Return the records without all cases of a person, and without their services."""
    kept = records.person != person
    cases = records.case[kept]

    def left(events: Events) -> Events:
        hit = np.isin(events.case, cases)
        columns = (events.case, events.service, events.day, events.outcome, events.counted)
        return Events(*(column[hit] for column in columns))

    return replace(
        records,
        case=cases,
        person=records.person[kept],
        day=records.day[kept],
        consent=records.consent[kept],
        historic=records.historic[kept],
        region=records.region[kept],
        values={name: column[kept] for name, column in records.values.items()},
        services=left(records.services),
        referrals=left(records.referrals),
    )


def changes(records: Records, made) -> dict[str, int]:
    """Return the largest squared L2 change of every vector by one person's absence."""
    whole = exact(snapshot(records, KEY, quarters=True), made)
    largest = dict.fromkeys(whole, 0)
    for person in np.unique(records.person):
        fewer = exact(snapshot(without(records, person), KEY, quarters=True), made)
        for name, counts in whole.items():
            change = int(((counts - fewer[name]).astype(np.int64) ** 2).sum())
            largest[name] = max(largest[name], change)
    return largest


def _bounds(measurements: tuple[Measurement, ...]) -> dict[str, int]:
    return {one.name: one.squared for one in measurements}


@pytest.mark.parametrize("tier", list(Tier))
def test_nobody_in_a_crowd_exceeds_a_bound(tier):
    """Two cases, many services, refusals, several years, odd days: every vector keeps its bound."""
    book = crowd(60, seed=5, years=3)
    for number, day in enumerate(_ODD_DAYS):
        rows = [book.case(f"odd-{number}", on) for on in (day, date(2025, 5, 5))]
        for row, on in product(rows, _ODD_DAYS):
            book.service(row, _MANY[number % len(_MANY)], on)
            book.referral(row, _MANY[number % len(_MANY)], on)
    records = book.records()
    made = release(tier=tier)
    bounds = _bounds(made.measurements)
    for name, change in changes(records, made).items():
        assert change <= bounds[name], name


def _busy(outcome: str) -> Records:
    book = Book()
    row = book.case("a busy person", gender=("Feminine",), exploitation=("ForcedLabour",))
    for service in _MANY:
        book.service(row, service, outcome=outcome)
        book.referral(row, service)
    book.case("somebody else")
    return book.records()


@pytest.mark.parametrize("outcome", ["provided", "unavailable"])
def test_the_busiest_person_reaches_the_bounds(outcome):
    """The bounds are tight: c² for what may fall into one cell, c for what spreads, 1 for people.

    A bound that is too low by one would be found here."""
    made = release()
    reached = changes(_busy(outcome), made)
    universe = "services" if outcome == "provided" else "unavailable"
    for name, bound in _bounds(made.measurements).items():
        if name.split("/")[0] in {"people", universe, "referrals"}:
            assert reached[name] == bound, name


@pytest.mark.parametrize("number", [1, 2])
def test_nobody_exceeds_the_bounds_of_a_quarter_and_the_busiest_reaches_them(number):
    """Ten services in one quarter: √10 for the kinds of service, 10 for the total."""
    named = indicators.Period.parse(f"2025-Q{number}")
    made = release("services-quarter", period=Period(named.start, named.end))
    bounds = _bounds(made.measurements)
    book = crowd(40, seed=7)
    row = book.case("the busiest", date(2025, 1, 2))
    for kind in vocabulary.code_list("service_type"):
        book.service(row, kind, named.start)
    assert changes(book.records(), made) == bounds
    assert bounds == {"services-quarter": 100, "services-quarter/service": 10}


def test_a_cap_that_is_not_kept_would_be_found(monkeypatch):
    """Planted: without the cap the same crowd exceeds the bounds of services."""
    monkeypatch.setattr(
        "casevault.disclosure.tabulating.capped", lambda pairs, cap, snap: np.arange(len(pairs.row))
    )
    made = release("services-gender")
    reached = changes(_busy("provided"), made)
    bounds = _bounds(made.measurements)
    assert all(reached[name] > bounds[name] for name in bounds)


def test_several_cases_of_one_person_are_one_person():
    """Planted: were cases the unit, the bound of people would be exceeded."""
    book = Book()
    for month in (1, 2, 3):
        book.case("one", date(2025, month, 1), gender=("Feminine",))
    made = release("people-total")
    assert changes(book.records(), made) == {"people": 1}
    split = replace(book.records(), person=np.arange(3, dtype=np.uint64))
    assert exact(snapshot(split, KEY), made)["people"] == 3


def test_the_whole_release_costs_what_it_says():
    """The ρ of all vectors add up to the ρ of the release, exactly."""
    for tables in (("people-total",), ("services-gender",), ()):
        made = release(*tables)
        assert sum(one.rho for one in made.measurements) == made.design.rho


def test_a_release_of_a_total_spends_everything_on_it():
    """80 people, total only: about ±5."""
    (only,) = release("people-total").measurements
    assert only.rho == release("people-total").design.rho
    assert 1.96 * float(only.variance) ** 0.5 < 5
