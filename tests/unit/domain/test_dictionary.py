"""The data dictionary: what can be stored, and how everything else is refused."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.case.fields import Type
from casevault.domain.pages import dictionary_page
from casevault.errors import Invalid, Misconfigured

KINDS = list(dictionary.DOCUMENTS)
WALKED = [(kind, name, field) for kind in KINDS for name, field in dictionary.walk(kind)]
ALL_ON = frozenset(f.switch for _, _, f in WALKED if f.switch)
CANARY = "canary-7f3a"
PLAIN, ON = Dictionary(), Dictionary(ALL_ON)

FULL_IDENTITY: dict[str, Any] = {
    "name_to_use": "Made-up Mira",
    "pronoun": "she",
    "names": [{"given": "Mira", "family": "Example", "other": "bint"}],
    "aliases": ["Mimi"],
    "spellings": ["Мира"],
    "age": 17,
    "birth_year": 2009,
    "age_band": "under_18",
    "gender": "Feminine",
    "citizenships": ["MD"],
    "languages": ["ron", "en"],
    "interpreter_needed": True,
    "safe_contact": {
        "who": "her aunt",
        "how": "call",
        "when": ["morning", "weekdays"],
        "code_word": "heron",
        "never_say": "where\nwe are from",
    },
    "phones": ["+15550100199"],
    "address": "Nowhere Lane 0",
    "papers": [
        {
            "kind": "passport",
            "number": "X0",
            "issued_by": "MD",
            "expires": "2028-02-29",
            "withheld": True,
        }
    ],
}
FULL_PROFILE: dict[str, Any] = {
    "presenting_situation": "Came alone.\n\tTired.",
    "trafficking_status": "PossibleVictimOfTrafficking",
    "risk_level": "high",
    "risk_reasons": "Threatened last week",
    "needs": ["safehouse"],
    "history": [
        {
            "type": "Recruitment",
            "country": "MD",
            "started": "2025-01",
            "ended": "2025-02",
            "exploitation": ["ForcedLabour"],
            "sexual": [],
            "industry": ["F_Construction"],
            "recruited_by": "Other",
            "controlled_by": ["DebtBondage"],
            "account": "made up",
        }
    ],
    "perpetrators": [
        {
            "described_as": "tall",
            "role": ["Exploiter"],
            "relationship": "Unaquainted",
            "present_danger": False,
        }
    ],
    "disability": {"seeing": "no", "walking": "a_lot"},
    "plan": [{"goal": "a room", "support": "SocialCare", "due": "2027-01-01", "state": "open"}],
    "unlisted": True,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def faults(content: Any, document: DocumentKind = DocumentKind.IDENTITY) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        ON.validate(document, content)
    return {(e.pointer, e.code) for e in caught.value.errors}


def identity(**fields: Any) -> dict[str, Any]:
    return {"name_to_use": "Mira", **fields}


@pytest.mark.parametrize(("kind", "name", "field"), WALKED)
def test_every_field_is_complete(kind, name, field):
    """Each field has a purpose; codes, sub-fields and bounds are there exactly where needed."""
    assert field.purpose
    assert bool(field.codes) == (field.type is Type.CODE)
    assert bool(field.fields) == (field.type is Type.GROUP)
    assert (field.low < field.high) == (field.type is Type.INTEGER)


def test_names_are_given_once_per_document():
    """No document names a field twice."""
    names = [(kind, name) for kind, name, _ in WALKED]
    assert len(set(names)) == len(names)


def test_all_top_fields_are_listed():
    """FIELDS is what the rule about columns compares with."""
    top = tuple(field for kind in KINDS for field in dictionary.fields_of(kind))
    assert top == dictionary.FIELDS


def test_every_kind_of_document_is_in_the_dictionary():
    """What a case can hold has fields, or nothing could be written in it."""
    assert set(DocumentKind) == set(KINDS)


def test_documents_lie_in_their_compartments():
    """Identity and narrative stay apart."""
    assert dictionary.compartment_for("consent") is Compartment.NARRATIVE
    assert dictionary.compartment_for("referral") is Compartment.NARRATIVE
    assert dictionary.compartment_for(DocumentKind.IDENTITY) is Compartment.IDENTITY
    assert dictionary.compartment_for(DocumentKind.PROFILE) is Compartment.NARRATIVE
    assert dictionary.compartment_for(DocumentKind.FACTS) is Compartment.FACTS


@pytest.mark.parametrize(
    ("kind", "content"),
    [(DocumentKind.IDENTITY, FULL_IDENTITY), (DocumentKind.PROFILE, FULL_PROFILE)],
)
def test_a_full_document_is_taken_as_it_is(kind, content):
    """Every field that the dictionary offers can be filled, and comes back unchanged."""
    assert set(content) == {f.name for f in dictionary.fields_of(kind) if not f.system}
    assert ON.validate(kind, content) == content


@pytest.mark.parametrize(("kind", "name", "field"), WALKED)
def test_a_purpose_switches_whole_fields_that_nobody_must_fill(kind, name, field):
    """Keeping what was stored under a purpose needs no look into groups or lists."""
    if field.switch:
        assert field in dictionary.fields_of(kind)
        assert not field.required
        assert not field.system


def test_sensitive_fields_are_off_until_switched_on():
    """Disability is refused by name until the programme's purpose is on."""
    content = {"disability": {"seeing": "no"}}
    with pytest.raises(Invalid) as caught:
        PLAIN.validate(DocumentKind.PROFILE, content)
    assert [(e.pointer, e.code) for e in caught.value.errors] == [("/disability", "field.off")]
    on = Dictionary.of(["disability"])
    assert on.validate(DocumentKind.PROFILE, content) == content


