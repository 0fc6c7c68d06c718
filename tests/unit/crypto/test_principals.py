"""Key pairs: wrapping binds its info, signing binds its context, ids name the public keys."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hpke
from hypothesis import assume, given
from hypothesis import strategies as st

from casevault.crypto import principals
from casevault.crypto.principals import (
    KEM_PUBLIC_BYTES,
    SECRET_BYTES,
    SIGN_PUBLIC_BYTES,
    SIGNATURE_BYTES,
    PrincipalSecret,
    PublicKeys,
    is_raw_signature,
    self_test,
    verify,
    verify_raw,
    verify_sign_key,
    wrap,
)
from casevault.errors import Misconfigured, Tampered

from .secrecy import assert_silent

AMAL = PrincipalSecret(bytes(range(64)))
BASIL = PrincipalSecret(bytes(range(1, 65)))
PLAIN = bytes(range(32))
WRAPPED = wrap(AMAL.public, PLAIN, b"info")
SIGNED = AMAL.sign("context", b"message")


def test_the_public_key_is_that_of_the_x_wing_draft():
    """draft-connolly-cfrg-xwing-kem, appendix C: the first vector's seed and public key."""
    seed = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    start = bytes.fromhex("e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5")
    public = PrincipalSecret(seed + bytes(32)).public
    assert public.kem.startswith(start)


def test_the_signing_key_is_that_of_rfc_8032():
    """RFC 8032, section 7.1, test 2: seed, public key and signature of one byte."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    secret = PrincipalSecret(bytes(32) + seed)
    known = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert secret.public.sign.hex() == known
    assert secret.sign_raw(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_a_principal_is_its_seed():
    """The same 64 bytes give the same keys; fresh ones never repeat."""
    again = PrincipalSecret(AMAL.seed)
    assert again.public == AMAL.public
    assert again.unwrap(WRAPPED, b"info") == PLAIN
    fresh = {PrincipalSecret.generate().public.key_id for _ in range(8)}
    assert len(fresh) == 8
    assert (len(AMAL.public.kem), len(AMAL.public.sign)) == (KEM_PUBLIC_BYTES, SIGN_PUBLIC_BYTES)


@pytest.mark.parametrize("length", [0, 32, 63, 65, 128])
def test_a_seed_has_64_bytes(length):
    """Anything else is not a principal."""
    with pytest.raises(Tampered):
        PrincipalSecret(bytes(length))
    assert SECRET_BYTES == 64


@pytest.mark.parametrize(("kem", "sign"), [(0, 32), (1215, 32), (1217, 32), (1216, 31), (1216, 33)])
def test_public_keys_have_their_lengths(kem, sign):
    """A public half of another length is `Tampered`."""
    with pytest.raises(Tampered):
        PublicKeys(bytes(kem), bytes(sign))


def test_names_of_public_keys_depend_on_both_keys():
    """Key id, pin and fingerprint change with either key and are no prefixes of one another."""
    mixed = (
        AMAL.public,
        BASIL.public,
        PublicKeys(AMAL.public.kem, BASIL.public.sign),
        PublicKeys(BASIL.public.kem, AMAL.public.sign),
    )
    for name in ("key_id", "pin", "fingerprint"):
        assert len({getattr(public, name) for public in mixed}) == 4
    public = AMAL.public
    assert len(public.key_id) == 16
    assert len(public.pin) == 64
    groups = public.fingerprint.split(" ")
    assert [len(group) for group in groups] == [4] * 8
    squeezed = "".join(groups)
    assert not public.pin.startswith(squeezed)
    assert not public.pin.startswith(public.key_id.hex())
    assert not squeezed.startswith(public.key_id.hex())


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_what_was_wrapped_is_unwrapped_with_its_info(plain, info):
    """HPKE to the grantee's public key, bound to the statement."""
    wrapped = wrap(AMAL.public, plain, info)
    assert AMAL.unwrap(wrapped, info) == plain
    assert len(wrapped) == len(plain) + 1136
    with pytest.raises(Tampered):
        AMAL.unwrap(wrapped, info + b"x")
    with pytest.raises(Tampered):
        BASIL.unwrap(wrapped, info)


def test_no_two_wraps_are_alike():
    """Each wrap has a fresh encapsulation."""
    twin = wrap(AMAL.public, PLAIN, b"info")
    assert len(WRAPPED) == 1168
    assert not any(WRAPPED[at : at + 16] == twin[at : at + 16] for at in range(0, 1168, 16))


