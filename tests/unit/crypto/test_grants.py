"""Grants: every word of the terms is signed and bound, and every row belongs to one grant."""

from __future__ import annotations

import dataclasses
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.crypto import canonical
from casevault.crypto.grants import (
    Carried,
    Grant,
    GrantTerms,
    check_signature,
    issue,
    open_link,
    open_row,
)
from casevault.crypto.principals import PrincipalSecret, wrap
from casevault.crypto.sealing import Key, Place, seal
from casevault.errors import Tampered

from .secrecy import assert_silent

GRANTER = PrincipalSecret(bytes(range(64)))
GRANTEE = PrincipalSecret(bytes(range(1, 65)))
OTHER = PrincipalSecret(bytes(range(2, 66)))
KEYS = {"facts": Key(b"f" * 32, 2), "identity": Key(b"i" * 32), "narrative": Key(b"n" * 32, 4)}


def some_terms(keys=KEYS, granter=GRANTER, grantee=GRANTEE, **changes):
    values = {
        "id": UUID(int=10),
        "purpose": "assignment",
        "organisation": UUID(int=11),
        "team": UUID(int=12),
        "object_kind": "case",
        "object_id": UUID(int=13),
        "carried": tuple(Carried(name, key.id, key.version) for name, key in keys.items()),
        "grantee": UUID(int=14),
        "grantee_key_id": grantee.public.key_id,
        "granter": UUID(int=15),
        "granter_key_id": granter.public.key_id,
        "issued_at": 1_800_000_000,
        "expires_at": None,
    }
    return GrantTerms(**values | changes)


TERMS = some_terms()
GRANT, ROWS = issue(TERMS, KEYS, GRANTER, GRANTEE.public)

# One other value for every field of the terms.
CHANGES = {
    "id": UUID(int=99),
    "purpose": "membership",
    "organisation": UUID(int=99),
    "team": None,
    "object_kind": "group",
    "object_id": UUID(int=99),
    "carried": (*TERMS.carried[:2], Carried("narrative", TERMS.carried[2].key_id, 5)),
    "grantee": UUID(int=99),
    "grantee_key_id": OTHER.public.key_id,
    "granter": UUID(int=99),
    "granter_key_id": OTHER.public.key_id,
    "issued_at": 1_800_000_001,
    "expires_at": 1_900_000_000,
}


def test_the_list_of_changes_names_every_field():
    """A field that is added to the terms must be added here."""
    assert set(CHANGES) == {field.name for field in dataclasses.fields(GrantTerms) if field.init}


def test_a_grant_opens_for_its_grantee():
    """Signature, link and every row, each key with its own version."""
    check_signature(GRANT, GRANTER.public)
    link = open_link(GRANT, GRANTEE)
    assert {name: open_row(GRANT, link, name, row) for name, row in ROWS.items()} == KEYS
    assert set(ROWS) == set(KEYS)


@pytest.mark.parametrize("name", CHANGES)
def test_any_changed_term_is_refused(name):
    """The signature covers the terms, and so does the wrap of the link key."""
    changed = dataclasses.replace(GRANT, terms=dataclasses.replace(TERMS, **{name: CHANGES[name]}))
    assert changed.terms.encode() != TERMS.encode()
    with pytest.raises(Tampered):
        check_signature(changed, GRANTER.public)
    with pytest.raises(Tampered):
        open_link(changed, GRANTEE)


@pytest.mark.parametrize("name", CHANGES)
def test_changed_terms_signed_again_still_do_not_open(name):
    """Whoever can sign but does not know the link key cannot re-use a ciphertext."""
    terms = dataclasses.replace(TERMS, **{name: CHANGES[name]})
    message = canonical.encode(terms.encode(), GRANT.ciphertext, GRANT.digests)
    forged = Grant(
        terms, GRANT.ciphertext, GRANT.digests, GRANTER.sign("casevault/1/grant", message)
    )
    with pytest.raises(Tampered):
        open_link(forged, GRANTEE)


