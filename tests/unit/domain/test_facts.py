"""The coded facts: what counts are made from, taken over from identity and profile."""

from __future__ import annotations

from datetime import date

import pytest

from casevault.domain import vocabulary
from casevault.domain.case import dictionary, facts
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.dictionary import Dictionary

OPENED = date(2026, 11, 20)
IDENTITY = {"name_to_use": "Made-up Mira", "age": 20, "gender": "Feminine", "citizenships": ["MD"]}
PROFILE = {
    "presenting_situation": "made up",
    "trafficking_status": "PossibleVictimOfTrafficking",
    "history": [
        {"type": "Recruitment", "country": "MD"},
        {
            "type": "Exploitation",
            "country": "IT",
            "exploitation": ["ForcedLabour", "DebtBondage"],
            "industry": ["F_Construction"],
        },
        {"type": "Exploitation", "exploitation": ["ForcedLabour"]},
    ],
}


def test_facts_are_codes_taken_over():
    """Each code once, countries of exploitation only, and nothing in words."""
    assert facts.first_facts(IDENTITY, PROFILE, OPENED) == {
        "accepted_on": "2026-11-20",
        "gender": "Feminine",
        "age_band": "18_to_24",
        "citizenships": ["MD"],
        "trafficking_status": "PossibleVictimOfTrafficking",
        "exploitation": ["DebtBondage", "ForcedLabour"],
        "industry": ["F_Construction"],
        "countries": ["IT"],
    }


def test_what_is_open_stays_out():
    """A case of which little is known has few facts."""
    assert facts.first_facts({"name_to_use": "M"}, {}, OPENED) == {"accepted_on": "2026-11-20"}


def test_facts_are_facts_of_the_dictionary():
    """Whatever is taken over could be written by hand, too."""
    profile = {**PROFILE, "history": [{"type": "Exploitation", "exploitation": ["ForcedLabour"]}]}
    found = facts.first_facts(IDENTITY, profile, OPENED)
    assert found.pop("accepted_on") == "2026-11-20", "but for the day, which nobody may change"
    assert Dictionary().validate(DocumentKind.FACTS, found) == found
    assert not {name for name in found if name in dictionary.texts_of(DocumentKind.FACTS)}


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "under_18"),
        (17, "under_18"),
        (18, "18_to_24"),
        (24, "18_to_24"),
        (25, "25_to_34"),
        (34, "25_to_34"),
        (35, "35_to_49"),
        (49, "35_to_49"),
        (50, "50_and_over"),
        (120, "50_and_over"),
    ],
)
def test_an_exact_age_has_its_band(age, band):
    """At the bounds of every band."""
    assert facts.age_band({"age": age, "birth_year": 1990, "age_band": "35_to_49"}, OPENED) == band
    assert band in vocabulary.code_list("age_band")


def test_of_two_ages_the_younger():
    """Whose birthday may still come is a minor for the whole year."""
    assert facts.age_band({"birth_year": 2008, "age_band": "18_to_24"}, OPENED) == "under_18"
    assert facts.age_band({"birth_year": 2007}, OPENED) == "18_to_24"


def test_an_estimate_is_taken_as_it_is():
    """And without any, there is no band."""
    assert facts.age_band({"age_band": "25_to_34"}, OPENED) == "25_to_34"
    assert facts.age_band({}, OPENED) is None


@pytest.mark.parametrize(
    ("identity", "minor"),
    [({"age": 17}, True), ({"age": 18}, False), ({"age_band": "under_18"}, True), ({}, False)],
)
def test_the_safeguards_for_minors(identity, minor):
    """They follow the band."""
    assert facts.is_minor(identity, OPENED) is minor


@pytest.mark.parametrize(
    ("happened", "written", "counted"),
    [
        ("2026-11-20", "2026-11-20", "2026-11-20"),
        ("2026-11-20", "2027-01-30", "2026-11-20"),
        ("2026-11-20", "2027-01-31", "2027-01-31"),
        ("2026-01-01", "2026-04-30", "2026-01-01"),
        ("2026-03-31", "2026-05-01", "2026-05-01"),
    ],
)
def test_what_is_written_down_too_late_counts_later(happened, written, counted):
    """Thirty days after its quarter: then that may have been published."""
    days = date.fromisoformat(happened), date.fromisoformat(written)
    assert facts.counted_on(*days) == date.fromisoformat(counted)
