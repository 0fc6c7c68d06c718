"""What a log asks its signer: exact bytes, and nothing else is read."""

from __future__ import annotations

import dataclasses

import pytest

from casevault.errors import Invalid, Tampered
from casevault.ledger.asking import MAX_ASK_BYTES, Ask, encode_ask, parse_ask
from casevault.ledger.note import Checkpoint
from casevault.ledger.tree import consistency_proof

from .reference import NAME, mth, reader_of, some_hashes

HASHES = some_hashes(20)
HEAD = Checkpoint(NAME, 20, mth(HASHES))
ASK = Ask(7, tuple(consistency_proof(7, 20, reader_of(HASHES))), HEAD)


@pytest.mark.parametrize("ask", [ASK, Ask(0, (), HEAD), Ask(20, (), HEAD)])
def test_what_is_asked_is_read_as_it_was(ask):
    """With a proof and without."""
    assert parse_ask(encode_ask(ask)) == ask


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"",
        lambda raw: raw.replace(b"\n\n", b"\n", 1),
        lambda raw: raw.replace(b"old 7", b"old 07"),
        lambda raw: raw.replace(b"old 7", b"old -7"),
        lambda raw: raw.replace(b"old 7", b"new 7"),
        lambda raw: raw.replace(b"old 7", b"old 9" + b"9" * 18),
        lambda raw: raw.replace(b"old 7\n", b"old 7\nnot base64!\n"),
        lambda raw: raw.replace(b"old 7\n", b"old 7\nAAAA\n"),
        lambda raw: raw.replace(b"old 7\n", "old 7\né\n".encode()),
        lambda raw: raw + b"more",
        lambda raw: raw + b"x" * MAX_ASK_BYTES,
    ],
)
def test_other_bytes_are_tampered(change):
    """Numbers in another spelling, hashes that are none, too much of anything."""
    with pytest.raises(Tampered):
        parse_ask(change(encode_ask(ASK)))


@pytest.mark.parametrize(
    "change", [{"old": -1}, {"old": True}, {"proof": (b"short",)}, {"proof": (bytes(32),) * 200}]
)
def test_what_cannot_be_asked_is_refused_before_it_is_sent(change):
    """A size that is no size, and proofs that no tree has."""
    with pytest.raises(Invalid):
        dataclasses.replace(ASK, **change)
