"""Canonical bytes: injective, read back exactly, and never anything but a value or `Tampered`."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from casevault.crypto.canonical import Reader, decode, encode
from casevault.errors import Tampered

AN_ID = UUID(int=0x12345678123456781234567812345678)

scalars = (
    st.none()
    | st.binary(max_size=40)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.integers(0, (1 << 63) - 1)
    | st.uuids()
)
parts = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=12)
values = st.lists(parts, max_size=5).map(tuple)


def typed(value):
    """Tell apart what Python's `==` does not have to (there are no booleans here)."""
    if isinstance(value, tuple):
        return tuple(typed(item) for item in value)
    return type(value), value


@given(values)
def test_what_was_encoded_is_decoded(value):
    """Decoding gives back exactly the parts, types included."""
    assert typed(decode(encode(*value))) == typed(value)


@given(values, values)
@example((b"a",), ("a",))
@example(("a", "b"), ("ab",))
@example((("a",), "b"), (("a", "b"),))
@example((None,), ())
@example(((),), ())
def test_different_parts_give_different_bytes(left, right):
    """Encoding is injective: equal bytes only from equal parts."""
    assert (encode(*left) == encode(*right)) == (typed(left) == typed(right))


@given(st.binary(max_size=200))
@example(b"n\x00\x00\x00\x00")
@example(b"n\x00\x00\x00\x01x")
@example(b"i\x00\x00\x00\x08\x80" + bytes(7))
@example(b"i\x00\x00\x00\x07" + bytes(7))
@example(b"u\x00\x00\x00\x0f" + bytes(15))
@example(b"s\x00\x00\x00\x01\xff")
@example(b"s\x00\x00\x00\x03\xed\xa0\x80")
@example(b"b\x00\x00")
@example(b"b")
@example(b"\xff\xff\xff\xff\xff")
def test_any_bytes_are_a_value_or_tampered(data):
    """Random bytes never raise another exception, and what they give encodes to the same bytes."""
    try:
        found = decode(data)
    except Tampered:
        return
    assert encode(*found) == data


@given(values.filter(bool), st.data())
def test_a_changed_byte_gives_other_parts_or_tampered(value, data):
    """No second spelling of the same parts exists."""
    whole = bytearray(encode(*value))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(whole))
    except Tampered:
        return
    assert typed(found) != typed(value)


@given(values.filter(bool), st.data())
def test_every_truncation_is_noticed(value, data):
    """A cut never reads as the whole: fewer parts, or `Tampered`."""
    whole = encode(*value)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with contextlib.suppress(Tampered):
        assert len(decode(cut)) < len(value)


@pytest.mark.parametrize(
    "value",
    [True, -1, 1 << 63, 1.5, [1], {}, bytearray(b"x"), datetime(2026, 1, 1, tzinfo=UTC)],
)
def test_values_without_a_canonical_form_are_refused(value):
    """Booleans, negative and huge numbers, and every other type are a programmer's mistake."""
    with pytest.raises(TypeError):
        encode(value)


class _Text(str):
    """As the names of a database library's columns are."""


class _Bytes(bytes):
    """Bytes of some library."""


class _Id(UUID):
    """An id of some library."""


@pytest.mark.parametrize(
    ("special", "plain"),
    [(_Text("a"), "a"), (_Bytes(b"a"), b"a"), (_Id(int=AN_ID.int), AN_ID)],
)
def test_a_kind_of_its_own_counts_as_what_it_is(special, plain):
    """A value of a subclass has the bytes of the plain value, alone and in a list."""
    assert encode(special, (special,)) == encode(plain, (plain,))


def nested(depth):
    """Return bytes of `depth` empty lists within each other."""
    data = b""
    for _ in range(depth):
        data = b"l" + len(data).to_bytes(4, "big") + data
    return data


def test_nesting_ends_at_the_same_depth_for_every_input():
    """Eight lists within each other are read; a ninth is `Tampered`, never a recursion error."""
    found, depth = decode(nested(8)), 0
    while found:
        (found,), depth = found, depth + 1
    assert depth == 8
    for depth in (9, 10, 500, 5_000):
        with pytest.raises(Tampered) as caught:
            decode(nested(depth))
        assert caught.value.code == "canonical.depth"


def test_the_known_bytes():
    """The format is what docs say: tag, 32-bit length, payload."""
    assert encode("a", b"\x01", 2, None, (3,)).hex() == (
        "730000000161"
        "620000000101"
        "69000000080000000000000002"
        "6e00000000"
        "6c0000000d69000000080000000000000003"
    )
    assert encode(AN_ID) == b"u\x00\x00\x00\x10" + AN_ID.bytes


WRITTEN = (b"b", "s", 7, AN_ID, (1,))
TAKERS = ("bytes_", "text", "number", "uuid", "list_")


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("taker", TAKERS)
def test_a_reader_takes_only_the_type_asked_for(place, taker):
    """Each method takes its own type and no other."""
    reader = Reader((WRITTEN[place],))
    if taker == TAKERS[place]:
        assert getattr(reader, taker)() == WRITTEN[place]
        reader.end()
        return
    with pytest.raises(Tampered) as caught:
        getattr(reader, taker)()
    assert caught.value.code == "canonical.type"


@pytest.mark.parametrize(
    ("taker", "value"),
    [("optional_uuid", AN_ID), ("optional_number", 7), ("optional_bytes", b"x")],
)
def test_optional_parts_are_there_or_none(taker, value):
    """An optional part is its value or nothing; a missing one and another type are `Tampered`."""
    assert getattr(Reader((value,)), taker)() == value
    empty = Reader((None,))
    assert getattr(empty, taker)() is None
    empty.end()
    for wrong in ((), ("text",)):
        with pytest.raises(Tampered):
            getattr(Reader(wrong), taker)()


def test_a_reader_refuses_missing_and_extra_parts():
    """Neither too few nor too many parts pass."""
    reader = Reader.of(encode("one", "two"))
    assert reader.text() == "one"
    with pytest.raises(Tampered) as caught:
        reader.end()
    assert caught.value.code == "canonical.extra"
    reader.text()
    reader.end()
    with pytest.raises(Tampered) as caught:
        reader.text()
    assert caught.value.code == "canonical.short"


def test_a_reader_knows_whether_anything_is_left():
    """Rows from before a part was added are shorter."""
    reader = Reader.of(encode("one", 2))
    assert not reader.is_over()
    assert (reader.text(), reader.is_over(), reader.number(), reader.is_over()) == (
        "one",
        False,
        2,
        True,
    )
