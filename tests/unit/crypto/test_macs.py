"""Keyed digests: one key per purpose, no two inputs alike, and strict base64url."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from casevault.crypto import canonical, macs
from casevault.crypto.sealing import Key, expand

KEY = Key(bytes(range(32)))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def test_a_mac_is_hmac_sha256_under_the_key_of_its_purpose():
    """What the format document says, computed by hand."""
    purpose_key = expand(KEY.material, canonical.encode("casevault/1/mac", "login"))
    by_hand = hmac.new(purpose_key, canonical.encode("amal"), hashlib.sha256).digest()
    assert macs.mac(KEY, "login", "amal") == by_hand
    assert macs.mac_bytes(KEY, "login", canonical.encode("amal")) == by_hand


@given(texts, texts, texts)
def test_purposes_and_keys_give_unrelated_digests(purpose, other, value):
    """A digest made for one purpose is useless for another."""
    same = macs.mac(KEY, purpose, value) == macs.mac(KEY, other, value)
    assert same == (purpose == other)
    assert macs.mac(KEY, purpose, value) != macs.mac(Key(b"x" * 32), purpose, value)


@given(texts, texts)
@example("ab", "")
def test_parts_do_not_run_together(left, right):
    """Two parts are never one."""
    assert macs.mac(KEY, "p", left, right) != macs.mac(KEY, "p", left + right)
    assert macs.digest(left, right) != macs.digest(left + right)


def test_pseudonyms_stand_for_one_value_of_one_kind():
    """22 characters; another kind, value or key gives another."""
    one = macs.pseudonym(KEY, "actor", UUID(int=1))
    assert len(one) == 22
    assert one == macs.pseudonym(KEY, "actor", UUID(int=1))
    others = {
        macs.pseudonym(KEY, "subject", UUID(int=1)),
        macs.pseudonym(KEY, "actor", UUID(int=2)),
        macs.pseudonym(Key(b"x" * 32), "actor", UUID(int=1)),
    }
    assert len(others | {one}) == 4


@given(st.binary(max_size=80))
def test_base64url_reads_what_it_wrote(data):
    """Without padding, both ways."""
    text = macs.b64(data)
    assert "=" not in text
    assert macs.unb64(text) == data


@given(st.text(max_size=60))
@example("A")
@example("AB")
@example("AA==")
@example("A A")
@example("AAA\n")
@example("é")
@example("+/+/")
@example("\ud800")
def test_base64url_has_one_spelling(text):
    """Whatever else people send is None: padding, spaces, spare bits, other alphabets."""
    found = macs.unb64(text)
    assert found is None or macs.b64(found) == text


def test_plain_digests_and_salts():
    """SHA-256 as everybody computes it; salts are fresh."""
    assert macs.sha256(b"abc") == hashlib.sha256(b"abc").digest()
    assert macs.digest("abc") == hashlib.sha256(canonical.encode("abc")).digest()
    assert len({macs.salt() for _ in range(20)}) == 20
    assert len(macs.salt()) == 32
    assert macs.same(b"a", b"a")
    assert not macs.same(b"a", b"b")
    assert not macs.same(b"a", b"aa")


def test_words_are_drawn_from_the_list():
    """Six words with single spaces, from the whole list in time."""
    entries = ("apple", "river", "stone", "cloud")
    drawn = [macs.words(entries, 6).split(" ") for _ in range(60)]
    assert {len(six) for six in drawn} == {6}
    assert {word for six in drawn for word in six} == set(entries)
