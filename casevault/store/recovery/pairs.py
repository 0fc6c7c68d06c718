"""New pairs for principals that the root vouches for; the principal keeps its id.

Which pair of the root provider is in use is read from the keyring, so that key, vouch and use
change in one transaction. What the old pair signed stays believed, what it was granted is given
to the new one object by object. Must never leave an object that neither pair opens.
"""

from __future__ import annotations

from dataclasses import replace

from casevault.crypto import vouches as crypto_vouches
from casevault.crypto.grants import Grant
from casevault.crypto.principals import PublicKeys
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Tampered
from casevault.store.case import case_keys
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals, teams
from casevault.store.keys.grants import Grantee, Granter, Object
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.keys.principals import Principal

_VOUCH_SECONDS = 365 * 86_400
_AT_ONCE = 50


def renew(stores: Stores, root: Granter, kind: PrincipalKind) -> None:
    """Let the root vouch for a new pair of one of the root provider's principals."""
    if is_told(stores, kind):
        # Not when an earlier run made one and was cut off before anybody was told of it.
        stores.roots.add_version(kind.value)
    made = stores.roots.principal(kind.value)
    with stores.keyring.writing() as tx:
        (row,) = principals.groups(tx, kind)
        replace_pair(tx, root, row, made.public, stores.now())


def is_told(stores: Stores, kind: PrincipalKind) -> bool:
    """Say whether the newest pair is the one in use; a run can have been cut off in between."""
    with stores.keyring.reading() as tx:
        (row,) = principals.groups(tx, kind)
    return stores.roots.principal(kind.value).public == row.public


def replace_pair(
    tx: KeyringTransaction, root: Granter, row: Principal, public: PublicKeys, now: int
) -> None:
    """Put a new pair in the place of a principal's, vouched for by the root.

    What the old pair signs from the next second on counts no more.
    """
    tx.lock(tables.principal, id=row.id)
    vouched = principals.vouches_for(tx, row.id)
    gone = principals.revocations(tx, [vouch.statement.serial for vouch in vouched])
    for vouch in vouched:
        if vouch.statement.serial not in gone:
            principals.revoke(tx, crypto_vouches.revoke(vouch, now + 1, root.id, root.secret))
    principals.put_principal(tx, replace(row, public=public))
    teams.vouch(
        tx, root, row.id, public, row.kind, valid_from=now, valid_until=now + _VOUCH_SECONDS
    )


def move(stores: Stores, kind: PrincipalKind, opener: KeyHolder, granter: Granter) -> int:
    """Give a principal's present pair what was granted to earlier ones; return how many grants.

    `opener` opens each of these objects, `granter` signs. In batches; can be run again.
    """
    with stores.keyring.reading() as tx:
        (row,) = principals.groups(tx, kind)
        public = stores.trust.public_keys(tx, row.id)
        owed = {
            object_kind: [
                grant.terms.id
                for grant in grants.of_grantee(tx, object_kind, row.id)
                if _is_owed(grant, public, opener)
            ]
            for object_kind in ObjectKind
        }
    moved = 0
    for object_kind, ids in owed.items():
        for at in range(0, len(ids), _AT_ONCE):
            with stores.keyring.writing() as tx:
                for one in grants.by_ids(tx, ids[at : at + _AT_ONCE]):
                    target = Object(object_kind, one.terms.object_id, one.terms.team)
                    _move_one(stores, tx, one, target, Grantee(row.id, public), opener, granter)
                    moved += 1
    return moved


def move_own(stores: Stores, kind: PrincipalKind) -> int:
    """As `move`, for a principal whose former pairs open what they were granted themselves."""
    with stores.keyring.reading() as tx:
        principal, secret = principals.in_use(tx, kind)
    former = [stores.roots.principal(kind.value, one) for one in stores.roots.versions(kind.value)]
    return sum(
        move(stores, kind, KeyHolder(principal, one, stores.trust), Granter(principal, secret))
        for one in former
        if one.public.key_id != secret.public.key_id
    )


def _is_owed(grant: Grant, public: PublicKeys, opener: KeyHolder) -> bool:
    key_id = grant.terms.grantee_key_id
    if key_id == public.key_id:
        return False
    # A former pair opens what was granted to it, and nothing of another former pair.
    return opener.staff != grant.terms.grantee or key_id == opener.secret.public.key_id


def _move_one(
    stores: Stores,
    tx: KeyringTransaction,
    grant: Grant,
    target: Object,
    to: Grantee,
    opener: KeyHolder,
    granter: Granter,
) -> None:
    if target.kind is ObjectKind.CASE:
        # Whoever gives the case new keys meanwhile replaces this grant as well.
        case_keys.locked(tx, target.id)
    stores.trust.check_grant(tx, grant)
    names = frozenset(carried.compartment for carried in grant.terms.carried)
    opened = opener.open(tx, target)
    keys = {name: opened[name].key for name in names & opened.keys()}
    present = grants.key_rows(tx, grant, names)
    if keys.keys() != present.keys():
        # Something that this principal could open would be lost.
        raise Tampered(code="grant")
    grants.take_these(tx, [grant.terms.id])
    if keys:
        grants.give(
            tx,
            target,
            keys,
            granter,
            [(to, frozenset(keys))],
            purpose=grants.again(grant.terms, "rotation"),
            issued_at=stores.now(),
            expires_at=grant.terms.expires_at,
        )
        for given in grants.of_object(tx, target, [to.id]):
            stores.trust.check_grant(tx, given)
