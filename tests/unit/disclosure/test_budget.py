"""The account's arithmetic: sums, the hard stop, what is no charge."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.disclosure import budget
from casevault.disclosure.budget import Charge, LineState
from casevault.disclosure.parameters import RHO_PER_YEAR
from casevault.errors import CaseVaultError, Invalid, Refused
from casevault.ids import new_id

STAFF = new_id()


def charge(
    rho: object = "9/100", state: LineState = LineState.RESERVED, year: int = 2025, release=None
):
    """Return a line of the account."""
    amount = None if rho is None else Fraction(rho)
    return Charge(year, release or new_id(), ("people-total",), amount, state, STAFF, 1)


@given(st.lists(st.fractions(Fraction(1, 1000), Fraction(1, 10)), max_size=20))
def test_no_order_of_reservations_spends_more_than_there_is(wanted):
    """Whatever is asked for, what is granted stays within the budget, exactly."""
    granted: list[Charge] = []
    for rho in wanted:
        asked = charge(rho)
        if budget.cohort(2025, granted).spent + rho > RHO_PER_YEAR:
            with pytest.raises(Refused) as caught:
                budget.check(asked, granted)
            assert caught.value.code == "release.budget"
        else:
            budget.check(asked, granted)
            granted.append(asked)
    assert budget.cohort(2025, granted).spent <= RHO_PER_YEAR


def test_years_pay_for_themselves():
    """What one cohort spent, another still has."""
    spent = [charge()]
    with pytest.raises(Refused):
        budget.check(charge("1/1000"), spent)
    budget.check(charge(year=2024), spent)
    assert budget.cohort(2025, spent).left == 0
    assert budget.cohort(2024, spent).left == RHO_PER_YEAR


def test_an_exact_disclosure_ends_all_claims():
    """Also when nothing was spent; it can be entered again, and costs no number."""
    given_away = [charge(None, LineState.EXACT)]
    with pytest.raises(Refused) as caught:
        budget.check(charge("1/1000"), given_away)
    assert caught.value.code == "release.cohort-tainted"
    assert budget.cohort(2025, given_away).left is None
    budget.check(charge(None, LineState.EXACT), given_away)


def test_a_reservation_is_committed_once_and_never_given_back():
    """A commitment adds nothing; without a reservation there is none."""
    reserved = charge()
    commit = charge(0, LineState.COMMITTED, release=reserved.release)
    budget.check(commit, [reserved])
    for before in ([], [reserved, commit]):
        with pytest.raises(Refused) as caught:
            budget.check(commit, before)
        assert caught.value.code == "release.reservation"
    assert budget.cohort(2025, [reserved, commit]).spent == RHO_PER_YEAR


@pytest.mark.parametrize(
    ("rho", "state"),
    [
        (0, LineState.RESERVED),
        ("-1/10", LineState.RESERVED),
        (None, LineState.RESERVED),
        ("1/10", LineState.COMMITTED),
        (None, LineState.COMMITTED),
        ("1/10", LineState.EXACT),
    ],
)
def test_what_is_no_charge_cannot_be_made(rho, state):
    """Nothing for nothing, no refund, no price on what has none."""
    with pytest.raises(CaseVaultError) as caught:
        charge(rho, state)
    assert isinstance(caught.value, Invalid)