def test_a_purpose_that_there_is_not_is_refused_with_those_that_there_are():
    """A misspelt purpose must not switch on nothing in silence."""
    with pytest.raises(Misconfigured) as caught:
        Dictionary.of(["disability", CANARY])
    assert caught.value.code == "config.purposes"
    assert "disability" in caught.value.detail
    assert CANARY not in caught.value.detail


STORED = {"risk_level": "low", "disability": {"seeing": "no"}}


@pytest.mark.parametrize(
    ("content", "after"),
    [
        ({"risk_level": "high"}, {"risk_level": "high", "disability": {"seeing": "no"}}),
        (STORED, STORED),
        ({"risk_level": "low", "disability": None}, {"risk_level": "low"}),
        ({}, {"disability": {"seeing": "no"}}),
    ],
)
def test_what_is_off_stays_unless_the_writer_says_null(content, after):
    """A form that shows only what is on loses nothing that was stored before."""
    assert PLAIN.amended(DocumentKind.PROFILE, STORED, content) == after


@pytest.mark.parametrize("value", [{"seeing": "some"}, {}, "no"])
def test_what_is_off_cannot_be_changed(value):
    """Neither another value nor a first one is taken while the purpose is off."""
    for stored in (STORED, {}):
        with pytest.raises(Invalid) as caught:
            PLAIN.amended(DocumentKind.PROFILE, stored, {"disability": value})
        assert {(e.pointer, e.code) for e in caught.value.errors} == {("/disability", "field.off")}


def test_what_is_on_is_replaced():
    """With the purpose on, leaving a field out takes it away, as for every other field."""
    assert ON.amended(DocumentKind.PROFILE, STORED, {"risk_level": "low"}) == {"risk_level": "low"}


def test_what_the_service_wrote_stays():
    """An amendment of the facts keeps what ties them to their case."""
    stored = {"case": "0" * 32, "pid": "1" * 32, "gender": "Feminine"}
    after = PLAIN.amended(DocumentKind.FACTS, stored, {"gender": "Masculine"})
    assert after == {**stored, "gender": "Masculine"}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({CANARY: 1}, ("/*", "field.unknown")),
        ({"safe_contact": {CANARY: 1}}, ("/safe_contact/*", "field.unknown")),
        ({"names": [{}, {CANARY: 1}]}, ("/names/1/*", "field.unknown")),
        ({"papers": [{}]}, ("/papers/0/kind", "field.required")),
        ({"names": "Mira"}, ("/names", "field.list")),
        ({"aliases": ["x"] * 51}, ("/aliases", "field.list")),
        ({"safe_contact": "x"}, ("/safe_contact", "field.group")),
        ({"names": ["x"]}, ("/names/0", "field.group")),
        ({"pronoun": 1}, ("/pronoun", "field.text")),
        ({"pronoun": ""}, ("/pronoun", "field.text")),
        ({"pronoun": "  "}, ("/pronoun", "field.text")),
        ({"pronoun": "x" * 201}, ("/pronoun", "field.too-long")),
        ({"address": "x" * 20_001}, ("/address", "field.too-long")),
        ({"pronoun": "a\nb"}, ("/pronoun", "field.control-character")),
        ({"pronoun": "a\x00b"}, ("/pronoun", "field.control-character")),
        ({"address": "a\x1bb"}, ("/address", "field.control-character")),
        ({"gender": CANARY}, ("/gender", "field.code")),
        ({"gender": "feminine"}, ("/gender", "field.code")),
        ({"age": "17"}, ("/age", "field.integer")),
        ({"age": True}, ("/age", "field.integer")),
        ({"age": 17.0}, ("/age", "field.integer")),
        ({"age": -1}, ("/age", "field.range")),
        ({"age": 121}, ("/age", "field.range")),
        ({"interpreter_needed": 1}, ("/interpreter_needed", "field.yes-no")),
        ({"interpreter_needed": "yes"}, ("/interpreter_needed", "field.yes-no")),
        ({"phones": ["0555 0100"]}, ("/phones/0", "field.phone")),
        ({"phones": ["+1٥٥٥٠١٠٠١٩٩"]}, ("/phones/0", "field.phone")),
        ({"languages": ["English"]}, ("/languages/0", "field.language")),
        ({"citizenships": ["md"]}, ("/citizenships/0", "field.country")),
        ({"papers": [{"kind": "x", "expires": "20280229"}]}, ("/papers/0/expires", "field.date")),
        ({"papers": [{"kind": "x", "expires": "2027-02-29"}]}, ("/papers/0/expires", "field.date")),
    ],
)
def test_faults_name_the_place_and_a_code(fields, fault):
    """Each kind of fault, at its place: one fault gives one error."""
    assert faults(identity(**fields)) == {fault}


