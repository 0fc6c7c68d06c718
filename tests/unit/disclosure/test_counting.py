"""The counting rules: who counts, once, in which period and in which cell."""

from __future__ import annotations

from datetime import date

import pytest

from casevault.disclosure.classifications import Tier
from casevault.disclosure.counting import snapshot
from casevault.disclosure.tabulating import Period, tabulate
from casevault.domain import vocabulary
from casevault.domain.counting import indicators
from tests.unit.disclosure.people import KEY, Book, cell, crowd, release

_MANY = ("safehouse", "health_medical", "psychosocial", "food", "legal_assistance", "education")


def _total(snap, period: Period | None = None) -> int:
    made = release("people-total", period=period)
    return int(tabulate(snap, made.tables[0], [], Tier.COARSE, made.design.period))


def test_two_cases_of_one_person_count_once():
    """In the period of the first that was accepted; what it left open comes from the second."""
    book = Book()
    book.case("ada", date(2025, 5, 1), age_band=("under_18",), gender=("Masculine",))
    book.case("ada", date(2025, 2, 1), gender=("Feminine",))
    snap = book.snapshot()
    assert _total(snap) == 1
    assert cell(snap, "people-exploitation-age-gender", gender="Feminine", age_band="under_18") == 1
    assert _total(snap, Period(date(2025, 1, 1), date(2025, 3, 31))) == 1
    assert _total(snap, Period(date(2025, 4, 1), date(2025, 6, 30))) == 0


def test_who_refuses_in_one_record_is_nowhere():
    """Neither the other record nor a service of theirs counts."""
    book = Book()
    row = book.case("ben", consent=True)
    book.case("ben", date(2024, 1, 1), consent=False)
    book.service(row, "food")
    snap = book.snapshot()
    assert _total(snap) == 0
    assert cell(snap, "services-gender") == 0


def test_historic_records_count_nowhere():
    """A record from before CaseVault adds neither a person nor a year nor a service."""
    book = Book()
    row = book.case("cleo", historic=True)
    book.service(row, "food")
    assert _total(book.snapshot()) == 0
    assert cell(book.snapshot(), "services-gender") == 0


@pytest.mark.parametrize(
    ("codes", "category"),
    [
        (("ForcedLabour",), "ForcedLabour"),
        (("ChildLabour", "ForcedLabour"), "ForcedLabour"),
        (("ForcedLabour", "SexualExploitation"), "several"),
        (("ForcedCriminality",), "ForcedCriminality"),
        ((), "unknown"),
    ],
)
def test_a_field_of_several_values_is_one_cell(codes, category):
    """Its single category, or `several`; nothing known is `unknown`."""
    book = Book()
    book.case("dora", exploitation=codes)
    snap = book.snapshot()
    assert cell(snap, "people-context-exploitation", exploitation=category) == 1
    assert cell(snap, "people-context-exploitation") == 1


def test_distinct_services_count_once_and_five_at_most():
    """Pairs of person and service; six services of a year are capped to five."""
    book = Book()
    row = book.case("eli")
    for service in (*_MANY, *_MANY):
        book.service(row, service)
    snap = book.snapshot()
    assert cell(snap, "services-gender") == 5
    assert cell(snap, "services-gender", service="food") <= 1


def quarter(number: int) -> Period:
    """Return a quarter of 2025."""
    found = indicators.Period.parse(f"2025-Q{number}")
    return Period(found.start, found.end)


def test_a_service_counts_once_in_each_quarter_in_which_it_was_given():
    """Food in January and in February is one pair of the first quarter, food in May another."""
    book = Book()
    row = book.case("quinn", date(2025, 1, 2))
    for month in (1, 2, 5):
        book.service(row, "food", date(2025, month, 3))
    book.service(row, "safehouse", date(2025, 2, 3))
    snap = book.snapshot()
    found = [cell(snap, "services-quarter", period=quarter(n)) for n in (1, 2, 3, 4)]
    assert found == [2, 1, 0, 0]
    assert cell(snap, "services-quarter", period=quarter(1), service="food") == 1
    assert cell(snap, "services-gender") == 2


def test_a_year_of_quarters_holds_ten_and_later_ones_do_not_move_earlier_ones():
    """What was published of a quarter stays what it was, whatever is given afterwards."""
    kinds = vocabulary.code_list("service_type")
    given = {1: kinds[:6], 2: kinds[:6], 3: kinds[:6]}
    found = []
    for last in (1, 2, 3):
        book = Book()
        row = book.case("ravi", date(2025, 1, 2))
        for number in range(1, last + 1):
            for kind in given[number]:
                book.service(row, kind, date(2025, 3 * number, 3))
        snap = book.snapshot()
        found.append([cell(snap, "services-quarter", period=quarter(n)) for n in (1, 2, 3, 4)])
    assert found == [[6, 0, 0, 0], [6, 4, 0, 0], [6, 4, 0, 0]]


