"""The attacks in short: each works on naive publishing and fails on what is shipped."""

from __future__ import annotations

import pytest

from casevault.disclosure import labels, simulating
from casevault.disclosure.counting import Snapshot
from casevault.disclosure.parameters import RHO_PER_YEAR
from tests.attacks import accuracy, attacks, audit, neighbours
from tests.attacks.world import people

CROWD = people(1000, 1)


def test_a_linear_program_recovers_hidden_cells_and_not_these():
    """Naive suppression gives many of them away exactly."""
    assert attacks.reconstruction(CROWD, 1).held


def test_a_newcomer_shows_in_two_exact_releases_and_not_in_two_of_these():
    """The difference names the newcomer's profile."""
    assert attacks.newcomer(CROWD, 1, 40).held


def test_the_difference_of_two_totals_is_exact_and_not_of_these():
    """A thin slice between two groups."""
    assert attacks.thin_slice(CROWD, 1, 60).held


def test_fresh_noise_averages_out_and_stored_noise_does_not():
    """Looking again at what is stored shows the same again."""
    assert attacks.averaging(CROWD, 1, 64).held


def test_a_group_of_one_kind_is_known_and_not_here():
    """Who knows two attributes of somebody learns the third."""
    assert attacks.linkage(people(500, 500), 1).held


def test_a_shown_zero_is_a_fact_and_here_is_none():
    """Nobody of a kind is something about everybody else."""
    assert attacks.zeros(CROWD, 1).held


def test_what_is_missing_from_a_total_is_not_exact_here():
    """A hidden category is the total minus the others."""
    assert attacks.subtraction(CROWD, 1).held


def test_labels_and_rows_do_not_give_a_person_away():
    """Alone in a region or a year, in hundreds of rows: the same rows either way."""
    assert neighbours.labels(600, 1).held


def test_a_label_without_a_threshold_gives_a_person_away(monkeypatch):
    """The attack works where whatever stands in the file is named."""
    monkeypatch.setattr(labels, "limit", lambda _rho, _delta: -1000)
    monkeypatch.setattr(simulating, "YEARS", range(2025, 2026))
    assert neighbours.differ(neighbours.STRANGERS["alone in a region"], 300, range(1)) == 1


def test_a_year_of_one_person_is_not_named_in_a_small_file(monkeypatch):
    """Nobody knows which years a file of five has; looking only at its own would show one."""

    def named(tries: int) -> int:
        lines, _services = neighbours.STRANGERS["alone in a year"]
        facts = neighbours.read([*neighbours.crowd(5), *lines], [])
        made = [neighbours.drawn(facts, ["people-total"], seed) for seed in range(tries)]
        return sum(one["people-total.csv"][0]["period_start"] == "2019-01-01" for one in made)

    assert named(30) <= 3
    monkeypatch.setattr(simulating, "YEARS", range(2019, 2026))
    monkeypatch.setattr(Snapshot, "by_year", lambda _self, _years: [1, *[-9999] * 5, 5])
    assert named(30) > 3


def test_what_is_withheld_does_not_give_a_person_away():
    """A group of ten and a group of eleven are shown as often."""
    assert neighbours.withheld(300, 15).held


def test_twenty_people_are_not_counted_exactly():
    """A small cohort is as well protected as a large one."""
    assert attacks.small_cohort(CROWD, 1, 100).held


def test_hundreds_of_services_of_one_person_weigh_as_five():
    """Whoever comes often is not easier to find."""
    assert attacks.busy_person(CROWD[:200], 1, 40).held


def test_two_simulations_under_one_seed_do_not_share_their_noise():
    """Subtracting them names the newcomer no more often than a guess."""
    assert attacks.one_seed(CROWD[:300], 1, 15).held


@pytest.mark.parametrize("case", [audit.people_release, audit.services_release])
def test_the_audit_does_not_refute_the_claim_and_refutes_less_noise(case):
    """With 99.9 % confidence; a build with a sixth of the noise is found out."""
    made = case()
    claim = audit.claim(made[0])
    assert audit.lower_bound(made, audit.shipped_build, 800, 1) <= claim
    assert audit.lower_bound(made, audit.less_noise, 1200, 1) > claim


def test_the_audit_does_not_refute_the_account_of_a_year():
    """All releases of a year of a large organisation cost one person what the account adds up."""
    made = audit.large_year()
    assert made[0].design.rho <= RHO_PER_YEAR
    assert audit.lower_bound(made, audit.shipped_build, 300, 1) <= audit.claim(made[0])
    assert audit.lower_bound(made, audit.less_noise, 900, 1) > audit.claim(made[0])


def test_the_audit_refutes_a_forgotten_cap():
    """Noise for one service, where one person adds five."""
    made = audit.services_release()
    assert audit.lower_bound(made, audit.cap_forgotten, 1600, 1) > audit.claim(made[0])


def test_errors_are_within_the_figures():
    """A coarse release of 5,000 people: details 4.2, margins 7.7, the total within its noise."""
    found = accuracy.errors(people(5000, 3), 20)
    assert found.detail <= 4.2
    assert found.margin <= 7.7
    assert found.total <= 5
