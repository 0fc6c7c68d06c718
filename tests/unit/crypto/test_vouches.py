"""Vouches: every word is signed, and what is stored reads back exactly or not at all."""

from __future__ import annotations

import dataclasses
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.crypto import canonical
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.vouches import (
    Vouch,
    check_revocation,
    check_signature,
    encode_statement,
    issue,
    revoke,
)
from casevault.domain.staff.vouching import VouchStatement
from casevault.errors import Tampered

from .secrecy import assert_silent

ISSUER = PrincipalSecret(bytes(range(64)))
SUBJECT = PrincipalSecret(bytes(range(1, 65)))
OTHER = PrincipalSecret(bytes(range(2, 66)))
STATEMENT = VouchStatement(
    subject=UUID(int=1),
    kind="staff",
    roles=("caseworker",),
    team=UUID(int=2),
    kem_public=SUBJECT.public.kem,
    sign_public=SUBJECT.public.sign,
    issuer=UUID(int=3),
    valid_from=1_800_000_000,
    valid_until=1_830_000_000,
    serial=UUID(int=4),
)
VOUCH = issue(STATEMENT, ISSUER)
CHANGES = {
    "subject": UUID(int=9),
    "kind": "oversight",
    "roles": ("caseworker", "supervisor"),
    "team": None,
    "kem_public": OTHER.public.kem,
    "sign_public": OTHER.public.sign,
    "issuer": UUID(int=9),
    "valid_from": 1_700_000_000,
    "valid_until": 1_900_000_000,
    "serial": UUID(int=9),
}


def test_the_list_of_changes_names_every_field():
    """A field that is added to the statement must be added here."""
    assert set(CHANGES) == {field.name for field in dataclasses.fields(VouchStatement)}


def test_a_vouch_holds_with_its_issuer():
    """The signature is the issuer's, and the keys are the subject's."""
    check_signature(VOUCH, ISSUER.public)
    assert VOUCH.subject_keys == SUBJECT.public


@pytest.mark.parametrize("name", CHANGES)
def test_any_changed_word_is_refused(name):
    """Subject, powers, keys, issuer, times and serial."""
    changed = dataclasses.replace(
        VOUCH, statement=dataclasses.replace(STATEMENT, **{name: CHANGES[name]})
    )
    with pytest.raises(Tampered):
        check_signature(changed, ISSUER.public)
    assert changed.digest != VOUCH.digest


def test_a_vouch_signed_by_another_is_refused():
    """Or for another purpose, or not at all."""
    message = encode_statement(STATEMENT)
    with pytest.raises(Tampered):
        check_signature(VOUCH, OTHER.public)
    for signature in (
        OTHER.sign("casevault/1/vouch", message),
        ISSUER.sign("casevault/1/grant", message),
        ISSUER.sign_raw(message),
        b"",
    ):
        with pytest.raises(Tampered):
            check_signature(Vouch(STATEMENT, signature), ISSUER.public)


@pytest.mark.parametrize("changes", [{}, {"team": None}, {"roles": ()}, {"roles": ("a", "b")}])
def test_a_vouch_reads_what_it_wrote(changes):
    """Encoding is lossless."""
    vouch = issue(dataclasses.replace(STATEMENT, **changes), ISSUER)
    assert Vouch.decode(vouch.encode()) == vouch
    assert Vouch.decode(vouch.encode()).digest == vouch.digest


ENCODED = VOUCH.encode()


@given(st.integers(0, len(ENCODED) * 8 - 1))
def test_any_flipped_bit_of_a_stored_vouch_is_refused(bit):
    """Either it does not read, or its signature does not hold."""
    changed = bytearray(ENCODED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Tampered):
        check_signature(Vouch.decode(bytes(changed)), ISSUER.public)


def test_a_stored_vouch_that_was_cut_is_tampered():
    """At each length."""
    for length in range(len(ENCODED)):
        with pytest.raises(Tampered):
            Vouch.decode(ENCODED[:length])


@given(st.binary(max_size=120))
def test_random_bytes_are_no_vouch(data):
    """And never another exception."""
    with pytest.raises(Tampered):
        Vouch.decode(data)


def test_other_statements_are_no_vouch():
    """Another context, a part too many, keys of another length."""
    inner, signature = canonical.decode(ENCODED)
    parts = canonical.decode(inner)
    for changed in (("casevault/1/grant", *parts[1:]), (*parts, 1)):
        with pytest.raises(Tampered):
            Vouch.decode(canonical.encode(canonical.encode(*changed), signature))
    with pytest.raises(Tampered):
        Vouch.decode(canonical.encode(inner, signature, 1))
    short = Vouch(dataclasses.replace(STATEMENT, kem_public=b"x"), VOUCH.signature)
    with pytest.raises(Tampered):
        short.subject_keys  # noqa: B018 - reading it is the act


def test_a_vouch_has_one_spelling():
    """Bytes that `encode` would not write are `Tampered`."""
    inner, signature = canonical.decode(ENCODED)
    parts = canonical.decode(inner)
    with pytest.raises(Tampered):
        Vouch.decode(
            canonical.encode(canonical.encode(*parts[:3], (7, None), *parts[4:]), signature)
        )


def test_nothing_prints_its_keys():
    """A vouch shows the powers, not the keys or the signature."""
    assert_silent(VOUCH, VOUCH.signature, SUBJECT.public.kem, SUBJECT.public.sign)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"serial": UUID(int=9)},
        {"subject": UUID(int=9)},
        {"revoked_at": 1_800_000_001},
        {"revoker": UUID(int=9)},
        {"key_id": OTHER.public.key_id},
        {"signature": bytes(64)},
    ],
)
def test_every_word_of_a_revocation_is_signed(change):
    """Whose vouch, from when on, and who says so."""
    revocation = revoke(VOUCH, 1_800_000_000, UUID(int=3), ISSUER)
    if not change:
        check_revocation(revocation, ISSUER.public)
        with pytest.raises(Tampered):
            check_revocation(revocation, OTHER.public)
        return
    with pytest.raises(Tampered):
        check_revocation(dataclasses.replace(revocation, **change), ISSUER.public)