def test_a_grant_signed_by_another_is_refused():
    """The terms name the granter's keys, and only their signature counts."""
    with pytest.raises(Tampered):
        check_signature(GRANT, OTHER.public)
    message = canonical.encode(TERMS.encode(), GRANT.ciphertext, GRANT.digests)
    for signature in (
        OTHER.sign("casevault/1/grant", message),
        GRANTER.sign("casevault/1/vouch", message),
        GRANTER.sign_raw(message),
        b"",
    ):
        with pytest.raises(Tampered):
            check_signature(dataclasses.replace(GRANT, signature=signature), GRANTER.public)


def test_ciphertext_and_digests_are_signed():
    """Neither the wrap nor the list of rows can be exchanged."""
    twin, _ = issue(TERMS, KEYS, GRANTER, GRANTEE.public)
    for changed in (
        dataclasses.replace(GRANT, ciphertext=twin.ciphertext),
        dataclasses.replace(GRANT, digests=twin.digests),
        dataclasses.replace(GRANT, digests=GRANT.digests[::-1]),
        dataclasses.replace(GRANT, signature=twin.signature),
    ):
        with pytest.raises(Tampered):
            check_signature(changed, GRANTER.public)


def test_nobody_but_the_grantee_opens_the_link():
    """Another principal is refused, the granter included."""
    for secret in (OTHER, GRANTER):
        with pytest.raises(Tampered):
            open_link(GRANT, secret)


def test_the_link_key_is_unknown_to_the_granter():
    """The granter's key opens nothing of what it granted: taking back needs no trust in memory."""
    terms = some_terms(grantee_key_id=GRANTER.public.key_id)
    posing = dataclasses.replace(GRANT, terms=terms)
    with pytest.raises(Tampered):
        open_link(posing, GRANTER)


def test_link_keys_are_never_the_same():
    """Two grants of the same terms share neither link key nor row."""
    twin, rows = issue(TERMS, KEYS, GRANTER, GRANTEE.public)
    assert open_link(twin, GRANTEE).material != open_link(GRANT, GRANTEE).material
    assert not set(rows.values()) & set(ROWS.values())
    assert twin.digest != GRANT.digest


def test_a_link_of_another_length_is_tampered():
    """Only 32 bytes are a link key, even if the granter wrapped something else."""
    forged = dataclasses.replace(GRANT, ciphertext=wrap(GRANTEE.public, b"short", TERMS.encode()))
    with pytest.raises(Tampered):
        open_link(forged, GRANTEE)


def test_rows_do_not_change_places():
    """A row of another compartment, another grant, or nobody's is `Tampered`."""
    link = open_link(GRANT, GRANTEE)
    twin, twin_rows = issue(dataclasses.replace(TERMS, id=uuid4()), KEYS, GRANTER, GRANTEE.public)
    for name in KEYS:
        for other, row in ROWS.items():
            if other != name:
                with pytest.raises(Tampered):
                    open_row(GRANT, link, name, row)
        with pytest.raises(Tampered):
            open_row(GRANT, link, name, twin_rows[name])
        with pytest.raises(Tampered):
            open_row(twin, link, name, twin_rows[name])
        with pytest.raises(Tampered):
            open_row(GRANT, Key.random(), name, ROWS[name])


@given(st.sampled_from(sorted(KEYS)), st.integers(0, 356 * 8 - 1))
def test_any_flipped_bit_of_a_row_is_tampered(name, bit):
    """Rows are covered by their digests and their own seal."""
    row = bytearray(ROWS[name])
    row[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Tampered):
        open_row(GRANT, open_link(GRANT, GRANTEE), name, bytes(row))


def test_a_compartment_that_is_not_carried_has_no_key():
    """Asking for more than was granted is `Tampered`."""
    with pytest.raises(Tampered):
        open_row(GRANT, open_link(GRANT, GRANTEE), "photos", ROWS["facts"])
    assert TERMS.names("photos") is None
    assert TERMS.names("facts") == TERMS.carried[0]


