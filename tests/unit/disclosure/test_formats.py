"""Released tables in other forms: nothing that was withheld comes back, no number changes."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest

from casevault.disclosure import catalogue
from casevault.disclosure.columns import WITHHELD
from casevault.disclosure.formats import ctdc, dhis2, hxl, sdmx
from casevault.disclosure.formats.periods import named
from casevault.disclosure.report.published import read_all
from casevault.errors import Invalid
from tests.unit.disclosure.test_report import FILES as OF_THE_YEAR
from tests.unit.disclosure.test_report import QUARTER, released

FILES = OF_THE_YEAR | released(300, "services-quarter", period=QUARTER)
CONTEXT = "people-context-exploitation"
UID = "MadeUpElem1"


def rows(text: str) -> list[dict[str, str]]:
    """Return the lines of a CSV."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def ids(**changes) -> bytes:
    """Return a mapping for DHIS2."""
    cells = {"_T|_T": "MadeUpCoc01", "conflict|ForcedLabour": "MadeUpCoc02"}
    given = {
        "data_elements": {CONTEXT: UID},
        "org_units": {"_T": "MadeUpUnit1"},
        "category_option_combos": {CONTEXT: cells},
    }
    return json.dumps(given | changes).encode()


@pytest.mark.parametrize("name", list(catalogue.shipped().tables))
def test_every_table_is_sdmx(name):
    """The same numbers in the same order; CONF_STATUS last; what is withheld is empty."""
    given, found = rows(FILES[name]), rows(sdmx.sdmx_csv(read_all(FILES[name])))
    assert list(found[0])[-1] == "CONF_STATUS"
    assert [r["OBS_VALUE"] for r in found] == [r["value"] for r in given]
    assert {(r["OBS_VALUE"] == "") == (r["CONF_STATUS"] == "N") for r in found} == {True}
    assert {r["TIME_PERIOD"] for r in found} == {
        "2025-Q2" if name == "services-quarter" else "2025"
    }
    assert len({tuple(r.values())[:-7] for r in found}) == len(found)
    assert all("unknown" not in r.values() for r in found)


def test_regions_that_would_be_one_in_sdmx_are_refused():
    """A region's name is free; its code is not."""
    text = FILES["people-region"]
    found = rows(sdmx.sdmx_csv(read_all(text.replace(",North,", ",North & East,"))))
    assert "North___East" in {row["REF_AREA"] for row in found}
    with pytest.raises(Invalid):
        sdmx.sdmx_csv(read_all(text.replace(",North,", ",A b,").replace(",South,", ",A_b,")))


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (date(2025, 1, 1), date(2025, 12, 31), "2025"),
        (date(2025, 7, 1), date(2025, 12, 31), "2025S2"),
        (date(2025, 7, 1), date(2025, 9, 30), "2025Q3"),
        (date(2025, 7, 1), date(2025, 7, 31), None),
        (date(2025, 7, 2), date(2025, 12, 31), None),
        (date(2025, 7, 1), date(2025, 7, 3), None),
    ],
)
def test_periods_of_other_standards(start, end, name):
    """A year, half-year or quarter; other days have no word there."""
    if name is None:
        with pytest.raises(Invalid):
            named(start, end, "S", "Q")
    else:
        assert named(start, end, "S", "Q") == name


def test_dhis2_leaves_out_what_is_withheld_and_says_how_far_off_it_is():
    """Only cells that have an id and are shown; never a zero for what is not."""
    tables = read_all(FILES[CONTEXT])
    found = dhis2.converted(tables, dhis2.mapping(ids()))
    lines = rows(found.text)
    assert tuple(lines[0]) == dhis2.HEAD
    assert {line["orgunit"] for line in lines} == {"MadeUpUnit1"}
    total = next(line for line in lines if line["categoryoptioncombo"] == "MadeUpCoc01")
    given = rows(FILES[CONTEXT])
    assert (total["value"], total["period"]) == (given[0]["value"], "2025")
    away = int(given[0]["upper95"]) - int(given[0]["value"])
    assert total["comment"] == f"SIMULATION-test;±{away}"
    assert found.withheld == sum(row["status"] == WITHHELD for row in given)
    assert found.withheld + found.unmapped + len(lines) == len(given)
    hidden = FILES[CONTEXT].replace(
        ",".join(given[0][n] for n in ("value", "lower95", "upper95", "status")), ",,,W"
    )
    left = dhis2.converted(read_all(hidden), dhis2.mapping(ids()))
    assert "MadeUpCoc01" not in left.text


@pytest.mark.parametrize(
    "wrong",
    [
        b"no json",
        b"[]",
        b"{}",
        ids(data_elements={"people-by-name": UID}),
        ids(data_elements={CONTEXT: "short"}),
        ids(data_elements={CONTEXT: 7}),
        ids(category_option_combos={CONTEXT: {"conflict": "MadeUpCoc02"}}),
        ids(category_option_combos={CONTEXT: {"war|ForcedLabour": "MadeUpCoc02"}}),
        ids(category_option_combos={"people-by-name": {}}),
        ids(attribute_option_combo="no id"),
        ids(more={}),
    ],
)
def test_a_mapping_with_unknown_ids_is_refused(wrong):
    """As a whole: a number under a wrong id is worse than none."""
    with pytest.raises(Invalid) as caught:
        dhis2.mapping(wrong)
    assert caught.value.code == "report.mapping"


def test_a_table_without_a_data_element_is_refused():
    """Its numbers would be nobody's."""
    with pytest.raises(Invalid):
        dhis2.converted(read_all(FILES["people-total"]), dhis2.mapping(ids()))


def test_margins_under_the_variables_of_ctdc():
    """Names as in the codebook; what is known by several values stays apart."""
    found = rows(ctdc.ctdc_csv(read_all(FILES["people-exploitation-age-gender"])))
    names = {(row["variable"], row["category"]) for row in found}
    assert ("gender", "Woman") in names
    assert ("gender", "Trans/Transgender/NonConforming") in names
    assert {("isForcedLabour", "1"), ("exploitation", "several")} <= names
    assert not any(variable == "age_band" for variable, _category in names)
    means = {row["variable"] for row in rows(ctdc.ctdc_csv(read_all(FILES["people-means"])))}
    assert "meansDebtBondageEarnings" in means
    for other in ("people-total", "services-gender"):
        with pytest.raises(Invalid):
            ctdc.ctdc_csv(read_all(FILES[other]))


def test_a_row_of_tags_is_added_and_nothing_else():
    """One tag for each column."""
    text = FILES["people-means"]
    lines, found = text.split("\r\n"), hxl.tagged(text).split("\r\n")
    assert found[0] == lines[0]
    assert found[2:] == lines[1:]
    assert len(found[1].split(",")) == len(lines[0].split(","))
    assert all(tag.startswith("#") for tag in found[1].split(","))
