"""New recovery shares: a new seed, so a new root and a new recovery pair, in place of the old.

Old sets of shares of one secret stay valid for ever, so the secret itself is replaced. In one
transaction the old root signs for the new one (never the other way: whoever has the old shares must
not lead anybody back), everything the root had said is said again by the new root, and recovery
gets its new pair; what was granted to recovery is then moved in batches (`store.recovery.pairs`).
Must never begin before the new shares are on paper.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import recovery
from casevault.crypto import vouches as crypto_vouches
from casevault.crypto.grants import Grant
from casevault.crypto.recovery import Share
from casevault.crypto.sealing import Key
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Invalid, KeyUnavailable
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals, teams
from casevault.store.keys.grants import Grantee, Granter, Object
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.keys.principals import Principal
from casevault.store.recovery import pairs
from casevault.store.recovery.recovering import Recovered

_VOUCH_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Membership:
    """A grant of a group's key that the root signed, with the key."""

    grant: Grant = field(repr=False)
    key: Key = field(repr=False)


def is_underway(stores: Stores) -> bool:
    """Say whether anything is still granted to a recovery pair that was replaced."""
    with stores.keyring.reading() as tx:
        (row,) = principals.groups(tx, PrincipalKind.RECOVERY)
        return any(
            grant.terms.grantee_key_id != row.public.key_id
            for kind in ObjectKind
            for grant in grants.of_grantee(tx, kind, row.id)
        )


def begin(stores: Stores, found: Recovered, seed: bytes) -> Recovered:
    """Put the root and the recovery pair of a new seed in the place of those of the old shares."""
    now = stores.now()
    with stores.keyring.writing() as tx:
        (anchor,) = principals.groups(tx, PrincipalKind.ROOT)
        (group,) = principals.groups(tx, PrincipalKind.RECOVERY)
        new = _recovered(stores, anchor.id, group.id, seed)
        # Opened while the root that signed them still counts.
        held = list(_memberships(tx, found))
        _hand_on(tx, anchor, found.root, new.root, now)
        _say_again(tx, new.root)
        principals.put_principal(tx, replace(anchor, public=new.root.secret.public))
        pairs.replace_pair(tx, new.root, group, new.holder.secret.public, now)
        for one in held:
            _admit_again(stores, tx, new.root, one, now)
    return new


def resumed(stores: Stores, old: list[Share], new: list[Share]) -> tuple[KeyHolder, Recovered]:
    """Return what both sets open when a run was cut off: recovery as it was, and as it is.

    :raises Invalid: one of them is not the set that is asked for.
    """
    seed = recovery.combine([share.text for share in new])
    former = recovery.recovery_principal(recovery.combine([share.text for share in old]))
    with stores.keyring.reading() as tx:
        (anchor,) = principals.groups(tx, PrincipalKind.ROOT)
        (group,) = principals.groups(tx, PrincipalKind.RECOVERY)
        known = principals.pairs_of(tx, group)
    found = _recovered(stores, anchor.id, group.id, seed)
    present = found.holder.secret.public.key_id
    if present != known[-1] or former.public.key_id not in known[:-1]:
        raise Invalid(
            "Bring first the shares that were replaced, then those that replace them.",
            code="recovery.retired",
        )
    return KeyHolder(group.id, former, stores.trust), found


def _recovered(stores: Stores, root: UUID, group: UUID, seed: bytes) -> Recovered:
    holder = KeyHolder(group, recovery.recovery_principal(seed), stores.trust)
    return Recovered(Granter(root, recovery.root_principal(seed)), holder)


def _memberships(tx: KeyringTransaction, found: Recovered) -> list[Membership]:
    held = []
    for grant in grants.signed_by(tx, ObjectKind.GROUP, found.root.id):
        target = Object(ObjectKind.GROUP, grant.terms.object_id, grant.terms.team)
        opened = found.holder.open(tx, target).get(teams.GROUP_COMPARTMENT)
        if opened is None:
            # Nobody must lose a group because its key could not be had here.
            raise KeyUnavailable(code="group")
        held.append(Membership(grant, opened.key))
    return held


def _hand_on(
    tx: KeyringTransaction, anchor: Principal, old: Granter, new: Granter, now: int
) -> None:
    # Of itself too: whoever has pinned it finds its keys there, from which the way goes on.
    for public in (anchor.public, new.secret.public):
        teams.vouch(
            tx,
            old,
            anchor.id,
            public,
            PrincipalKind.ROOT,
            valid_from=now,
            valid_until=now + _VOUCH_SECONDS,
        )


def _say_again(tx: KeyringTransaction, root: Granter) -> None:
    """Let the new root sign every vouch of the old one: same words, same serial."""
    for vouch in principals.vouches_by(tx, root.id):
        statement = vouch.statement
        if statement.kind != PrincipalKind.ROOT.value:
            again = crypto_vouches.issue(statement, root.secret)
            at = {"serial": statement.serial, "subject_id": statement.subject}
            tx.replace(tables.vouch, again.encode(), **at)


def _admit_again(
    stores: Stores, tx: KeyringTransaction, root: Granter, held: Membership, now: int
) -> None:
    terms = held.grant.terms
    row = principals.principal(tx, terms.object_id)
    if row is None:
        raise KeyUnavailable(code="group")
    member = Grantee(terms.grantee, stores.trust.public_keys(tx, terms.grantee))
    teams.admit(tx, root, row, held.key, member, now)