@given(st.integers(0, 1168 * 8 - 1))
def test_any_flipped_bit_of_a_wrap_is_tampered(bit):
    """Encapsulation and ciphertext are authenticated as a whole."""
    changed = bytearray(WRAPPED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Tampered):
        AMAL.unwrap(bytes(changed), b"info")


def test_a_wrap_that_was_cut_is_tampered():
    """At each length, and lengthened."""
    for length in range(0, 1168):
        with pytest.raises(Tampered):
            AMAL.unwrap(WRAPPED[:length], b"info")
    for wrong in (WRAPPED + b"x", None, "text"):
        with pytest.raises(Tampered):
            AMAL.unwrap(wrong, b"info")


def test_a_public_key_outside_the_field_is_tampered():
    """Bytes that are no ML-KEM key (coefficients of 4095 and above q) are refused at wrapping."""
    broken = PublicKeys(b"\xff" * KEM_PUBLIC_BYTES, AMAL.public.sign)
    with pytest.raises(Tampered):
        wrap(broken, PLAIN, b"info")


def test_a_public_key_of_small_order_is_tampered():
    """An X25519 half of zeros gives a known secret, so nothing is wrapped to it."""
    broken = PublicKeys(AMAL.public.kem[:1184] + bytes(32), AMAL.public.sign)
    with pytest.raises(Tampered):
        wrap(broken, PLAIN, b"info")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.binary(max_size=100))
def test_a_signature_is_for_one_context_and_one_message(context, message):
    """A statement signed for one purpose cannot be replayed for another."""
    signature = AMAL.sign(context, message)
    assert len(signature) == SIGNATURE_BYTES
    verify(AMAL.public, context, message, signature)
    verify_sign_key(AMAL.public.sign, context, message, signature)
    for public, other, text in (
        (BASIL.public, context, message),
        (AMAL.public, context + "x", message),
        (AMAL.public, context, message + b"x"),
        (AMAL.public, context + "m", message[1:]),
    ):
        with pytest.raises(Tampered):
            verify(public, other, text, signature)
    assert not is_raw_signature(AMAL.public.sign, signature, message)


@given(st.integers(0, 511))
def test_any_flipped_bit_of_a_signature_is_tampered(bit):
    """Signatures do not bend."""
    changed = bytearray(SIGNED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Tampered):
        verify(AMAL.public, "context", b"message", bytes(changed))


@given(st.binary(max_size=80))
def test_a_signature_of_any_other_length_is_tampered(signature):
    """Random bytes never raise another exception."""
    assume(len(signature) != 64)
    with pytest.raises(Tampered):
        verify(AMAL.public, "context", b"message", signature)


@pytest.mark.parametrize("public", [b"", bytes(31), b"\xff" * 32, None, bytearray(32)])
def test_a_malformed_signing_key_is_tampered(public):
    """Keys that are no points, or no bytes, verify nothing."""
    with pytest.raises(Tampered):
        verify_raw(public, b"message", SIGNED)


def test_plain_signatures_for_notes():
    """Signed notes bring their own context; the ledger asks for a yes or no."""
    signature = AMAL.sign_raw(b"note")
    verify_raw(AMAL.public.sign, b"note", signature)
    assert is_raw_signature(AMAL.public.sign, signature, b"note")
    assert not is_raw_signature(BASIL.public.sign, signature, b"note")
    assert not is_raw_signature(AMAL.public.sign, signature, b"other")


def test_the_self_test_passes_here():
    """The installed library can do what we need."""
    self_test()


def test_the_self_test_refuses_a_library_that_cannot(monkeypatch):
    """A suite that does not know hybrid keys (as older wheels) stops the start."""
    older = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    monkeypatch.setattr(principals, "_SUITE", older)
    with pytest.raises(Misconfigured) as caught:
        self_test()
    assert caught.value.code == "crypto.unsupported"


def test_nothing_prints_its_secret():
    """A principal prints neither seed nor keys."""
    secret = PrincipalSecret.generate()
    assert_silent(secret, secret.seed, secret.seed[:32], secret.seed[32:])
    assert_silent(secret.public, secret.public.kem, secret.public.sign)
    assert not hasattr(secret, "__dict__")
