"""The proof file c2sp.org/tlog-proof@v1."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.errors import Invalid, Tampered
from casevault.ledger.note import MAX_NOTE_BYTES, to_base64
from casevault.ledger.proof import (
    MAX_EXTRA,
    MAX_PROOF_BYTES,
    Proof,
    encode_proof,
    parse_proof,
    verify_proof,
)
from casevault.ledger.tree import inclusion_proof, leaf_hash

from .reference import NAME, PUBLIC, a_note, reader_of, some_leaves, verify

LEAVES = some_leaves(7)
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
NOTE = a_note(LEAVES)
PROOF = Proof(2, inclusion_proof(2, 7, reader_of(HASHES)), NOTE)
DATA = encode_proof(PROOF)


def test_the_format_is_that_of_the_specification():
    """Header, index, hashes, empty line, the note verbatim."""
    hashes = "".join(to_base64(item) + "\n" for item in PROOF.hashes)
    wanted = f"c2sp.org/tlog-proof@v1\nindex 2\n{hashes}\n".encode() + NOTE
    assert wanted == DATA


def test_extra_data_stand_before_the_index():
    """The optional second line."""
    data = encode_proof(dataclasses.replace(PROOF, extra=b"hello"))
    assert data.startswith(b"c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nindex 2\n")
    assert parse_proof(data).extra == b"hello"


@given(
    st.integers(0, 2**63 - 2),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    st.binary(min_size=1, max_size=100),
    st.binary(max_size=100),
)
def test_a_proof_survives_its_bytes(index, hashes, note, extra):
    """Reading what was written gives the same proof."""
    proof = Proof(index, hashes, note, extra)
    assert parse_proof(encode_proof(proof)) == proof


def test_a_good_proof_gives_the_checkpoint():
    """Signature and path hold together."""
    assert verify_proof(parse_proof(DATA), HASHES[2], NAME, PUBLIC, verify).size == 7


@pytest.mark.parametrize("index", [0, 3])
def test_a_proof_is_for_one_leaf_and_place(index):
    """Neither another leaf nor another index is proven by it."""
    with pytest.raises(Tampered):
        verify_proof(PROOF, HASHES[index], NAME, PUBLIC, verify)
    with pytest.raises(Tampered):
        verify_proof(dataclasses.replace(PROOF, index=index), HASHES[2], NAME, PUBLIC, verify)


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_one_changed_byte_is_found(place, flip):
    """No byte of a proof file without extra data can be another."""
    data = bytearray(DATA)
    data[place] ^= flip
    with pytest.raises(Tampered):
        verify_proof(parse_proof(bytes(data)), HASHES[2], NAME, PUBLIC, verify)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v1\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\n\n",
        b"c2sp.org/tlog-proof@v1\nextra \nindex 1\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\nextra !!\nindex 1\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\nextra AAAA\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\nindex 01\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\nindex 9223372036854775807\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\n1\n\nnote\n",
        b"c2sp.org/tlog-proof@v2\nindex 1\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\n" + b"\xff\n\nnote\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\n\n" + b"x" * MAX_PROOF_BYTES,
    ],
)
def test_a_malformed_proof_is_tampered(data):
    """Every malformed file is the same class of error."""
    with pytest.raises(Tampered) as caught:
        parse_proof(data)
    assert caught.value.code == "ledger-proof"


@pytest.mark.parametrize(
    "changes",
    [
        {"index": -1},
        {"index": True},
        {"hashes": (b"short",)},
        {"hashes": (bytes(32),) * 64},
        {"note": b""},
        {"note": b"x" * (MAX_NOTE_BYTES + 1)},
        {"extra": b"x" * (MAX_EXTRA + 1)},
    ],
)
def test_a_proof_has_limits(changes):
    """What could not be read back is Invalid."""
    with pytest.raises(Invalid):
        dataclasses.replace(PROOF, **changes)
