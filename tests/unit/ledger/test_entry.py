"""Leaves and bodies: exact bytes, strict reading, nothing that a person typed."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.errors import Invalid, Tampered
from casevault.ledger.codes import CATEGORIES, CODES
from casevault.ledger.entry import (
    MAX_BODY_BYTES,
    MAX_ITEMS,
    Body,
    Entity,
    Leaf,
    check_body,
    commitment,
    encode_body,
    encode_leaf,
    make_leaf,
    parse_body,
    parse_leaf,
    tag_input,
)

from .reference import SALT, WRITER, a_body, a_leaf

LEAF = a_leaf()
LEAF_BYTES = encode_leaf(LEAF)
BODY_BYTES = encode_body(a_body())


def test_every_code_has_a_known_category():
    """The closed list uses the eight categories and no other."""
    assert set(CODES.values()) <= set(CATEGORIES)
    assert len(CATEGORIES) == 8


def test_the_list_of_codes_cannot_be_changed():
    """Nobody can add a code at run time."""
    with pytest.raises(TypeError):
        CODES["case.secret"] = "rest"  # type: ignore[index]


def test_leaf_bytes_are_one_line_in_fixed_order():
    """The stored bytes are written down here, once, by hand."""
    leaf = Leaf(1, "2026-03-04T05:00:00Z", "abcdefgh", 7, "rest", 0, "2026-03", "A" * 43)
    assert encode_leaf(leaf) == (
        b'{"v":1,"t":"2026-03-04T05:00:00Z","w":"abcdefgh","s":7,"c":"rest","o":0,'
        b'"k":"2026-03","b":"' + b"A" * 43 + b'"}'
    )


def test_a_leaf_survives_its_bytes():
    """Reading what was written gives the same leaf."""
    assert parse_leaf(LEAF_BYTES) == LEAF


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("v", True),
        ("t", "2026-03-04T05:30:00Z"),
        ("t", "2026-02-30T05:00:00Z"),
        ("t", "2026-03-04T24:00:00Z"),
        ("t", 5),
        ("w", "short"),
        ("w", "with space"),
        ("s", -1),
        ("s", 2**53),
        ("s", True),
        ("s", 1.0),
        ("c", "other"),
        ("c", []),
        ("o", 1),
        ("o", False),
        ("k", "2026-13"),
        ("k", "2026-3"),
        ("b", "A" * 42),
        ("b", "A" * 42 + "B"),
    ],
)
def test_a_wrong_leaf_value_is_invalid(field, value):
    """Each field has one form; the error names the field and not the value."""
    with pytest.raises(Invalid) as caught:
        dataclasses.replace(LEAF, **{field: value})
    assert caught.value.errors[0].pointer == f"/{field}"
    assert "other" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 1000,
        b" " + LEAF_BYTES,
        LEAF_BYTES + b"\n",
        LEAF_BYTES.replace(b'"v":1', b'"v":1.0'),
        LEAF_BYTES.replace(b'"v":1', b'"v":true'),
        LEAF_BYTES.replace(b'"v":1', b'"v":1,"v":1'),
        LEAF_BYTES.replace(b'"c":"rest"', b'"c":"\\u0072est"'),
        LEAF_BYTES.replace(b'"c":"rest"', b'"c":"\\ud800"'),
        LEAF_BYTES.replace(b"}", b',"x":1}'),
        LEAF_BYTES + b" " * 1024,
        json.dumps(json.loads(LEAF_BYTES), sort_keys=True, separators=(",", ":")).encode(),
    ],
)
def test_any_other_spelling_of_a_leaf_is_tampered(data):
    """There is one spelling of a leaf."""
    with pytest.raises(Tampered) as caught:
        parse_leaf(data)
    assert caught.value.code == "ledger-leaf"


def test_a_very_deep_leaf_is_tampered_and_does_not_crash(monkeypatch):
    """A parser that runs out of stack says tampered, too."""

    def too_deep(_text):
        raise RecursionError

    monkeypatch.setattr("casevault.ledger.entry.json.loads", too_deep)
    with pytest.raises(Tampered):
        parse_leaf(LEAF_BYTES)


@given(st.binary(max_size=300))
def test_random_bytes_are_no_leaf(data):
    """The reader raises nothing but Tampered."""
    with pytest.raises(Tampered):
        parse_leaf(data)


@given(st.integers(0, len(LEAF_BYTES) - 1), st.integers(1, 255))
def test_a_changed_leaf_is_refused_or_another_leaf(place, flip):
    """One changed byte never reads as the same leaf."""
    data = bytearray(LEAF_BYTES)
    data[place] ^= flip
    try:
        found = parse_leaf(bytes(data))
    except Tampered:
        return
    assert found != LEAF


def test_body_bytes_are_canonical_json():
    """Sorted keys, no white space, None and empty left out, zero kept."""
    small = Body("2026-03-04T05:06:07.000008Z", "system.start", count=0)
    assert encode_body(small) == (
        b'{"code":"system.start","count":0,"outcome":0,"recorded":"2026-03-04T05:06:07.000008Z"}'
    )
    found = json.loads(BODY_BYTES)
    assert list(found) == sorted(found)
    assert found["entities"] == [
        {
            "record": "record-pseudonym-01",
            "type": "case",
            "versions": [["narrative", 3], ["contact", 1]],
        }
    ]


names = st.from_regex(r"[a-z0-9_.:/\-]{1,20}", fullmatch=True)
pseudonyms = st.from_regex(r"[A-Za-z0-9_\-]{16,64}", fullmatch=True)
counts = st.integers(0, 2**53 - 1)
entities = st.builds(
    Entity, names, pseudonyms, st.lists(st.tuples(names, counts), max_size=3).map(tuple)
)
bodies = st.builds(
    a_body,
    code=st.sampled_from(sorted(CODES)),
    actor=st.none() | pseudonyms,
    roles=st.lists(names, max_size=3).map(tuple),
    session=st.none() | pseudonyms,
    outcome=st.sampled_from([0, 4, 8, 12]),
    entities=st.lists(entities, max_size=3).map(tuple),
    fields=st.lists(names, max_size=3).map(tuple),
    filters=st.lists(names, max_size=3).map(tuple),
    count=st.none() | counts,
    query=st.none() | pseudonyms,
    size=st.none() | counts,
    request=st.none() | pseudonyms,
    links=st.lists(st.tuples(names, pseudonyms), max_size=2).map(tuple),
    skipped=st.lists(counts, max_size=3).map(tuple),
)


@given(bodies)
def test_a_body_survives_its_bytes(body):
    """Reading what was written gives the same body."""
    assert parse_body(encode_body(body)) == body


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recorded", "2026-03-04T05:06:07Z"),
        ("recorded", "2026-13-04T05:06:07.000008Z"),
        ("recorded", None),
        ("code", "case.gossip"),
        ("outcome", 3),
        ("outcome", False),
        ("assurance", "Two Factor"),
        ("purpose", "because she asked"),
        ("rule", "x" * 121),
        ("actor", "Maria"),
        ("session", ""),
        ("query", "name=Maria Example"),
        ("request", "a b"),
        ("count", -1),
        ("size", True),
        ("roles", ("Case Worker",)),
        ("fields", ("narrative.text", "she said\nno")),
        ("filters", ("é",)),
        ("entities", ("case",)),
        ("links", (("approval", "a b"),)),
        ("links", (("Approval", "ab"),)),
        ("skipped", (-1,)),
        ("skipped", (0,) * (MAX_ITEMS + 1)),
    ],
)
def test_free_text_never_enters_a_body(field, value):
    """A value outside its pattern is refused, and is not in the error."""
    with pytest.raises(Invalid) as caught:
        a_body(**{field: value})
    assert caught.value.errors[0].pointer == f"/{field}"
    assert "Maria" not in repr((caught.value.args, caught.value.errors, caught.value.detail))


@pytest.mark.parametrize(
    "values",
    [
        ("Case", "record-pseudonym-01"),
        ("case", "Maria"),
        ("case", "record-pseudonym-01", (("Narrative", 1),)),
        ("case", "record-pseudonym-01", (("narrative", -1),)),
        ("case", "record-pseudonym-01", (("a", 1),) * (MAX_ITEMS + 1)),
    ],
)
def test_an_entity_holds_names_and_pseudonyms_only(values):
    """The same patterns hold inside an entity."""
    with pytest.raises(Invalid):
        Entity(*values)


def test_a_body_has_a_maximum_length():
    """The sealed row stays small, whatever a caller lists."""
    with pytest.raises(Invalid):
        encode_body(a_body(fields=("x" * 120,) * (MAX_BODY_BYTES // 120)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b" " + BODY_BYTES,
        BODY_BYTES.replace(b'"count":0,', b'"count":0,"query":null,'),
        BODY_BYTES.replace(b'"count":0', b'"count":0.0'),
        BODY_BYTES.replace(b'"roles":["caseworker"]', b'"roles":"caseworker"'),
        BODY_BYTES.replace(b'"roles":["caseworker"]', b'"roles":7'),
        BODY_BYTES.replace(b'[["approval","entry:17"]]', b'[["approval"]]'),
        BODY_BYTES.replace(b'"type":"case"', b'"kind":"case"'),
        BODY_BYTES.replace(b'"type":"case"', b'"type":"case","extra":1'),
        BODY_BYTES.replace(b'"code":"case.read"', b'"code":["case.read"]'),
        BODY_BYTES[:-1] + b',"who":"x"}',
        b'{"x":"' + b"x" * MAX_BODY_BYTES + b'"}',
    ],
)
def test_any_other_spelling_of_a_body_is_tampered(data):
    """There is one spelling of a body."""
    assert data != BODY_BYTES
    with pytest.raises(Tampered) as caught:
        parse_body(data)
    assert caught.value.code == "ledger-body"


def test_commitment_is_the_hash_of_salt_and_body():
    """The commitment is SHA-256 over both, and a salt has 32 bytes."""
    assert commitment(SALT, b"body") == hashlib.sha256(SALT + b"body").digest()
    with pytest.raises(Invalid):
        commitment(SALT[:-1], b"body")


def test_tag_input_is_leaf_and_hash_of_sealed_body():
    """The tag covers both halves of an entry."""
    assert tag_input(b"leaf", b"sealed") == b"leaf" + hashlib.sha256(b"sealed").digest()


def test_a_leaf_tells_hour_category_and_outcome_of_its_body():
    """Nothing finer than the hour is published."""
    leaf = make_leaf(
        a_body(outcome=4, code="authz.deny"), SALT, writer=WRITER, counter=3, key_month="2026-02"
    )
    assert (leaf.t, leaf.c, leaf.o, leaf.s) == ("2026-03-04T05:00:00Z", "authz", 4, 3)


def test_a_body_is_checked_against_its_leaf():
    """The right salt and body open the commitment."""
    assert check_body(LEAF, SALT, BODY_BYTES) == a_body()


@pytest.mark.parametrize(
    ("leaf", "salt"),
    [
        (LEAF, bytes(32)),
        (LEAF, b""),
        (dataclasses.replace(LEAF, o=8), SALT),
        (dataclasses.replace(LEAF, t="2026-03-04T06:00:00Z"), SALT),
        (dataclasses.replace(LEAF, c="auth"), SALT),
    ],
)
def test_a_body_that_tells_otherwise_is_tampered(leaf, salt):
    """Another salt, hour, category or outcome is found."""
    with pytest.raises(Tampered):
        check_body(leaf, salt, BODY_BYTES)