def test_which_services_stay_behind_the_cap_depends_on_the_key():
    """Another key chooses others; the same key chooses the same."""
    book = Book()
    row = book.case("fay")
    for service in _MANY:
        book.service(row, service)
    records = book.records()

    def dropped(key: bytes) -> str:
        snap = snapshot(records, key)
        (gone,) = (s for s in _MANY if cell(snap, "services-gender", service=s) == 0)
        return gone

    assert dropped(KEY) == dropped(KEY)
    assert len({dropped(bytes([n]) * 32) for n in range(20)}) > 1


def test_a_service_counts_in_its_year_and_never_before_the_person():
    """What is dated before the acceptance is accepted with it."""
    book = Book()
    row = book.case("gil", date(2025, 1, 10))
    book.service(row, "food", date(2024, 12, 20))
    book.service(row, "safehouse", date(2026, 2, 1))
    snap = book.snapshot()
    assert cell(snap, "services-gender", service="food") == 1
    assert cell(snap, "services-gender") == 1


def test_only_what_was_given_is_a_service_and_only_what_lacked_is_a_need():
    """Requested, declined and stopped are neither."""
    book = Book()
    row = book.case("hana")
    for service, outcome in zip(_MANY, _OUTCOMES, strict=False):
        book.service(row, service, outcome=outcome)
    snap = book.snapshot()
    assert cell(snap, "services-gender") == 2
    assert cell(snap, "needs-unavailable-region") == 1
    assert cell(snap, "needs-unavailable-region", service="food", region="North") == 1


_OUTCOMES = ("requested", "provided", "partly_provided", "unavailable", "stopped")


def test_a_referral_counts_by_its_last_outcome():
    """One pair of person and service, however often it was asked for."""
    book = Book()
    row = book.case("ines")
    book.referral(row, "food", date(2025, 4, 1), "declined")
    book.referral(row, "food", date(2025, 6, 1), "completed")
    snap = book.snapshot()
    assert cell(snap, "referrals-service-outcome", referral_outcome="completed") == 1
    assert cell(snap, "referrals-service-outcome") == 1


@pytest.mark.parametrize(
    ("day", "band"),
    [
        (date(2025, 2, 20), "same_day"),
        (date(2025, 3, 1), "same_day"),
        (date(2025, 3, 3), "within_2_days"),
        (date(2025, 3, 9), "within_30_days"),
        (date(2026, 3, 1), "later"),
        (date(2024, 3, 1), "none_yet"),
        (None, "none_yet"),
    ],
)
def test_time_to_the_first_service(day, band):
    """Days from acceptance; help of the month before is day zero, older help is another story."""
    book = Book()
    row = book.case("jun", date(2025, 3, 1))
    if day:
        book.service(row, "food", day)
        book.service(row, "safehouse", date(2026, 5, 5))
    expected = "later" if band == "none_yet" and day else band
    assert cell(book.snapshot(), "people-first-service", Tier.FINE, first_service=expected) == 1


@pytest.mark.parametrize(
    ("day", "half", "quarter"),
    [
        (date(2025, 1, 1), "H1", "Q1"),
        (date(2025, 6, 30), "H1", "Q2"),
        (date(2025, 7, 1), "H2", "Q3"),
        (date(2025, 12, 31), "H2", "Q4"),
    ],
)
def test_registrations_by_region_and_part_of_the_year(day, half, quarter):
    """The day of acceptance decides, once for each person."""
    book = Book()
    book.case("lia", day, region=1)
    book.case("lia", date(2025, 12, 31), region=0)
    snap = book.snapshot()
    assert cell(snap, "people-region-period", region="South", accepted_in=half) == 1
    assert cell(snap, "people-region-period", Tier.FINE, accepted_in=quarter) == 1
    assert cell(snap, "people-region-period") == 1


def test_the_first_three_contributing_years_count():
    """Registrations and services together; the fourth year is cut off."""
    book = Book()
    row = book.case("kim", date(2022, 1, 1))
    book.service(row, "food", date(2023, 5, 1))
    book.service(row, "food", date(2024, 5, 1))
    book.service(row, "food", date(2025, 5, 1))
    book.case("kim", date(2025, 6, 1))
    snap = book.snapshot()
    assert cell(snap, "services-gender") == 0
    assert _total(snap) == 0
    assert _total(snap, Period(date(2022, 1, 1), date(2022, 12, 31))) == 1


def test_every_table_of_people_has_the_same_total():
    """Nobody falls out of a table for what is not known of them."""
    snap = crowd(80, seed=3).snapshot()
    people = [t for t in release().tables if t.universe == "people"]
    assert {cell(snap, t.id) for t in people} == {_total(snap)}


def test_an_empty_vault_counts_nothing():
    """No record, no service: zero everywhere, and no error."""
    snap = Book().snapshot()
    assert all(cell(snap, t.id) == 0 for t in release().tables)
    assert snap.by_year(range(2024, 2026)) == [0, 0]


def test_an_event_of_long_ago_is_nobody_elses():
    """Days before 1970 are negative numbers; they must not reach into the person before."""
    book = Book()
    rows = {name: book.case(name, date(2025, 3, 1)) for name in ("kai", "lea", "mo")}
    for row in rows.values():
        book.service(row, "food", date(1969, 12, 1))
    snap = book.snapshot()
    assert cell(snap, "people-first-service", first_service="none_yet") == 3
