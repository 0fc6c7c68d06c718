"""The privacy account through the interface."""

from __future__ import annotations

from fractions import Fraction

from casevault.disclosure.budget import Charge, State
from casevault.ids import new_id
from casevault.store import privacy_account
from tests.api.world import REPORTER


def test_reporters_see_what_was_spent_and_what_is_left(world):
    """By cohort and line by line."""
    release = new_id()
    line = Charge(2001, release, ("people-total",), Fraction(1, 50), State.RESERVED, new_id(), 9)
    privacy_account.append(world.vault.stores.keyring, line)
    found = world.get("/v1/releases/account", REPORTER).json()
    (cohort,) = [one for one in found["cohorts"] if one["year"] == 2001]
    assert (cohort["spent"], cohort["left"]) == (0.02, 0.07)
    (shown,) = [one for one in found["charges"] if one["release"] == str(release)]
    assert (shown["state"], shown["tables"], shown["rho"]) == ("reserved", ["people-total"], 0.02)
    assert world.get("/v1/releases/account", "cara").json()["code"] == "refused.role"


def test_the_dpo_enters_an_exact_disclosure(world):
    """It ends what is left of that year; a year to come is refused."""
    at = "/v1/releases/account/disclosures"
    assert world.post(at, REPORTER, {"cohort_year": 2002}).json()["code"] == "refused.role"
    assert world.post(at, "dora", {"cohort_year": 2190}).status_code == 422
    answer = world.post(at, "dora", {"cohort_year": 2002})
    assert (answer.status_code, answer.json()["rho"]) == (201, None)
    found = world.get("/v1/releases/account", REPORTER).json()
    (cohort,) = [one for one in found["cohorts"] if one["year"] == 2002]
    assert cohort["left"] is None
