"""Every claim of a published release is compared with every other, whoever signed it."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest

from casevault.disclosure import catalogue, claims, rendering
from casevault.disclosure.bits import SeededBits
from casevault.disclosure.catalogue import Basis
from casevault.disclosure.classifications import Tier
from casevault.disclosure.lifecycle import months_of
from casevault.disclosure.releasing import Release
from casevault.errors import Tampered
from tests.unit.disclosure.people import crowd, release

TABLE = "people-region"
SIDECAR = TABLE + rendering.SIDECAR


def story(tier=Tier.COARSE, **changes):
    """Return statement and files of a release of everything that a year has."""
    made = release(tier=tier)
    shipped = catalogue.shipped()
    design = replace(made.design, simulation=False, **changes)
    made = Release.of(design, shipped)
    noisy = made.measure(crowd(400, seed=2).snapshot(), SeededBits(b"claims"))
    months = list(months_of(made.tables, design.period))
    line = {"cohort_year": design.period.year, "months": months, "at": 1}
    account = [
        {**line, "rho": str(design.rho), "state": "reserved"},
        {**line, "rho": "0", "state": "committed"},
    ]
    return {"release": design.as_data(), "account": account}, rendering.files([(made, noisy)])


@pytest.mark.parametrize("tier", list(Tier))
def test_what_is_made_tells_one_story(tier):
    """All tables of a year, with regions whose names a spreadsheet would run."""
    claims.check(*story(tier, regions=("=North", "South")))


def test_a_quarter_tells_one_story():
    """Registrations are paid by those of its months."""
    year = release().design.period
    quarter = replace(year, end=year.end.replace(month=3))
    names = tuple(
        t.id
        for t in catalogue.shipped().tables.values()
        if Basis.QUARTER in t.periods and t.universe == "people"
    )
    claims.check(*story(period=quarter, tables=names))


def _in(place, value):
    """Return a change of the statement."""

    def change(said, _files):
        at = said
        for step in place[:-1]:
            at = at[step]
        at[place[-1]] = value

    return change


def _described(place, value):
    """Return a change of a table's description."""

    def change(_said, files):
        told = json.loads(files[SIDECAR])
        _in(place, value)(told, None)
        files[SIDECAR] = json.dumps(told).encode()

    return change


def _text(old, new, count=-1):
    """Return a change of a table's text."""

    def change(_said, files):
        text = files[f"{TABLE}.csv"].decode()
        assert old in text
        files[f"{TABLE}.csv"] = text.replace(old, new, count).encode()

    return change


def _gone(name):
    return lambda _said, files: files.pop(name)


def _row_twice(_said, files):
    files[f"{TABLE}.csv"] += files[f"{TABLE}.csv"].splitlines(keepends=True)[-1]


def _other_total(_said, files):
    # The same table of another draw: it holds in itself, and not beside the others.
    _again, others = story(release_id=_said["release"]["release_id"])
    made = Release.of(
        replace(release().design, simulation=False, tables=tuple(_said["release"]["tables"])),
        catalogue.shipped(),
    )
    noisy = made.measure(crowd(400, seed=2).snapshot(), SeededBits(b"another"))
    assert set(others) == set(files)
    files[f"{TABLE}.csv"] = rendering.files([(made, noisy)])[f"{TABLE}.csv"]


_MEASURED = ("casevault:releases", 0, "measured", 1)
LIES = {
    "a smaller price": _in(("release", "rho"), "1/1000"),
    "a price that was not paid": _in(("account", 0, "rho"), "1/1000"),
    "a price of others": _in(("account", 0, "cohort_year"), 2024),
    "of other months": _in(("account", 0, "months"), [1, 3]),
    "nothing committed": _in(("account", 1, "state"), "reserved"),
    "nothing paid": _in(("account",), []),
    "another delta": _in(("release", "delta"), 1e-9),
    "another year": _in(("release", "period_start"), "2024-01-01"),
    "a table fewer": lambda said, _files: said["release"]["tables"].pop(),
    "more than the design has": _in(("release", "note"), "safe"),
    "no design": _in(("release",), None),
    "a simulation": _in(("release", "simulation"), True),
    "no table": _gone(f"{TABLE}.csv"),
    "no description": _gone(SIDECAR),
    "another epsilon in words": _text("epsilon=2", "epsilon=1"),
    "another epsilon in one row": _text("epsilon=2", "epsilon=1", 1),
    "another release's row": _text("release_id\r\n", "release-id\r\n"),
    "a renamed category": _text(",South,", ",Sout,", 1),
    "a row missing": _text("people-region,2025-01-01,2025-12-31,South,", "people-region,"),
    "a row twice": _row_twice,
    "a status that the interval denies": _text(",P,", ",U,", 1),
    "a withheld row that is shown": _text(",P,", ",W,", 1),
    "no status": _text(",P,", ",X,", 1),
    "a total of another draw": _other_total,
    "another epsilon in data": _described(("casevault:releases", 0, "epsilon"), 0.5),
    "less noise": _described((*_MEASURED, "sigma"), 0.5),
    "a cheaper vector": _described((*_MEASURED, "rho"), "1/100000"),
    "another sensitivity": _described((*_MEASURED, "squared_sensitivity"), 4),
    "more cells": _described((*_MEASURED, "cells"), 99),
    "another cap": _described(("casevault:table", "cap_per_person_and_year"), 2),
    "another file": _described(("url",), "other.csv"),
    "other categories": _described(("casevault:table", "categories", "region"), ["A", "unknown"]),
    "no vectors": _described(("casevault:releases", 0, "measured"), []),
}


@pytest.fixture(scope="module")
def true():
    """Give one release that tells one story."""
    return story()


@pytest.mark.parametrize("name", LIES)
def test_a_claim_that_another_denies_is_found(true, name):
    """Signed or not: a number that is not paid for, noise that is not there, rows of another."""
    said, files = copy.deepcopy(true[0]), dict(true[1])
    LIES[name](said, files)
    with pytest.raises(Tampered) as caught:
        claims.check(said, files)
    assert caught.value.code == "release.claims"


def test_what_an_older_catalogue_had_is_held_to_its_own_description(true, monkeypatch):
    """Its tables and categories are not known here; its noise and price still are."""
    said, files = copy.deepcopy(true[0]), dict(true[1])
    _described(("casevault:table", "version"), 99)(said, files)
    with pytest.raises(Tampered):
        claims.check(said, files)
    monkeypatch.setattr(catalogue.Catalogue, "reads", lambda _self, _version: False)
    claims.check(said, files)
    LIES["less noise"](said, files)
    with pytest.raises(Tampered):
        claims.check(said, files)
