"""The sealed format: opens with its key, in its place, in its revision, and in no other way."""

from __future__ import annotations

import dataclasses
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from casevault.crypto.sealing import (
    HEADER_BYTES,
    KEY_BYTES,
    LARGEST_BUCKET,
    MAGIC,
    OVERHEAD,
    SMALLEST_BUCKET,
    Header,
    Key,
    Place,
    Resealer,
    expand,
    header,
    seal,
    unseal,
)
from casevault.errors import Invalid, Tampered

from .secrecy import assert_silent

KEY = Key(bytes(range(32)), 3)
PLACE = Place(UUID(int=1), "document", UUID(int=2), UUID(int=3), "narrative")
SEALED = seal(KEY, PLACE, b"a made-up story", 7)

contents = st.binary(max_size=600)
places = st.builds(
    Place,
    st.uuids(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.uuids(),
    st.none() | st.uuids(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)


def assert_tampered(key, place, sealed, revision=None):
    with pytest.raises(Tampered) as caught:
        unseal(key, place, sealed, revision)
    # One answer for every cause: nobody learns which check failed.
    assert (caught.value.code, caught.value.detail, caught.value.hint) == ("sealed", "", "")
    assert caught.value.__cause__ is None


# RFC 5869, appendix A: the pseudorandom keys there have 32 bytes.
RFC_5869 = [
    (
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("key", "info", "okm"), RFC_5869)
def test_expand_gives_the_known_answers(key, info, okm):
    """HKDF-Expand with SHA-256 is RFC 5869's."""
    made = expand(bytes.fromhex(key), bytes.fromhex(info), len(okm) // 2)
    assert made.hex() == okm


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_only_a_key_of_32_bytes_derives_anything(length):
    """An empty or short key would make what is derived from it public."""
    with pytest.raises(ValueError, match="32 bytes"):
        expand(bytes(length), b"info")
    with pytest.raises(ValueError, match="32 bytes"):
        Key(bytes(length))


@given(st.binary(min_size=32, max_size=32), st.integers(1, 9))
def test_key_ids_name_their_key(material, version):
    """The id is derived from the key alone; the version is beside it."""
    key = Key(material, version)
    assert key.id == expand(material, b"casevault/1/key-id", 16)
    assert key.id == Key(material).id
    assert key.id != Key(expand(material, b"another")).id
    assert key.id not in material


def test_fresh_keys_are_fresh():
    """Random keys and their ids do not repeat."""
    keys = [Key.random(2) for _ in range(50)]
    assert len({key.material for key in keys}) == len({key.id for key in keys}) == 50
    assert {key.version for key in keys} == {2}
    assert {len(key.material) for key in keys} == {KEY_BYTES}


def test_derived_keys_depend_on_every_part_of_their_label():
    """Two labels never give one key, however their parts are cut."""
    labels = [(), ("a",), ("a", "b"), ("ab",), (b"a",), ("a", None), (1,), (("a", "b"),)]
    derived = [KEY.derive(*label) for label in labels]
    assert len({key.material for key in derived} | {KEY.material}) == len(labels) + 1
    assert {key.version for key in derived} == {KEY.version}


@given(contents, places, st.integers(0, (1 << 32) - 1))
@example(b"", PLACE, 1)
def test_what_was_sealed_opens_in_its_place(content, place, revision):
    """Content, revision and commitment come back; the header says who sealed it."""
    sealed = seal(KEY, place, content, revision)
    for asked in (None, revision):
        opened = unseal(KEY, place, sealed, asked)
        assert (opened.content, opened.revision) == (content, revision)
        assert opened.commitment == header(sealed).commitment
    head = header(sealed)
    assert (head.key_id, head.version, head.revision) == (KEY.id, KEY.version, revision)


@given(st.integers(0, len(SEALED) * 8 - 1))
def test_any_flipped_bit_is_tampered(bit):
    """Header, ciphertext and tag: no bit is outside the seal."""
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    assert_tampered(KEY, PLACE, bytes(changed))


def test_every_bit_of_the_header_is_authenticated():
    """Exhaustively, for the part that is readable."""
    for bit in range(HEADER_BYTES * 8):
        changed = bytearray(SEALED)
        changed[bit // 8] ^= 1 << bit % 8
        assert_tampered(KEY, PLACE, bytes(changed))


def test_every_truncation_and_every_extension_is_tampered():
    """At each length from nothing to one bucket more."""
    for length in range(len(SEALED)):
        assert_tampered(KEY, PLACE, SEALED[:length])
        assert_tampered(KEY, PLACE, SEALED[-length:] if length else b"")
    for more in (1, 16, SMALLEST_BUCKET):
        assert_tampered(KEY, PLACE, SEALED + bytes(more))


@given(places)
def test_any_other_place_is_tampered(place):
    """Sealed bytes that were moved do not open."""
    assume(place != PLACE)
    assert_tampered(KEY, place, SEALED)


@pytest.mark.parametrize(
    "change",
    [
        {"organisation": UUID(int=9)},
        {"kind": "manifest"},
        {"kind": "document "},
        {"row": UUID(int=9)},
        {"case": UUID(int=9)},
        {"case": None},
        {"compartment": "identity"},
        {"compartment": ""},
        {"row": PLACE.case, "case": PLACE.row},
        {"organisation": PLACE.row, "row": PLACE.organisation},
        {"kind": PLACE.compartment, "compartment": PLACE.kind},
    ],
)
def test_each_component_of_the_place_is_bound(change):
    """One changed component, or two that changed places, is enough."""
    assert_tampered(KEY, dataclasses.replace(PLACE, **change), SEALED)


@given(st.integers(0, (1 << 32) - 1))
def test_any_other_revision_is_tampered(revision):
    """A document put back to an older state is not the one that is asked for."""
    assume(revision != 7)
    assert_tampered(KEY, PLACE, SEALED, revision)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 9))
def test_any_other_key_or_version_is_tampered(material, version):
    """Neither another key nor the same key as another version opens."""
    assume((material, version) != (KEY.material, KEY.version))
    assert_tampered(Key(material, version), PLACE, SEALED)


def test_a_header_that_names_another_key_does_not_help():
    """Even with the id and version forged, the commitment is compared before decrypting."""
    other = Key.random(3)
    forged = SEALED[:4] + other.id + SEALED[20:]
    assert_tampered(other, PLACE, forged)


def test_a_swapped_salt_is_tampered():
    """The salt makes the message key, so salt and ciphertext cannot be mixed."""
    twin = seal(KEY, PLACE, b"a made-up story", 7)
    assert_tampered(KEY, PLACE, SEALED[:28] + twin[28:84] + SEALED[84:])
    assert_tampered(KEY, PLACE, SEALED[:84] + twin[84:])


@pytest.mark.parametrize(
    "sealed",
    [None, 7, "text", [], b"", MAGIC, b"CV\x02\x01" + SEALED[4:], b"CV\x01\x02" + SEALED[4:]],
)
def test_what_was_never_sealed_is_tampered(sealed):
    """Wrong types, other formats and other suites give the same answer."""
    assert_tampered(KEY, PLACE, sealed)


def test_a_place_of_wrong_types_is_tampered():
    """A row id that is no UUID never opens anything."""
    assert_tampered(KEY, dataclasses.replace(PLACE, row=1.5), SEALED)


@given(st.integers(0, 5_000))
@example(252)
@example(253)
@example(508)
@example(509)
def test_sizes_land_in_power_of_two_buckets(size):
    """The size tells the bucket only: the smallest power of two that holds length and content."""
    bucket = len(seal(KEY, PLACE, bytes(size))) - OVERHEAD
    assert bucket >= SMALLEST_BUCKET
    assert bucket & (bucket - 1) == 0
    assert size + 4 <= bucket
    assert bucket == SMALLEST_BUCKET or bucket < 2 * (size + 4)


def test_there_is_a_largest_object():
    """One byte more than the largest bucket holds is `Invalid`, before any work."""
    whole = bytes(LARGEST_BUCKET - 4)
    sealed = seal(KEY, PLACE, whole)
    assert len(sealed) == OVERHEAD + LARGEST_BUCKET
    assert unseal(KEY, PLACE, sealed).content == whole
    with pytest.raises(Invalid) as caught:
        seal(KEY, PLACE, whole + b"x")
    assert caught.value.code == "too-large"


@given(contents)
def test_two_seals_of_equal_content_have_nothing_in_common(content):
    """Beyond magic, key id, version and revision everything differs: equality is not visible."""
    first, second = seal(KEY, PLACE, content), seal(KEY, PLACE, content)
    assert first[:28] == second[:28]
    assert len(first) == len(second)
    for low, high in ((28, 52), (52, 84), (84, len(first) - 16), (len(first) - 16, len(first))):
        assert first[low:high] != second[low:high]
    blocks = {part[at : at + 16] for part in (first, second) for at in range(84, len(first), 16)}
    assert len(blocks) == 2 * (len(first) - 84) // 16


@given(st.binary(min_size=16, max_size=300))
def test_the_content_is_not_in_the_sealed_bytes(content):
    """Nothing of what was written shows."""
    assume(any(content))
    assert content not in seal(KEY, PLACE, content)


@given(st.binary(max_size=700))
def test_a_header_is_read_or_tampered(data):
    """Random bytes never raise another exception."""
    for candidate in (data, MAGIC + data):
        try:
            assert isinstance(header(candidate), Header)
        except Tampered:
            assert len(candidate) != OVERHEAD + SMALLEST_BUCKET or candidate[:4] != MAGIC


def _forged(plain):
    """Seal `plain` without padding rules, as a holder of the key could."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from casevault.crypto import sealing

    salt = uuid4().bytes + bytes(8)
    message_key, commitment = sealing._derive(KEY, PLACE.kind, salt)
    head = MAGIC + KEY.id + (3).to_bytes(4, "big") + (7).to_bytes(4, "big") + salt + commitment
    return head + AESGCM(message_key).encrypt(bytes(12), plain, sealing._aad(head, PLACE))


def test_padding_must_be_zeros_and_the_length_must_fit():
    """Hidden bytes in the padding and an impossible length are `Tampered`, even with the key."""
    good = (3).to_bytes(4, "big") + b"abc" + bytes(249)
    assert unseal(KEY, PLACE, _forged(good)).content == b"abc"
    for bad in (
        (3).to_bytes(4, "big") + b"abc" + bytes(248) + b"x",
        (253).to_bytes(4, "big") + bytes(252),
        b"\xff" * 256,
    ):
        assert_tampered(KEY, PLACE, _forged(bad))


def test_nothing_prints_its_secret():
    """Keys and opened content are silent in logs and tracebacks."""
    content = b"a made-up story of Amal"
    assert_silent(KEY, KEY.material)
    assert_silent(KEY.derive("x"), KEY.derive("x").material)
    assert_silent(unseal(KEY, PLACE, seal(KEY, PLACE, content)), content)


# --- many at once, under another key -------------------------------------------------------------


def moved(sealed, old=KEY, row=PLACE.row, compartment=PLACE.compartment):
    """Move sealed bytes of PLACE to another key; return both."""
    new = Key.random(old.version + 1)
    place = Place(PLACE.organisation, PLACE.kind, row, None, compartment)
    resealer = Resealer(old, new, place.organisation, place.kind)
    return new, resealer.move(sealed, compartment, row.bytes)


def test_what_is_moved_to_another_key_holds_the_same_in_the_same_place():
    """Content, revision and size stay; salt and commitment are fresh."""
    place = Place(PLACE.organisation, PLACE.kind, PLACE.row, None, PLACE.compartment)
    for content in (b"", b"content", bytes(5000)):
        sealed = seal(KEY, place, content, revision=9)
        new, again = moved(sealed)
        opened = unseal(new, place, again, revision=9)
        assert (opened.content, len(again)) == (content, len(sealed))
        assert header(again).salt != header(sealed).salt
        with pytest.raises(Tampered):
            unseal(KEY, place, again)


def test_only_what_opens_is_moved():
    """Another key, another place, any changed byte: nothing is sealed anew."""
    place = Place(PLACE.organisation, PLACE.kind, PLACE.row, None, PLACE.compartment)
    sealed = seal(KEY, place, b"content")
    wrong_key = Key(KEY.material[::-1], KEY.version)
    for changes in ({"old": wrong_key}, {"row": UUID(int=7)}, {"compartment": "other"}):
        with pytest.raises(Tampered):
            moved(sealed, **changes)
    for at in (0, 5, 22, 25, 30, 60, 90, len(sealed) - 1):
        with pytest.raises(Tampered):
            moved(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
    for length in (0, 3, 90, len(sealed) - 1):
        with pytest.raises(Tampered):
            moved(sealed[:length])