@pytest.mark.parametrize("month", ["2025-13", "2025-00", "2025-1", "2025-01-01", "now"])
def test_a_month_is_year_and_month(month):
    """Months are YYYY-MM."""
    content = {"history": [{"type": "Transit", "started": month}]}
    assert faults(content, DocumentKind.PROFILE) == {("/history/0/started", "field.month")}


def test_all_faults_are_told_at_once():
    """A form comes back once, not once per fault; a missing required field is one of them."""
    assert faults({"age": -1, "gender": "?"}) == {
        ("/name_to_use", "field.required"),
        ("/age", "field.range"),
        ("/gender", "field.code"),
    }


def test_the_number_of_errors_is_bounded():
    """A hostile document cannot make the answer long."""
    with pytest.raises(Invalid) as caught:
        PLAIN.validate(DocumentKind.IDENTITY, {f"x{n}": 1 for n in range(500)})
    assert len(caught.value.errors) == 50


def test_null_is_the_same_as_absent():
    """A null clears nothing and stores nothing, and does not fill a required field."""
    assert PLAIN.validate(DocumentKind.IDENTITY, identity(gender=None)) == identity()
    assert faults({"name_to_use": None}) == {("/name_to_use", "field.required")}


def test_text_is_stored_in_normal_form():
    """Composed and decomposed letters are one text; spaces around it go."""
    stored = PLAIN.validate(DocumentKind.IDENTITY, {"name_to_use": " Ame\u0301lie "})
    assert stored == {"name_to_use": "Am\u00e9lie"}


@given(content=st.dictionaries(st.sampled_from([*FULL_IDENTITY, CANARY]), JSON))
def test_any_input_is_taken_or_refused_without_echo(content):
    """Whatever comes in: a document of known fields, or `Invalid` that repeats nothing."""
    try:
        stored = PLAIN.validate(DocumentKind.IDENTITY, content)
    except Invalid as error:
        refused, stored = error, {}
    else:
        refused = None
    if refused is None:
        assert set(stored) <= set(FULL_IDENTITY)
        assert PLAIN.validate(DocumentKind.IDENTITY, stored) == stored
    else:
        assert refused.errors
        assert CANARY not in f"{refused} {refused.detail} {refused.hint} {refused.errors}"


@given(text=st.text(min_size=1, max_size=200))
def test_what_is_stored_is_normal(text):
    """Every accepted text is NFC, not blank, and holds no control characters."""
    try:
        stored = PLAIN.validate(DocumentKind.IDENTITY, {"name_to_use": text})["name_to_use"]
    except Invalid:
        return
    assert stored == unicodedata.normalize("NFC", stored).strip() != ""
    assert not any(unicodedata.category(letter) == "Cc" for letter in stored)


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_names_every_field(kind):
    """The schema is closed and has exactly the dictionary's fields, with their purposes."""
    schema = dictionary.json_schema(kind)
    fields = [f for f in dictionary.fields_of(kind) if not f.system]
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == [f.name for f in fields]
    assert schema["required"] == [f.name for f in fields if f.required]
    for field in fields:
        assert schema["properties"][field.name]["description"] == field.purpose


def test_what_the_service_writes_itself_is_read_only():
    """An input that names such a field is refused, with its name and a reason."""
    found = faults({"pid": "1" * 32, "gender": "Feminine"}, DocumentKind.FACTS)
    assert found == {("/pid", "field.read-only")}


