"""Tokens and codes: what the client holds is not what the keyring keeps."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Place, seal, unseal
from casevault.crypto.tokens import Token, code_digest, host_tag_of, new_code
from casevault.errors import Tampered

from .secrecy import assert_silent

BOOT = b"b" * 32
TAG = host_tag_of(BOOT)


def test_a_token_reads_what_it_wrote():
    """70 characters of base64url: id, secret and host tag."""
    token = Token.new(TAG)
    assert Token.parse(token.text()) == token
    assert (len(token.sid), len(token.secret), token.host_tag) == (16, 32, TAG)
    assert token.sid_digest == hashlib.sha256(token.sid).digest()
    assert Token.new(TAG).text() != token.text()


@given(st.text(max_size=120))
def test_any_other_text_is_no_token(text):
    """Never an exception, whatever a header holds."""
    found = Token.parse(text)
    assert found is None or found.text() == text


@given(st.integers(0, 69), st.characters(max_codepoint=127))
def test_a_token_has_one_spelling(place, character):
    """A changed character is another token or none."""
    text = Token.new(TAG).text()
    changed = text[:place] + character + text[place + 1 :]
    assume(changed != text)
    found = Token.parse(changed)
    assert found is None or found.text() == changed


@pytest.mark.parametrize("change", ["", "x", "=", " ", "\n", "AAAA", "\u00e9"])
def test_cut_and_lengthened_tokens_are_none(change):
    """Lengths are exact."""
    text = Token.new(TAG).text()
    assert Token.parse(text + change) is None or not change
    assert Token.parse(text[:-1] + change) is None
    assert Token.parse(text * 2) is None


def test_a_powered_off_disk_opens_no_session():
    """Token and row without the boot secret, and row and boot secret without the token, do not."""
    session, token, secret = uuid4(), Token.new(TAG), PrincipalSecret.generate()
    place = Place(UUID(int=1), "session", session)
    row = seal(token.session_key(BOOT, session), place, secret.seed)
    assert unseal(token.session_key(BOOT, session), place, row).content == secret.seed
    for key in (
        token.session_key(b"", session),
        token.session_key(bytes(32), session),
        token.session_key(b"c" * 32, session),
        token.session_key(BOOT, uuid4()),
        Token(token.sid, bytes(32), TAG).session_key(BOOT, session),
        Token.new(TAG).session_key(BOOT, session),
    ):
        with pytest.raises(Tampered):
            unseal(key, place, row)


def test_what_the_keyring_keeps_tells_nothing_of_the_token():
    """The digest of the id is not the id, and the secret is nowhere."""
    token = Token.new(TAG)
    assert token.sid not in token.sid_digest
    assert token.secret not in token.sid_digest + host_tag_of(BOOT)


def test_host_tags_name_the_boot_secret_without_telling_it():
    """Four bytes, stable, another for another secret."""
    assert host_tag_of(BOOT) == TAG
    assert len(TAG) == 4
    assert host_tag_of(b"c" * 32) != TAG
    assert TAG not in BOOT


def test_codes_have_a_hundred_bits():
    """Twenty characters out of 32 that survive a bad telephone line."""
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4] * 5
        assert not set(code) & set("ILOU")
    assert len({c for code in codes for c in code}) == 33


@given(st.randoms())
def test_spelling_does_not_matter_for_a_code(random):
    """Case, dashes, spaces and the letters people confuse."""
    code = new_code()
    typed = code.lower().replace("-", random.choice(["", " ", "-", " - "]))
    typed = typed.replace("0", random.choice("0oO")).replace("1", random.choice("1iIlL"))
    assert code_digest(typed) == code_digest(code)
    assert code_digest(new_code()) != code_digest(code)


def test_nothing_prints_its_secret():
    """A token prints none of its parts."""
    token = Token.new(TAG)
    assert_silent(token, token.sid, token.secret)
    assert token.text() not in repr(token)
