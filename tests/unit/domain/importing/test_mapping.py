"""Columns to fields: what a mapping takes, what it refuses, and that it repeats nothing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain.case import dictionary
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.importing.htcds import default_mapping
from casevault.domain.importing.mapping import parse_mapping
from casevault.domain.importing.targets import parse_target
from casevault.errors import Invalid

CANARY = "canary-5e1d"


def read(columns, record, **more):
    """Read one record by a mapping of these columns."""
    mapping = parse_mapping({"columns": columns, **more})
    return mapping.read(7, {"Id": "A-1", **record}, "Id")


def faults(columns, record, **more):
    """Return where and why a record cannot be read."""
    with pytest.raises(Invalid) as caught:
        read(columns, record, **more)
    return [(error.pointer, error.code) for error in caught.value.errors]


def wrong(raw):
    """Return the code with which a mapping is refused."""
    with pytest.raises(Invalid) as caught:
        parse_mapping(raw)
    assert CANARY not in f"{caught.value} {caught.value.hint} {caught.value.errors}"
    return caught.value.code


def test_a_column_goes_to_its_field():
    """The simplest mapping: name of the column = path of the field."""
    found = read({"Called": "identity.name_to_use"}, {"Called": " Mira "})
    assert found.identity == {"name_to_use": "Mira"}
    assert (found.line, found.source_id, found.profile, found.case) == (7, "A-1", {}, {})


def test_two_columns_make_one_text_in_the_order_of_the_mapping():
    """A given and a family name together are the name to use; each also goes to its own place."""
    columns = {
        "First": ["identity.names[0].given", "identity.name_to_use"],
        "Last": ["identity.names[0].family", "identity.name_to_use"],
    }
    found = read(columns, {"Last": "Example", "First": "Mira"})
    assert found.identity == {
        "name_to_use": "Mira Example",
        "names": [{"given": "Mira", "family": "Example"}],
    }


def test_lists_are_split_and_columns_add_to_them():
    """A list comes from one cell with separators, from several columns, or from JSON."""
    columns = {
        "Tongue": "identity.languages",
        "Other": {"to": "identity.languages", "separator": "/"},
    }
    for other in ("en / fr", ["en", "fr"]):
        found = read(columns, {"Tongue": "ron", "Other": other})
        assert found.identity == {"languages": ["ron", "en", "fr"]}


def test_a_cell_may_hold_a_part_for_each_entry():
    """Entries by one sign, lists inside by another; parts of several columns meet by position."""
    columns = {
        "Where": "profile.history[].country",
        "Kinds": "profile.history[].exploitation",
    }
    constants = {"profile.history[].type": "Exploitation"}
    record = {"Where": "MD||IT", "Kinds": "ForcedLabour;Servitude| |OrganRemoval"}
    assert read(columns, record, constants=constants).profile == {
        "history": [
            {
                "country": "MD",
                "exploitation": ["ForcedLabour", "Servitude"],
                "type": "Exploitation",
            },
            {"country": "IT", "exploitation": ["OrganRemoval"], "type": "Exploitation"},
        ]
    }
    lists = {"Where": ["MD"], "Kinds": [["ForcedLabour"]]}
    assert read(columns, lists).profile == {
        "history": [{"country": "MD", "exploitation": ["ForcedLabour"]}]
    }


def test_a_constant_fills_what_is_there_and_makes_no_empty_entry():
    """A constant completes a group that something else made; it never invents one."""
    columns = {"Country": "profile.history[0].country", "Word": "identity.safe_contact.code_word"}
    constants = {
        "profile.history[0].type": "Exploitation",
        "identity.safe_contact.how": "call",
        "profile.risk_level": "low",
    }
    found = read(columns, {"Country": "", "Word": "heron"}, constants=constants)
    assert found.profile == {}
    assert found.identity == {"safe_contact": {"code_word": "heron", "how": "call"}}
    found = read(columns, {"Country": "MD"}, constants=constants)
    assert found.profile == {
        "history": [{"country": "MD", "type": "Exploitation"}],
        "risk_level": "low",
    }


def test_codes_of_the_source_become_ours():
    """A known value is replaced, an empty one leaves out, an unknown one is left to be refused."""
    columns = {
        "Sex": {"to": "identity.gender", "codes": {"F": "Feminine", "?": ""}},
        "Help": {"to": "identity.interpreter_needed", "codes": {"1": True}},
    }
    assert read(columns, {"Sex": "F", "Help": 1}).identity == {
        "gender": "Feminine",
        "interpreter_needed": True,
    }
    assert read(columns, {"Sex": "?"}).identity == {}
    unknown = read(columns, {"Sex": "W"}).identity
    with pytest.raises(Invalid) as caught:
        Dictionary().validate(DocumentKind.IDENTITY, {"name_to_use": "x", **unknown})
    assert [(e.pointer, e.code) for e in caught.value.errors] == [("/gender", "field.code")]


@pytest.mark.parametrize(
    ("target", "formats", "cell", "expected"),
    [
        ("case.opened", "%d.%m.%Y", "03.04.2021", "2021-04-03"),
        ("case.opened", ["%d.%m.%Y", "%Y/%m/%d"], "2021/04/03", "2021-04-03"),
        ("case.opened", "%Y-%m-%d %H:%M:%S", "2021-04-03 00:00:00", "2021-04-03"),
        ("profile.history[0].started", "%d.%m.%Y", "03.04.2021", "2021-04"),
        ("identity.birth_year", "%d.%m.%Y", "03.04.2001", 2001),
        ("identity.age", [], "17", 17),
        ("identity.age", [], "about 17", "about 17"),
        ("case.opened", "%d.%m.%Y", "31.02.2021", "31.02.2021"),
        ("identity.interpreter_needed", [], "Yes", True),
        ("identity.interpreter_needed", [], "maybe", "maybe"),
    ],
)
def test_cells_become_what_the_field_holds(target, formats, cell, expected):
    """Dates by the named formats only; what cannot be read stays for the dictionary to refuse."""
    found = read({"C": {"to": target, "date": formats}}, {"C": cell})
    content = {**found.identity, **found.profile, **found.case}
    (value,) = content.values()
    if isinstance(value, list):
        ((_, value),) = value[0].items()
    assert value == expected
    assert type(value) is type(expected)


def test_what_stands_for_nothing_is_nothing():
    """Empty cells and the words that the mapping calls empty are left out, in lists too."""
    columns = {"Name": "identity.name_to_use", "Also": "identity.aliases"}
    found = read(columns, {"Name": " n/a ", "Also": "Mimi;; n/a ;"}, empty=["n/a"])
    assert found.identity == {"aliases": ["Mimi"]}


def test_nothing_is_mapped_silently():
    """Every column is named as mapped, left out on purpose, or left over."""
    mapping = parse_mapping(
        {"columns": {"A": "identity.name_to_use", "Z": "identity.age"}, "ignore": ["B"]}
    )
    found = mapping.look_at(["Id", "A", "B", "C"], "Id")
    assert found.mapped == (("A", ("identity.name_to_use",)),)
    assert (found.ignored, found.unmapped, found.missing) == (("B",), ("C",), ("Z",))


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (None, "import.id-missing"),
        ("  ", "import.id-missing"),
        (True, "import.id-missing"),
        (1.5, "import.id-missing"),
        ("x" * 201, "import.id"),
        ("a\tb", "import.id"),
        ("a\udcffb", "import.id"),
    ],
)
def test_a_line_without_a_usable_id_is_refused(cell, code):
    """Without an id a rerun could not know the line again."""
    assert faults({"A": "identity.age"}, {"Id": cell}) == [("", code)]


def test_a_number_may_be_an_id():
    """JSON writes ids as numbers; they are the same id."""
    assert read({"A": "identity.age"}, {"Id": 17}).source_id == "17"


def test_bytes_that_are_not_utf8_refuse_the_line():
    """A file in another encoding must not be stored with broken letters."""
    columns = {
        "A": "identity.name_to_use",
        "B": "identity.aliases",
        "C": "identity.safe_contact.who",
        "D": "profile.history[].country",
        "E": "profile.plan[2].goal",
    }
    lost = "Mu\udcfcller"
    record = {"A": lost, "B": [lost], "C": lost, "D": f"MD|{lost}", "E": lost}
    assert faults(columns, record) == [
        ("/identity/name_to_use", "import.encoding"),
        ("/identity/aliases", "import.encoding"),
        ("/identity/safe_contact/who", "import.encoding"),
        ("/profile/history/1/country", "import.encoding"),
        ("/profile/plan/2/goal", "import.encoding"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "identity",
        "identity.names",
        "identity.names.family",
        "identity.name_to_use[0]",
        "identity.names[12].family",
        "identity.safe_contact[0].how",
        "identity." + CANARY,
        "facts.gender",
        "facts.pid",
        "case.id",
        "profile.imported.source",
        "identity.name_to_use.x",
        "",
        7,
    ],
)
def test_a_path_must_lead_to_a_field_that_may_be_written(path):
    """Groups, unknown fields and what the service writes itself are no targets."""
    with pytest.raises(Invalid) as caught:
        parse_target(path)
    assert caught.value.code == "mapping.target"
    assert CANARY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        {"columns": {}},
        {"columns": {"A": "identity.age"}, CANARY: 1},
        {"columns": {"A": {"codes": {}}}},
        {"columns": {"A": {"to": "identity.age", CANARY: 1}}},
        {"columns": {"A": {"to": []}}},
        {"columns": {"A": {"to": "identity.age", "date": "%d.%m.%y"}}},
        {"columns": {"A": {"to": "identity.age", "date": "%c %Y"}}},
        {"columns": {"A": {"to": "identity.age", "codes": {"x": 1}}}},
        {"columns": {"A": {"to": "identity.age", "separator": ""}}},
        {"columns": {"A": "identity.age"}, "separator": "|"},
        {"columns": {"A": "identity.age", "B": "identity.age"}},
        {"columns": {"A": "identity.age"}, "ignore": CANARY},
        {"columns": {"A": "identity.age"}, "constants": []},
        {"columns": {str(n): "identity.aliases" for n in range(501)}},
    ],
)
def test_a_wrong_mapping_is_refused_without_echo(raw):
    """Each says what is missing, none repeats what was written."""
    assert wrong(raw) == "mapping"


CELLS = st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.lists(st.text())


@given(cells=st.lists(CELLS, min_size=6, max_size=6))
def test_any_cells_are_read_or_refused(cells):
    """Whatever stands in a record, reading it gives a candidate or `Invalid`."""
    columns = {
        "a": "identity.names[].given",
        "b": "identity.phones",
        "c": {"to": "case.opened", "date": "%d.%m.%Y"},
        "d": {"to": "profile.history[0].exploitation", "codes": {"x": "ForcedLabour"}},
        "e": "identity.interpreter_needed",
        "f": "identity.age",
    }
    refused = None
    try:
        found = read(columns, dict(zip("abcdef", cells, strict=True)))
        json.dumps(found.identity)
    except Invalid as error:
        refused = error
    assert refused is None or refused.errors


def test_every_name_of_the_standard_in_identity_is_mapped():
    """What the dictionary says of HTCDS and what the default mapping does are one."""
    named = {f.htcds for f in dictionary.fields_of(DocumentKind.IDENTITY) if f.htcds}
    assert named <= {column.name for column in default_mapping(["Gender"]).columns}


def test_prefixed_names_are_known_by_the_prefix():
    """A table with `prs_Gender` is read by the prefixed names."""
    mapping = default_mapping(["prs_FirstName", "vic_TypeOfExploitation"])
    record = {"Id": "1", "prs_FirstName": "Mira", "vic_TypeOfExploitation": "Servitude"}
    found = mapping.read(2, record, "Id")
    assert found.identity["name_to_use"] == "Mira"
    assert found.profile["history"] == [{"exploitation": ["Servitude"], "type": "Exploitation"}]


def test_the_example_of_the_manual_is_a_mapping():
    """docs/import.md can be followed: its example is read, and does what the text says."""
    manual = Path(__file__).parents[4] / "docs" / "import.md"
    example = manual.read_text().split("```toml\n")[1].split("```")[0]
    mapping = parse_mapping(tomllib.loads(example))
    record = {
        "First name": "Mira",
        "Surname": "Example",
        "Born": "14.02.2003",
        "Sex": "F",
        "Nationality": "Moldovan, Romanian",
        "Phone numbers": "+12025550147",
        "Opened on": "03.04.2025",
        "Kind": "labour|sexual",
        "Where": "IT|ES",
        "Interpreter": "oui",
        "Remarks": "-",
    }
    found = mapping.read(2, {"File no.": "RS-12", **record}, "File no.")
    assert found.identity == {
        "name_to_use": "Mira Example",
        "names": [{"given": "Mira", "family": "Example"}],
        "birth_year": 2003,
        "gender": "Feminine",
        "citizenships": ["MD", "RO"],
        "phones": ["+12025550147"],
        "interpreter_needed": True,
    }
    assert found.profile == {
        "history": [
            {"type": "Exploitation", "exploitation": ["ForcedLabour"], "country": "IT"},
            {"type": "Exploitation", "exploitation": ["SexualExploitation"], "country": "ES"},
        ]
    }
    assert found.case == {"opened": "2025-04-03"}
    assert Dictionary().validate(DocumentKind.IDENTITY, found.identity) == found.identity
    assert Dictionary().validate(DocumentKind.PROFILE, found.profile) == found.profile