@pytest.mark.parametrize("material", [b"x" * 32, b"x" * 31, b""])
def test_a_key_that_is_not_the_named_one_is_tampered(material):
    """Key ids name their key: a granter cannot pass another key under a known name."""
    import hashlib

    link = open_link(GRANT, GRANTEE)
    place = Place(TERMS.organisation, "grant-key", TERMS.id, TERMS.object_id, "facts")
    row = seal(link, place, material)
    forged = dataclasses.replace(GRANT, digests=(hashlib.sha256(row).digest(), *GRANT.digests[1:]))
    with pytest.raises(Tampered):
        open_row(forged, link, "facts", row)


def test_terms_and_keys_must_agree_when_granting():
    """A granter cannot name one key and seal another, nor name other principals."""
    for keys in (
        {},
        {**KEYS, "photos": Key.random()},
        {**KEYS, "facts": Key.random(2)},
        {**KEYS, "facts": Key(KEYS["facts"].material, 3)},
    ):
        with pytest.raises(ValueError, match="different things"):
            issue(TERMS, keys, GRANTER, GRANTEE.public)
    for granter, grantee in ((OTHER, GRANTEE), (GRANTER, OTHER)):
        with pytest.raises(ValueError, match="other principals"):
            issue(TERMS, KEYS, granter, grantee.public)


@pytest.mark.parametrize("changes", [{}, {"team": None}, {"expires_at": 5}, {"carried": ()}])
def test_grants_and_terms_read_what_they_wrote(changes):
    """Encoding is lossless; the digest names the whole."""
    terms = dataclasses.replace(TERMS, **changes)
    assert GrantTerms.decode(terms.encode()) == terms
    keys = {c.compartment: KEYS[c.compartment] for c in terms.carried}
    grant, _ = issue(terms, keys, GRANTER, GRANTEE.public)
    assert Grant.decode(grant.encode()) == grant
    assert Grant.decode(grant.encode()).digest == grant.digest


ENCODED = GRANT.encode()


@given(st.integers(0, len(ENCODED) * 8 - 1))
def test_any_flipped_bit_of_a_stored_grant_is_refused(bit):
    """Either it does not read, or its signature does not hold."""
    changed = bytearray(ENCODED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Tampered):
        check_signature(Grant.decode(bytes(changed)), GRANTER.public)


def test_a_stored_grant_that_was_cut_is_tampered():
    """At each length."""
    for length in range(len(ENCODED)):
        with pytest.raises(Tampered):
            Grant.decode(ENCODED[:length])


@given(st.binary(max_size=120))
def test_random_bytes_are_no_grant(data):
    """And never another exception."""
    for decoder in (Grant.decode, GrantTerms.decode):
        with pytest.raises(Tampered):
            decoder(data)


def test_other_statements_are_no_grant():
    """Another context, a digest too few, a carried key that is no list, parts too many."""
    parts = canonical.decode(TERMS.encode())
    for changed in (
        ("casevault/1/vouch", *parts[1:]),
        (*parts, 1),
        (*parts[:7], (b"x",), *parts[8:]),
        (*parts[:7], (("facts", b"x"),), *parts[8:]),
        (*parts[:7], (("facts", b"x", 1, 1),), *parts[8:]),
    ):
        with pytest.raises(Tampered):
            GrantTerms.decode(canonical.encode(*changed))
    whole = canonical.decode(ENCODED)
    for changed in ((*whole, b""), (whole[0], whole[1], whole[2][:2], whole[3])):
        with pytest.raises(Tampered):
            Grant.decode(canonical.encode(*changed))


def test_a_grant_has_one_spelling():
    """Bytes that `encode` would not write are `Tampered`."""
    terms, ciphertext, digests, signature = canonical.decode(ENCODED)
    with pytest.raises(Tampered):
        Grant.decode(canonical.encode(terms, ciphertext, (7, *digests, None), signature))


def test_nothing_prints_its_secret():
    """A grant shows whom and what, never ciphertext, digest or signature."""
    assert_silent(GRANT, GRANT.ciphertext, GRANT.signature, *GRANT.digests)
    assert_silent(open_link(GRANT, GRANTEE), open_link(GRANT, GRANTEE).material)
