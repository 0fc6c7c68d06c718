"""Who can help, which gaps there are, and the directory as a table and on paper."""

from __future__ import annotations

from datetime import date, timedelta
from html import escape
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain import vocabulary
from casevault.domain.sharing import leaflet, partner_tables
from casevault.domain.sharing.partners import (
    STALE_DAYS,
    Gap,
    Partner,
    Search,
    checked,
    gaps,
    pathways,
)
from casevault.errors import Invalid

TODAY = date(2026, 11, 26)


def a_partner(number=1, **changes):
    """Return a shelter in Nowhere that was asked yesterday."""
    content = {
        "name": f"Made-Up House {number}",
        "type": "NGO",
        "country": "IT",
        "areas": ["Nowhere"],
        "services": ["safehouse"],
        "verified_on": (TODAY - timedelta(days=1)).isoformat(),
        **changes,
    }
    return Partner(UUID(int=number), {k: v for k, v in content.items() if v is not None})


def names(found):
    return [one.name[-1] for one in found]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search("safehouse"), "12345"),
        (Search("safehouse", "  NOWHERE "), "1235"),
        (Search("safehouse", "elsewhere"), "4"),
        (Search("safehouse", language="ar"), "2"),
        (Search("safehouse", serves="men"), "1245"),
        (Search("food"), ""),
    ],
)
def test_who_can_help(search, expected):
    """By service, area however it is written, language, and whom they help."""
    known = [
        a_partner(1),
        a_partner(2, languages=["ar", "fr"], serves=["men", "families"]),
        a_partner(3, serves=["women"]),
        a_partner(4, areas=["Elsewhere"]),
        a_partner(5),
    ]
    assert sorted(names(pathways(known, search, TODAY))) == list(expected)


def test_verified_comes_before_stale_and_room_before_none():
    """The first name is the one to call."""
    old = (TODAY - timedelta(days=STALE_DAYS + 1)).isoformat()
    known = [
        a_partner(1, verified_on=old, capacity="open"),
        a_partner(2, capacity="full"),
        a_partner(3),
        a_partner(4, capacity="waiting_list"),
        a_partner(5, capacity="open"),
    ]
    assert names(pathways(known, Search("safehouse"), TODAY)) == list("54321")


def test_an_entry_is_stale_after_half_a_year():
    """On its last day it still holds."""
    edge = (TODAY - timedelta(days=STALE_DAYS)).isoformat()
    assert not a_partner(verified_on=edge).is_stale(TODAY)
    assert a_partner(verified_on=edge).is_stale(TODAY + timedelta(days=1))


def test_gaps_are_every_service_without_a_verified_partner():
    """An area is one however it is written; a stale entry leaves a gap that says so."""
    old = (TODAY - timedelta(days=STALE_DAYS + 1)).isoformat()
    known = [
        a_partner(1),
        a_partner(2, areas=["nowhere "], services=["food"], verified_on=old),
    ]
    found = gaps(known, TODAY)
    services = vocabulary.code_list("service_type")
    assert len(found) == len(services) - 1
    assert {gap.service for gap in found} == set(services) - {"safehouse"}
    assert next(gap for gap in found if gap.service == "food").stale
    assert not next(gap for gap in found if gap.service == "other").stale
    assert isinstance(found[0], Gap)
    assert gaps([], TODAY) == []


@pytest.mark.parametrize(("service", "serves"), [("", ""), ("nonsense", ""), ("food", "nonsense")])
def test_a_search_names_codes_that_there_are(service, serves):
    """Nothing is silently found for a word that no list has."""
    with pytest.raises(Invalid):
        Search(service, serves=serves)


def test_an_entry_has_only_known_fields():
    """What no field names is refused, so that nobody notes down who was sent there."""
    with pytest.raises(Invalid):
        checked({**a_partner().content, "sent": "somebody"})


def test_a_table_says_what_the_directory_says():
    """Out and in again, also where a spreadsheet would calculate."""
    one = a_partner(
        name="=HYPERLINK(made up)", phone="+390000000009", public=True, languages=["fr", "ar"]
    )
    text = partner_tables.written([one])
    assert "'=HYPERLINK" in text
    assert "'+390000000009" in text
    (line,) = partner_tables.lines("\ufeff" + text)
    assert (line.id, line.content, line.faults) == (one.id, dict(one.content), ())


@pytest.mark.parametrize(
    ("row", "pointer"),
    [
        (",NGO,IT,Nowhere,safehouse,2026-11-20", "/name"),
        ("A,Nonsense,IT,Nowhere,safehouse,2026-11-20", "/type"),
        ("A,NGO,IT,Nowhere,safehouse;nonsense,2026-11-20", "/services/1"),
        ("A,NGO,IT", "/"),
        ("A,NGO,IT,Nowhere,safehouse,2026-11-20,more", "/"),
    ],
)
def test_a_faulty_line_names_its_fault(row, pointer):
    """Never what stands in it."""
    head = "name,type,country,areas,services,verified_on\n"
    (line,) = partner_tables.lines(head + row + "\n")
    assert [fault.pointer for fault in line.faults] == [pointer]


def test_a_line_with_a_strange_id_is_refused():
    """It names no entry."""
    head = "id,name,type,country,areas,services,verified_on\n"
    (line,) = partner_tables.lines(head + "7,A,NGO,IT,Nowhere,safehouse,2026-11-20\n")
    assert [fault.code for fault in line.faults] == ["field.id"]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "name,nonsense\n", 'name\n"' + "x" * 200_000])
def test_a_strange_table_is_refused(text):
    """One sentence says what the first line must be."""
    with pytest.raises(Invalid):
        list(partner_tables.lines(text))


def test_a_table_has_a_limit():
    """A directory has thousands of entries at the most."""
    with pytest.raises(Invalid):
        list(partner_tables.lines("name\n" + "x\n" * (partner_tables.MAX_ROWS + 1)))


@given(st.text(max_size=300))
def test_no_table_breaks_the_reader(text):
    """Whatever is in a file: lines, faults, or one clear refusal."""
    try:
        found = list(partner_tables.lines(text))
    except Invalid:
        return
    assert all(line.faults or line.content for line in found)


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_a_leaflet_is_in_the_readers_language(language):
    """Right to left in Arabic, numbers left to right, everything escaped."""
    one = a_partner(
        name="<b>House & Home</b>",
        areas=["<Nowhere>"],
        phone="+390000000009",
        hours="9-17",
        address="Imaginary\nLane",
        serves=["women"],
        languages=["ar"],
        fee="free",
    )
    page = leaflet.page("<nowhere>", [one], language, "/style.css")
    assert f'lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}"' in page
    assert '<bdi dir="ltr">+390000000009</bdi>' in page
    assert vocabulary.code_label("service_type", "safehouse", language) in page
    assert "<b>" not in page
    assert "&lt;Nowhere&gt;" in page
    empty = leaflet.page("Typed By Somebody", [], language, "/style.css")
    assert "Typed" not in empty
    assert escape(vocabulary.form_text("leaflet.nobody", language)) in empty


def test_a_leaflet_leaves_out_what_is_not_known():
    """No empty lines."""
    page = leaflet.page("Nowhere", [a_partner()], "en", "/style.css")
    assert vocabulary.field_label("partner", "phone", "en") not in page
