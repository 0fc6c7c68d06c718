"""The rule of the signer: nothing is signed that does not extend what was signed."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.errors import Tampered
from casevault.ledger.note import Checkpoint
from casevault.ledger.signer import decide
from casevault.ledger.tree import EMPTY_ROOT, consistency_proof

from .reference import NAME, mth, reader_of, sha, some_hashes

HASHES = some_hashes(40)
READ = reader_of(HASHES)
FORKED = [*HASHES[:5], sha(b"fork"), *HASHES[6:]]


def head(size: int, hashes: list[bytes] = HASHES) -> Checkpoint:
    return Checkpoint(NAME, size, mth(hashes[:size]))


@given(st.integers(0, 40), st.integers(0, 40))
def test_growth_is_signed_and_rollback_is_not(first, second):
    """A larger tree with its proof is signed; a smaller one never."""
    low, high = sorted((first, second))
    assert decide(head(low), head(high), consistency_proof(low, high, READ)) == head(high)
    if low < high:
        with pytest.raises(Tampered) as caught:
            decide(head(high), head(low), ())
        assert caught.value.code == "ledger-signer-rollback"


def test_the_first_head_needs_no_proof():
    """A new origin starts without a state."""
    assert decide(None, head(1), ()) == head(1)
    assert decide(None, Checkpoint(NAME, 0, EMPTY_ROOT), ()).size == 0


def test_the_first_head_takes_no_proof():
    """A proof without a state means that the state was lost."""
    with pytest.raises(Tampered) as caught:
        decide(None, head(2), (HASHES[0],))
    assert caught.value.code == "ledger-signer-first"


def test_an_empty_first_head_has_the_empty_root():
    """Size 0 with another root is no tree."""
    with pytest.raises(Tampered):
        decide(None, Checkpoint(NAME, 0, HASHES[0]), ())


def test_a_fork_of_the_same_size_is_refused():
    """Two roots for one size."""
    with pytest.raises(Tampered) as caught:
        decide(head(6), head(6, FORKED), ())
    assert caught.value.code == "ledger-signer-fork"


@pytest.mark.parametrize("size", range(7, 20))
def test_a_fork_that_grew_is_refused(size):
    """The proof of the other history does not lead from ours."""
    proof = consistency_proof(6, size, reader_of(FORKED))
    with pytest.raises(Tampered):
        decide(head(6), head(size, FORKED), proof)


def test_another_origin_is_refused():
    """A state belongs to one log."""
    with pytest.raises(Tampered) as caught:
        decide(dataclasses.replace(head(1), origin="example.org/b"), head(1), ())
    assert caught.value.code == "ledger-signer-origin"
