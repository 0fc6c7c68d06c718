"""k of n custodians open a case when nobody else can; one fewer opens nothing."""

from __future__ import annotations

import pytest

from casevault.crypto import recovery
from casevault.domain.staff.access import Actor, Role
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Invalid, Refused
from casevault.ids import StaffId, TeamId, new_id
from casevault.services.casework.casework import Casework
from casevault.store.case import documents, manifests
from casevault.store.context.caller import Caller, Gate
from casevault.store.keys.grants import Object
from casevault.store.keys.keyholder import KeyHolder
from tests.builders import SUPERVISOR

NAME = "Recovered Testperson"


def open_a_case(vault):
    """Return the metadata of a case that the supervisor recorded."""
    actor = Actor(
        StaffId(vault.staff(SUPERVISOR)),
        frozenset({Role.SUPERVISOR}),
        frozenset({TeamId(vault.team)}),
        "passphrase",
    )
    caller = Caller(actor, vault.holder(SUPERVISOR), new_id())
    casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
    return casework.open_case(caller, {"name_to_use": NAME}, {}, "standard").case


def keys_of_recovery(vault, case, secret):
    """Return what a principal with this secret opens as the recovery group."""
    holder = KeyHolder(vault.group(PrincipalKind.RECOVERY).id, secret, vault.stores.trust)
    with vault.stores.keyring.reading() as tx:
        return holder.open(tx, Object(ObjectKind.CASE, case.id, case.team))


def test_k_shares_open_a_case(vault):
    """Any k shares give the recovery principal, which holds a grant on every compartment."""
    case = open_a_case(vault)
    shares = vault.outcome.shares[-vault.outcome.threshold :]
    secret = recovery.recovery_principal(recovery.combine(shares))
    opened = keys_of_recovery(vault, case, secret)
    assert set(opened) == {"identity", "narrative", "facts"}
    key = opened["identity"].key
    with vault.stores.data.reading() as connection:
        manifest = manifests.load_manifest(
            connection, vault.stores.organisation, case, "identity", key
        )
        (document,) = documents.read_documents(
            connection, vault.stores.organisation, case, manifest, key
        )
    assert document.content == {"name_to_use": NAME}


def test_one_share_fewer_opens_nothing(vault):
    """k-1 shares are refused, and a principal made from a guess opens no grant."""
    case = open_a_case(vault)
    with pytest.raises(Invalid):
        recovery.combine(vault.outcome.shares[: vault.outcome.threshold - 1])
    wrong = recovery.recovery_principal(recovery.new_seed())
    with pytest.raises(Refused):
        keys_of_recovery(vault, case, wrong)
