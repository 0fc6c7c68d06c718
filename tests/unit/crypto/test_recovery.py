"""Recovery shares: k give the seed, k−1 give nothing, and no message quotes a word."""

from __future__ import annotations

import inspect
import itertools
import re
import traceback

import pytest
import shamir_mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic.wordlist import WORDLIST

from casevault.crypto import recovery
from casevault.crypto.recovery import (
    combine,
    new_seed,
    recovery_principal,
    root_principal,
    split,
)
from casevault.errors import Invalid

from .secrecy import assert_silent

SEED = bytes(range(32))
SHARES = split(SEED, 3, 5)
OWN_WORDS = set(re.findall(r"[a-z]+", inspect.getsource(recovery).lower()))


def assert_refused(shares):
    with pytest.raises(Invalid) as caught:
        combine(shares)
    error = caught.value
    assert error.code == "recovery.shares"
    # What a person or a log would see, the traceback's text included.
    shown = " ".join([str(error), error.hint, repr(error.errors)])
    shown += "".join(traceback.format_exception_only(error))
    words = {word for share in shares for word in share.lower().split()} & set(WORDLIST)
    said = set(re.findall(r"[a-z]+", shown.lower()))
    # A share may by chance hold a word that the module's own sentences use.
    assert not (words & said) - OWN_WORDS


@pytest.mark.parametrize("chosen", list(itertools.combinations(range(5), 3)))
def test_any_three_of_five_give_the_seed(chosen):
    """In whatever order and spelling they are typed."""
    shares = [SHARES[n] for n in chosen]
    assert combine(shares) == SEED
    assert combine([f"  {share.upper()}".replace(" ", "  ") for share in reversed(shares)]) == SEED


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5])
def test_another_number_of_shares_is_refused(count):
    """Fewer than k do not give the seed; more are not silently accepted."""
    assert_refused(SHARES[:count])


def test_one_share_twice_does_not_count_twice():
    """Three sheets that are two shares are too few."""
    assert_refused([SHARES[0], SHARES[1], SHARES[1]])


def test_shares_of_two_ceremonies_do_not_mix():
    """Even of the same seed."""
    assert_refused([*SHARES[:2], split(SEED, 3, 5)[2]])
    assert_refused([*SHARES[:2], split(new_seed(), 3, 5)[2]])


def test_a_wrong_word_is_refused():
    """A misspelt, swapped or missing word fails the checksum."""
    words = SHARES[2].split()
    for changed in (
        [*words[:-1], "zebrafish"],
        [*words[:5], words[6], words[5], *words[7:]],
        words[:-1],
        [*words, words[-1]],
        [],
    ):
        assert_refused([*SHARES[:2], " ".join(changed)])


@settings(max_examples=60)
@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_is_refused(texts):
    """Never another exception."""
    with pytest.raises(Invalid):
        combine(texts)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(WORDLIST), min_size=20, max_size=33))
def test_random_words_are_refused(words):
    """Words of the list in random order are no share."""
    with pytest.raises(Invalid):
        combine([" ".join(words)])


def test_shares_of_another_length_are_refused():
    """Valid SLIP-39 shares of a 16-byte secret (a wallet's) are no shares of a vault."""
    foreign = shamir_mnemonic.generate_mnemonics(1, [(2, 3)], bytes(16), b"")[0]
    with pytest.raises(Invalid):
        combine(foreign[:2])


def test_shares_have_33_words_and_tell_nothing():
    """32 bytes as SLIP-39 writes them; every run gives other shares."""
    assert {len(share.split()) for share in SHARES} == {33}
    assert len(set(SHARES)) == 5
    assert not set(SHARES) & set(split(SEED, 3, 5))


def test_one_seed_gives_two_unrelated_principals():
    """Recovery and root, always the same for the same seed."""
    recovery, root = recovery_principal(SEED), root_principal(SEED)
    assert recovery.public == recovery_principal(SEED).public
    assert root.public == root_principal(SEED).public
    assert not {recovery.public.kem, recovery.public.sign} & {root.public.kem, root.public.sign}
    assert SEED not in recovery.seed + root.seed
    other = new_seed()
    assert len(other) == 32
    assert recovery_principal(other).public != recovery.public
    assert_silent(root, root.seed)


def test_shares_are_read_one_by_one():
    """Each is checked when it is typed: a custodian is told at once, and never a word."""
    read = []
    for text in SHARES[:3]:
        read.append(recovery.read_share(f"  {text.upper()} ", read))
    assert combine([share.text for share in read]) == SEED
    assert {share.threshold for share in read} == {3}
    assert SHARES[0].split()[4] not in repr(read[0])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SHARES[1].rsplit(" ", 1)[0], "share-length"),
        (SHARES[1] + " academic", "share-length"),
        (SHARES[1].rsplit(" ", 1)[0] + " zzzz", "share-words"),
        (" ".join(reversed(SHARES[1].split())), "share-words"),
        (split(bytes(32), 3, 5)[1], "share-foreign"),
        (SHARES[0], "share-repeated"),
    ],
)
def test_a_share_that_cannot_be_added_is_refused(text, code):
    """Too few or many words, a wrong one, another set, the same sheet twice."""
    before = [recovery.read_share(SHARES[0])]
    with pytest.raises(Invalid) as caught:
        recovery.read_share(text, before)
    assert caught.value.code == f"recovery.{code}"
    assert caught.value.__cause__ is None
