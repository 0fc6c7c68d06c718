"""The privacy account through the interface."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest

from casevault.disclosure.budget import Charge, LineState
from casevault.errors import Busy
from casevault.ids import new_id
from casevault.services.counting.reporting import Reporting
from casevault.store.keys import privacy_account
from tests.api.world import REPORTER


def test_reporters_see_what_was_spent_and_what_is_left(world):
    """By cohort and line by line."""
    release = new_id()
    line = Charge(
        2001, release, ("people-total",), Fraction(1, 50), LineState.RESERVED, new_id(), 9
    )
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


def lines_of(world, release: str) -> list[str]:
    """Return the states of the account's lines of a release."""
    found = world.get("/v1/releases/account", REPORTER).json()["charges"]
    return [one["state"] for one in found if one["release"] == release]


def test_a_release_that_was_cut_off_is_gone_on_with(world, monkeypatch):
    """It paid once; nobody saw the first draw. Then it is made and is not made anew."""
    wish = {"period": "2000-Q2", "tables": ["people-total"]}

    def cut(*_args):
        raise Busy(code="cut")

    with monkeypatch.context() as patched:
        patched.setattr(Reporting, "_sealed", cut)
        assert world.post("/v1/releases", REPORTER, wish).status_code == 503
    found = world.get("/v1/releases", REPORTER).json()["items"]
    (draft,) = [one for one in found if one["period_start"] == "2000-04-01"]
    assert (draft["stage"], lines_of(world, draft["id"])) == ("draft", ["reserved"])
    assert world.get(f"/v1/releases/{draft['id']}/files/x.csv", "sue").status_code == 404
    made = world.post("/v1/releases", REPORTER, wish).json()
    assert (made["id"], made["stage"]) == (draft["id"], "sealed")
    assert lines_of(world, made["id"]) == ["reserved", "committed"]
    again = world.post("/v1/releases", REPORTER, wish)
    assert (again.status_code, again.json()["code"]) == (409, "release.period-released")
    assert world.post(f"/v1/releases/{made['id']}/reviews", "sue", {"approve": False}).json()[
        "declined"
    ]
    refused = world.post(f"/v1/releases/{made['id']}/publication", REPORTER, {})
    assert refused.json()["code"] == "approval.declined"


def test_two_who_make_the_same_at_once_make_one(world):
    """One draw is kept, and it is paid once; the other is told that there is one."""
    wish = {"period": "2000-Q3", "tables": ["people-total"]}
    world.confirm(REPORTER)
    bearer_of = {"Authorization": f"Bearer {world.token(REPORTER)}"}
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(world.client.post, "/v1/releases", json=wish, headers=bearer_of)
            for _ in range(4)
        ]
        answers = [one.result() for one in asked]
    made = {one.json()["id"] for one in answers if one.status_code == 201}
    assert len(made) == 1
    assert {one.status_code for one in answers} <= {201, 409}
    assert lines_of(world, made.pop()) == ["reserved", "committed"]


def test_services_of_a_quarter_are_paid_by_everybody_of_the_year(world):
    """Beside the registrations of that quarter, which are paid by those accepted in it."""
    people = world.post("/v1/releases", REPORTER, {"period": "2003-Q1"}).json()
    assert people["tables"] == ["people-total", "people-region"]
    wish = {"period": "2003-Q1", "tables": ["services-quarter"]}
    key = {"Idempotency-Key": "made-up-quarter"}
    made = world.post("/v1/releases", REPORTER, wish, headers=key).json()
    assert (made["stage"], made["rho"]) == ("sealed", 0.006)
    again = world.post("/v1/releases", REPORTER, wish, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, made["id"])
    assert lines_of(world, made["id"]) == ["reserved", "committed"]
    account = world.get("/v1/releases/account", REPORTER).json()["cohorts"]
    assert [one["spent"] for one in account if one["year"] == 2003] == [0.026]
    file = world.get(f"/v1/releases/{made['id']}/files/services-quarter.csv", "dora").text
    assert file.count("2003-01-01,2003-03-31,_T,") == 16


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"period": "2000-Q4", "tables": ["people-shoe-size"]}, "release.table"),
        ({"period": "2000-Q4", "catalogue_version": 999}, "release.catalogue-version"),
        ({"period": "2000-Q4", "tables": ["people-means"]}, "release.size"),
        ({"period": "2000-H1"}, "release.basis"),
        ({"period": "2000-Q4", "tables": ["people-total", "services-quarter"]}, "release.sides"),
        ({"period": "2199"}, "release.period-open"),
        ({"period": "1999"}, "period"),
    ],
)
def test_a_wish_that_cannot_be_met_costs_nothing(sqlite_world, wish, code):
    """A clear answer, and no line in the account."""
    world = sqlite_world
    before = world.get("/v1/releases/account", REPORTER).json()
    answer = world.post("/v1/releases", REPORTER, wish)
    assert (answer.status_code // 100, answer.json()["code"]) == (4, code)
    assert world.get("/v1/releases/account", REPORTER).json() == before


def test_a_cohort_that_was_given_away_cannot_be_released(sqlite_world):
    """The exact counts of its people are known: nothing can be promised any more."""
    world = sqlite_world
    disclosed = world.post("/v1/releases/account/disclosures", "dora", {"cohort_year": 2002})
    assert disclosed.status_code == 201
    answer = world.post("/v1/releases", REPORTER, {"period": "2002-Q1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "release.cohort-tainted")
