"""HTCDS codes as CTDC's variables: every code has its place, and unknown is not no."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from casevault.disclosure import catalogue
from casevault.domain import vocabulary
from casevault.domain.counting import ctdc

LISTS = json.loads(
    resources.files("casevault.domain.vocabulary").joinpath("codelists.json").read_text("utf-8")
)


def _members(groups):
    return [code for codes in groups.values() for code in codes]


def test_means_are_the_union_of_both_lists_of_control():
    """HTCDS's spreadsheet and its definitions: all but Other, each in one group, as CTDC has it."""
    codes = set(vocabulary.code_list("methods_of_control")) - {"Other"}
    assert "RestrictsMovement" in codes
    assert sorted(_members(ctdc.MEANS)) == sorted(codes)
    assert {name: list(found) for name, found in ctdc.MEANS.items()} == LISTS["ctdc"]["means"]


def test_every_exploitation_has_one_variable():
    """Forced criminality, which no standard has, is another exploitation."""
    codes = vocabulary.code_list("type_of_exploitation")
    assert sorted(_members(ctdc.EXPLOITATION)) == sorted(codes)
    assert "ForcedCriminality" in ctdc.EXPLOITATION["isOtherExploit"]
    assert list(ctdc.EXPLOITATION) == LISTS["ctdc"]["exploitation"]


def test_variables_and_values_are_literally_those_of_the_codebook():
    """Their names are what other programs look for."""
    assert set(ctdc.GENDER.values()) == set(LISTS["ctdc"]["gender"])
    assert list(ctdc.LABOUR) == LISTS["ctdc"]["labour"]
    assert set(_members(ctdc.LABOUR)) <= set(vocabulary.code_list("labour_industry"))


def test_the_table_of_means_uses_the_same_groups():
    """The catalogue's categories are CTDC's variables, so that numbers can be laid side by side."""
    coarse = catalogue.shipped().classifications["means"]["coarse"]
    assert {k: tuple(v) for k, v in coarse.items() if k != "Other"} == ctdc.MEANS


def test_a_person_with_facts():
    """Two means of one group are one flag; what is not said of a known group is no."""
    found = ctdc.variables(
        {
            "accepted_on": "2025-03",
            "gender": "NonConforming",
            "controlled_by": ["DebtBondage", "TakesEarnings"],
            "exploitation": ["ForcedCriminality"],
        }
    )
    assert found["yearOfRegistration"] == 2025
    assert found["gender"] == "Trans/Transgender/NonConforming"
    assert (found["meansDebtBondageEarnings"], found["meansThreats"]) == (1, 0)
    assert (found["isOtherExploit"], found["isForcedLabour"]) == (1, 0)
    assert found["typeOfLabourConstruction"] is None


@pytest.mark.parametrize("gender", [None, "NonSpecifiedUnknown"])
def test_what_is_not_known_is_none(gender):
    """An empty record has no variable at all."""
    assert set(ctdc.variables({"gender": gender}).values()) == {None}


def test_denominators_are_the_known_ones():
    """Of three people, one of whom nothing is known: one of two, not one of three."""
    people = [
        ctdc.variables({"exploitation": codes}) for codes in (["ForcedLabour"], ["Other"], [])
    ]
    assert ctdc.share(people, "isForcedLabour") == (1, 2)
    assert ctdc.share([], "isForcedLabour") == (0, 0)
