"""A vault whose roots are sealed: rolls, copies and rebuilding are those of a plain one."""

from __future__ import annotations

import json

import pytest

from casevault.crypto import recovery
from casevault.crypto.credentials import SMALL
from casevault.crypto.principals import is_raw_signature
from casevault.crypto.roots import (
    RootsKey,
    RootsPlace,
    adopt_roots,
    move_roots,
    open_roots,
    under_passphrase,
    under_token,
)
from casevault.crypto.roots import provider as provider_module
from casevault.crypto.roots import token as token_module
from casevault.errors import Busy, KeyUnavailable, Unrecorded
from casevault.ledger import certificate
from casevault.services.recovery import rolls
from casevault.services.recovery.readiness import Readiness
from casevault.services.recovery.rolls import Rolls
from casevault.store.keys import people
from casevault.store.recovery import capsules, media
from casevault.store.recovery.media import Medium
from casevault.store.retention import certifying
from tests.builders import ORIGIN, a_vault, an_act
from tests.integration.erasing_world import Office
from tests.tokens import PIN, a_token

PASSPHRASE = "made up words for root material"


def under(vault, token) -> RootsPlace:
    """Move a vault's roots under a token; return where they are."""
    place = RootsPlace(vault.keys_dir, token.module, token.label)
    move_roots(vault.stores.roots, place, under_token(PIN))
    return place


@pytest.fixture(params=["passphrase", "token"])
def sealed(request, sqlite_databases, tmp_path, monkeypatch):
    """Give a vault under each seal, the place of its roots, and what opens them."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)
    vault, place = a_vault(sqlite_databases, tmp_path), RootsPlace(tmp_path / "keys")
    if request.param == "token":
        place = under(vault, a_token(tmp_path, monkeypatch))
        key = RootsKey(PIN.encode())
    else:
        key = move_roots(vault.stores.roots, place, under_passphrase(PASSPHRASE, SMALL))
    yield vault, place, key
    vault.close()


def test_rolling_twice_destroys_the_first_epoch(sealed, tmp_path):
    """Rows move, the copies are read back, and what a token held for the epoch is gone from it."""
    vault, place, key = sealed
    vault.stores.ledger.record(an_act())
    old = json.loads(place.file.read_bytes())
    medium = Medium(tmp_path / "medium", vault.stores.roots.keyring_id)
    medium.take()
    roll = Rolls(vault.stores, medium, 1)
    assert roll.roll().destroyed == ()
    assert roll.roll().destroyed == (1,)
    other = open_roots(place, key)
    assert other.epochs() == (2, 3)
    with pytest.raises(KeyUnavailable):
        other.epoch(1)
    with vault.stores.keyring.reading() as tx:
        assert {epoch for _, epoch in tx.rows_by_epoch()} == {3}
    if place.module is not None:
        hand = token_module.connect(place.module, place.token, PIN)
        # One for the file and one for each of the two epochs that are left.
        assert len(hand.keys(b"cv1")) == 3
        place.file.write_text(json.dumps(old))
        with pytest.raises(Busy):
            open_roots(place, key)


def test_a_certificate_says_what_kind_of_destruction_it_was(sealed, tmp_path):
    """In hardware only where the epoch's key was destroyed in a token; the risk in its words."""
    vault, place, _key = sealed
    office = Office(vault, tmp_path)
    office.age(office.open(), months=61)
    assert office.run().whole == 1
    office.roll()
    assert office.run().certificates == 1
    keys = [
        vault.checkpoints().verifier_key,
        certifying.organisation_key(vault.stores, ORIGIN),
    ]
    (text,) = office.certificates()
    said = certificate.check(text.encode(), keys, is_raw_signature).said
    kind = "best effort" if place.module is None else "destroyed in hardware"
    assert said["destruction"] == kind
    assert said["residual_risk"] == certificate.RESIDUAL[kind]
    assert ("hardware token" in said["residual_risk"]) == (place.module is not None)


def test_a_capsule_holds_what_the_seal_hides(sealed, tmp_path):
    """Lost passphrase, broken token: the shares open the capsule, and the rows open with it."""
    vault, _place, _key = sealed
    medium = Medium(tmp_path / "medium", vault.stores.roots.keyring_id)
    medium.take()
    Rolls(vault.stores, medium, 1).roll()
    with (tmp_path / "medium" / media.CAPSULE).open("rb") as file:
        capsule = capsules.open_capsule(file, recovery.recovery_principal(vault.seed))
    roots = adopt_roots(tmp_path / "new-keys", capsule.roots)
    assert roots.export() == vault.stores.roots.export()


def test_a_vault_whose_token_is_away_opens_nothing_and_is_not_ready(
    sqlite_databases, tmp_path, monkeypatch
):
    """No row opens with what is still in memory; back, everything goes on by itself."""
    monkeypatch.setattr(provider_module, "_FRESH_SECONDS", 0)
    monkeypatch.setattr(token_module, "WATCH_SECONDS", 0)
    token, vault = a_token(tmp_path, monkeypatch), a_vault(sqlite_databases, tmp_path)
    under(vault, token)
    readiness = Readiness(vault.stores)
    assert readiness.check().all
    token.pull()
    for _ in range(3):
        ready = readiness.check()
        assert (ready.keyring, ready.all) == (False, False)
        with vault.stores.keyring.reading() as tx, pytest.raises(Busy) as caught:
            people.all_staff(tx)
        assert caught.value.code == "roots.token"
        with pytest.raises(Unrecorded):
            vault.stores.ledger.record(an_act())
    token.put_back()
    assert readiness.check().all
    vault.stores.ledger.record(an_act())
    vault.close()
