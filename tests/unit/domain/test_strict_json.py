"""JSON is taken strictly: what two parsers could read in two ways is read by none."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain.texts import strict_json
from casevault.errors import Invalid
from tests.unit.api.bad_json import BAD, MARKER, _nested, _objects


def refused(body: bytes) -> Invalid:
    """Return the refusal of a body."""
    with pytest.raises(Invalid) as caught:
        strict_json.parse(body)
    return caught.value


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_refused_with_its_code(name: str):
    """Each kind of bad body has a stable code."""
    body, code = BAD[name]
    error = refused(body)
    assert error.code == "json." + code
    assert [(found.pointer, found.code) for found in error.errors] == [("", "json." + code)]


@pytest.mark.parametrize("name", BAD)
def test_a_refusal_holds_nothing_of_the_body(name: str):
    """Neither the error nor the errors behind it, which a log or a debugger would show."""
    error: BaseException | None = refused(BAD[name][0])
    while error is not None:
        shown = repr(error) + repr(vars(error)) + repr(error.args)
        shown += repr(getattr(error, "doc", "")) + repr(getattr(error, "object", ""))
        assert MARKER not in shown
        error = error.__cause__ or error.__context__


def test_an_empty_body_is_not_json():
    """The parser does not invent a value."""
    assert refused(b"").code == "json.syntax"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b"[]", []),
        (b"null", None),
        (b' {"a": [1, -2, 3.5, 1e3, true, false, null, "x"]} ', None),
        (b"9007199254740992", 2**53),
        (b"-9007199254740992", -(2**53)),
        (b"1e308", 1e308),
        (b"1e-999", 0.0),
        (rb'"\ud83d\ude00"', "\N{GRINNING FACE}"),
        ('"ἔτος سنة 年"'.encode(), "ἔτος سنة 年"),
        (b'"\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', '"' + "[" * 36),
        (b'{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}),
        (_nested(32).encode(), None),
        (_objects(32).encode(), None),
        (('["\\\\", ' + "[" * 31 + "]" * 31 + "]").encode(), None),
    ],
)
def test_a_good_body_is_read(body: bytes, value: object):
    """At the bounds, too: 32 levels, 2**53, every script."""
    assert strict_json.parse(body) == (json.loads(body) if value is None else value)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(
                st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=5
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_whatever_json_can_say_comes_through(value: object, escaped: bool):
    """Strictness costs no value that JSON has."""
    assert strict_json.parse(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_refusal(body: bytes):
    """Nothing else ever comes out, and what is taken is what the stock parser reads."""
    try:
        value = strict_json.parse(body)
    except Invalid:
        return
    assert value == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b'["' + b"x" * 1_000_000 + b'"]',
        b"[" + b"[]," * 330_000 + b"[]]",
        b'"' * 1_000_000,
        b"\\" * 1_000_000,
        b'"' + b"\\" * 1_000_000,
        b'["' + b'\\"' * 500_000 + b'"]',
        b"9" * 1_000_000,
        b"[" * 1_000_000,
        b"{" + b",".join(b'"%d":0' % n for n in range(90_000)) + b"}",
    ],
    ids=["text", "lists", "quotes", "backslashes", "open", "escapes", "digits", "depth", "keys"],
)
def test_no_body_takes_long(body: bytes):
    """A body of the greatest size costs a fraction of a second, whatever is in it."""
    began = time.thread_time()
    with contextlib.suppress(Invalid):
        strict_json.parse(body)
    assert time.thread_time() - began < 2.0
