"""The catalogue is data that a schema checks; what it does not have cannot be counted."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import date
from hashlib import sha256
from importlib import resources

import jsonschema_rs
import pytest

from casevault.disclosure import budget, catalogue, choosing, lifecycle, parameters
from casevault.disclosure.accounting import epsilon
from casevault.disclosure.catalogue import Basis, SizeClass
from casevault.disclosure.classifications import SEVERAL, UNKNOWN, Tier, codes_of, fact
from casevault.disclosure.releasing import Release
from casevault.disclosure.tabulating import Period
from casevault.errors import CaseVaultError, Invalid, Misconfigured
from tests.unit.disclosure.people import release


def _packaged(name: str):
    return json.loads(resources.files("casevault.disclosure").joinpath(name).read_text("utf-8"))


CATALOGUE = _packaged("catalogue.json")


def test_the_shipped_catalogue_fits_its_schema():
    """And a table with a key too many does not."""
    schema = jsonschema_rs.validator_for(_packaged("catalogue.schema.json"))
    schema.validate(CATALOGUE)
    spoilt = copy.deepcopy(CATALOGUE)
    spoilt["tables"][0]["filter"] = "anything"
    with pytest.raises(jsonschema_rs.ValidationError):
        schema.validate(spoilt)


def test_every_code_has_a_place_in_both_tiers():
    """Each code falls into exactly one category, and into `unknown` only where declared."""
    shipped = catalogue.shipped()
    for name, spec in shipped.classifications.items():
        for tier in Tier:
            dimension = shipped.dimension(name, tier)
            codes = codes_of(fact(dimension.field))
            lost = {
                c for c in codes if dimension.categories[dimension.place([c])] == UNKNOWN
            } - set(spec.get("unknown", ()))
            assert not lost, (name, tier)
            assert dimension.categories[dimension.place([])] == UNKNOWN
            assert (SEVERAL in dimension.categories) == fact(dimension.field).many


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda d: d["tables"].append(d["tables"][0]), "catalogue.id"),
        (lambda d: d["tables"][1].pop("cap"), "catalogue.table"),
        (lambda d: d["tables"][1].update(dimensions=["shoe_size"]), "catalogue.dimension"),
        (lambda d: d["classifications"]["age_band"].update(field="age"), "catalogue.field"),
        (
            lambda d: d["classifications"]["gender"]["coarse"].update(Other=["Unheard"]),
            "catalogue.code",
        ),
        (
            lambda d: d["classifications"]["age_band"]["coarse"].pop("under_18"),
            "catalogue.code",
        ),
    ],
)
def test_a_wrong_catalogue_is_refused(spoil, code):
    """Twice an id, a key that lacks, an unknown dimension, field or code, a code without place."""
    data = copy.deepcopy(CATALOGUE)
    spoil(data)
    with pytest.raises(Misconfigured) as caught:
        catalogue.parse(data)
    assert caught.value.code == code


def test_classifications_that_differ_by_a_thin_slice_are_refused():
    """Coarse bands that cut a fine one would show the slice between them."""
    data = copy.deepcopy(CATALOGUE)
    data["classifications"]["age_band"]["fine"] = {
        "under_25": ["under_18", "18_to_24"],
        "25_and_over": ["25_to_34", "35_to_49", "50_and_over"],
    }
    with pytest.raises(Misconfigured) as caught:
        catalogue.parse(data)
    assert caught.value.code == "catalogue.slice"


@pytest.mark.parametrize("ids", [["people-by-name"], ["people-total", "x"], []])
def test_an_unknown_table_is_refused(ids):
    """No table, no answer."""
    with pytest.raises(Invalid) as caught:
        catalogue.shipped().pick(ids)
    assert caught.value.code == "release.table"


@pytest.mark.parametrize(
    ("start", "end", "basis"),
    [
        (date(2025, 1, 1), date(2025, 12, 31), Basis.YEAR),
        (date(2025, 7, 1), date(2025, 12, 31), Basis.HALF),
        (date(2025, 4, 1), date(2025, 6, 30), Basis.QUARTER),
        (date(2025, 2, 1), date(2025, 4, 30), None),
        (date(2025, 1, 1), date(2025, 12, 30), None),
    ],
)
def test_a_table_is_made_for_its_periods_only(start, end, basis):
    """Two releases of overlapping days would be a difference to look at."""
    assert Period(start, end).basis == basis
    for table in catalogue.shipped().tables:
        if basis in catalogue.shipped().tables[table].periods:
            release(table, period=Period(start, end))
        else:
            with pytest.raises(Invalid) as caught:
                release(table, period=Period(start, end))
            assert caught.value.code == "release.period-basis"


# SHA-256 of everything that a version of the catalogue had: a release of it is drawn again by it.
_FROZEN = {2: "891ea995ba411ae8d57a848202894d7232e518737a809b5a5fa00ac88affe869"}


def test_what_an_older_version_had_is_unchanged():
    """A table or classification that changes needs a new version of the catalogue, and a new id."""
    assert sorted(_FROZEN) == CATALOGUE["holds"]
    kept = [table for table in CATALOGUE["tables"] if table["id"] != "services-quarter"]
    said = json.dumps([CATALOGUE["classifications"], kept], sort_keys=True).encode()
    assert sha256(said).hexdigest() == _FROZEN[2]


def test_a_release_of_an_older_version_is_drawn_again_and_of_a_later_one_is_not():
    """A backup that lacks the files of a release makes them anew from what was drawn."""
    shipped = catalogue.shipped()
    made = release("people-total")
    assert Release.of(replace(made.design, catalogue_version=2), shipped).tables == made.tables
    with pytest.raises(Invalid) as caught:
        Release.of(replace(made.design, catalogue_version=shipped.version + 1), shipped)
    assert caught.value.code == "release.catalogue-version"


def test_a_quarter_is_two_releases():
    """Registrations are paid by those accepted in it, services by everybody of the year."""
    shipped, unpaid = catalogue.shipped(), budget.cohort(2025, [])

    def designed(people, *tables, period="2025-Q2"):
        asked, public = choosing.Asked(period, tables), choosing.Public(people, ("North",))
        return choosing.design(asked, public, shipped, unpaid, release_id="x", code_version="0")

    large = parameters.PLANS[SizeClass.LARGE]
    people, services = designed(20_000), designed(20_000, "services-quarter")
    assert set(people.tables) == {"people-total", "people-region"}
    assert (people.rho, people.tier) == (large.quarterly_people, Tier.COARSE)
    assert (services.rho, services.tier) == (large.quarterly_services, Tier.COARSE)
    found = [lifecycle.months_of(shipped.pick(d.tables), d.period) for d in (people, services)]
    assert found == [(4, 6), (1, 12)]
    for size, tables, code in (
        (20_000, ("people-total", "services-quarter"), "release.sides"),
        (5_000, ("services-quarter",), "release.basis"),
        (20_000, ("services-gender",), "release.size"),
    ):
        with pytest.raises(CaseVaultError) as caught:
            designed(size, *tables)
        assert caught.value.code == code


def test_size_classes_and_budgets():
    """Bounds of classes; no class spends more than a year's ρ on one person."""
    assert [parameters.class_of(n) for n in (1, 99, 100, 999, 1000, 9999, 10_000)] == [
        SizeClass.TINY,
        SizeClass.TINY,
        SizeClass.SMALL,
        SizeClass.SMALL,
        SizeClass.MIDDLE,
        SizeClass.MIDDLE,
        SizeClass.LARGE,
    ]
    large = parameters.PLANS[SizeClass.LARGE]
    spent = large.annual + large.quarterly_people + 4 * large.quarterly_services
    assert spent <= parameters.RHO_PER_YEAR
    assert parameters.CONTRIBUTING_YEARS * parameters.RHO_PER_YEAR == parameters.RHO_PER_LIFE


def test_epsilon_is_what_the_design_says():
    """About 2.0 for a year and 3.7 for a life, at δ = 1e-6; nothing for nothing."""
    assert epsilon(parameters.RHO_PER_YEAR, 1e-6) == pytest.approx(2.02, abs=0.01)
    assert epsilon(parameters.RHO_PER_LIFE, 1e-6) == pytest.approx(3.70, abs=0.01)
    assert epsilon(parameters.RHO_PER_YEAR * 0, 1e-6) == 0