def test_the_schema_says_what_each_type_takes():
    """One property of each type, as the interface shows it."""
    shown = dictionary.json_schema(DocumentKind.IDENTITY)["properties"]
    assert shown["name_to_use"]["maxLength"] == 200
    assert shown["address"]["maxLength"] == 20_000
    assert shown["age"] | {"description": ""} == {
        "type": "integer",
        "minimum": 0,
        "maximum": 120,
        "description": "",
    }
    assert shown["interpreter_needed"]["type"] == "boolean"
    assert shown["gender"]["enum"] == list(vocabulary.code_list("gender"))
    assert shown["phones"]["type"] == "array"
    assert shown["phones"]["maxItems"] == dictionary.MAX_ITEMS
    assert shown["phones"]["items"]["pattern"].startswith("^")
    assert shown["papers"]["items"]["properties"]["expires"]["format"] == "date"
    assert shown["safe_contact"]["additionalProperties"] is False


@pytest.mark.parametrize(
    "text",
    ["a\u202eb", "a\u2028b", "a\ud800b", "a\ue000b", "\u200b\u200b", "a\x07b", "\u2066x\u2069"],
)
def test_text_that_hides_or_reverses_is_refused(text):
    """What people cannot see, or would see in another order, is not stored."""
    with pytest.raises(Invalid) as caught:
        PLAIN.validate(DocumentKind.IDENTITY, {"name_to_use": text})
    assert {error.pointer for error in caught.value.errors} == {"/name_to_use"}


def test_line_ends_of_every_system_are_one():
    """A form filled in on another system gives the same text."""
    content = {"presenting_situation": "one\r\ntwo"}
    assert PLAIN.validate(DocumentKind.PROFILE, content) == {"presenting_situation": "one\ntwo"}


def test_joiners_of_scripts_stay():
    """Names in Persian or Hindi keep the joiners that belong to their spelling."""
    name = "\u0646\u06cc\u200c\u0645\u0627"
    assert PLAIN.validate(DocumentKind.IDENTITY, {"name_to_use": name}) == {"name_to_use": name}


def test_filled_names_what_holds_something():
    """Groups and lists count by what is inside; a no counts, nothing and empty do not."""
    content = {
        "name_to_use": "Mira",
        "interpreter_needed": False,
        "aliases": [],
        "names": [{}, {"given": "Mira"}],
        "safe_contact": {},
        "papers": [{"kind": "passport", "withheld": False}],
        "gender": None,
    }
    assert dictionary.filled(DocumentKind.IDENTITY, content) == {
        "name_to_use",
        "interpreter_needed",
        "names",
        "names.given",
        "papers",
        "papers.kind",
        "papers.withheld",
    }
    every = {name for name, _ in dictionary.walk(DocumentKind.IDENTITY)}
    assert dictionary.filled(DocumentKind.IDENTITY, FULL_IDENTITY) == every


SERVICES = [{"type": "food", "outcome": "provided", "date": "2026-11-20"}]
COUNTED = {"case": "0" * 32, "pid": "1" * 32, "services": SERVICES}


def test_what_the_service_shows_may_come_back_as_it_was():
    """A client that sends back what it read changes nothing of the service's own."""
    shown = dictionary.shown(DocumentKind.FACTS, COUNTED)
    assert shown == {"services": SERVICES}
    assert PLAIN.amended(DocumentKind.FACTS, COUNTED, shown) == COUNTED


@pytest.mark.parametrize("services", [[], None, "none"])
@pytest.mark.parametrize("stored", [COUNTED, {}])
def test_what_the_service_writes_cannot_be_changed(stored, services):
    """Not even to nothing, and not when there is nothing yet."""
    with pytest.raises(Invalid) as caught:
        PLAIN.amended(DocumentKind.FACTS, stored, {"services": services})
    assert [(e.pointer, e.code) for e in caught.value.errors] == [("/services", "field.read-only")]


def test_texts_are_the_fields_in_words():
    """What a passage can be redacted from."""
    assert dictionary.texts_of(DocumentKind.SERVICE) == {"provider", "text"}


def test_the_page_of_the_dictionary_has_every_field_and_list():
    """Made from the code alone: each field in its document, each list with its codes."""
    page = dictionary_page.page()
    for document in dictionary.DOCUMENTS:
        for name, field in dictionary.walk(document):
            assert f"| `{name}` |" in page
            assert not field.codes or f"`{field.codes}`" in page
    assert all(f"- **{name}**: " in page for name in vocabulary.list_names())
    assert all(f"- `{purpose}`" in page for purpose in dictionary.known_purposes())
