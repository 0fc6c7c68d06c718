"""New pairs for groups: when a member leaves, another group takes the place of theirs.

The old group is retired by revoking what was vouched for it. From then on everything new goes to
the new one, and what the old one holds is moved case by case; its members, who are members of
both, open either meanwhile. Must never drop a group that still holds anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from casevault.crypto import vouches as crypto_vouches
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Refused, Tampered
from casevault.ids import new_id
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals, teams
from casevault.store.keys.grants import Grantee, Object
from casevault.store.keys.principals import Principal
from casevault.store.search import cards
from casevault.store.search.cards import Directory

_VOUCH_SECONDS = 365 * 86_400


def present(
    stores: Stores, tx: KeyringTransaction, grantee: UUID, team: UUID | None
) -> list[Grantee]:
    """Return who holds now what was granted to somebody: themselves, nobody, or a successor."""
    public = stores.trust.standing(tx, grantee, team)
    if public is not None:
        return [Grantee(grantee, public)]
    row = principals.principal(tx, grantee)
    if row is None or row.sealed_secret is None or not stores.trust.is_retired(tx, grantee):
        return []
    return stores.trust.groups(tx, row.kind, row.team)


def rotate(
    stores: Stores, tx: KeyringTransaction, caller: Caller, group: UUID, without: UUID
) -> None:
    """Make the group that takes the place of one, with all its members but `without`.

    One whose place was taken meanwhile is left as it is.

    :raises Refused: nobody would believe the caller's vouch for the new group.
    """
    tx.find(tables.principal, lock=True, id=group)
    old = principals.principal(tx, group)
    if old is None or stores.trust.is_retired(tx, group):
        return
    now, granter = stores.now(), caller.keys.granter
    new, key = principals.add_group(tx, new_id(), old.kind, old.team)
    teams.vouch(
        tx,
        granter,
        new.id,
        new.public,
        old.kind,
        team=old.team,
        valid_from=now,
        valid_until=now + _VOUCH_SECONDS,
    )
    if stores.trust.standing(tx, new.id, old.team) is None:
        raise Refused(
            "Nobody would believe your word about the new group.",
            code="rotation.vouch",
            hint="Ask somebody whom the root or an earlier supervisor vouches for.",
        )
    for member in _members(stores, tx, old):
        if member.id != without:
            teams.admit(tx, granter, new, key, member, now)
    if old.kind is PrincipalKind.DIRECTORY:
        cards.move(
            tx,
            Directory(old.id, _team_of(old), caller.keys.group_key(tx, old)),
            Directory(new.id, _team_of(new), key),
        )
    revoke(tx, caller, old.id, now)


def _team_of(group: Principal) -> UUID:
    if group.team is None:
        raise Tampered(code="principal")
    return group.team


def revoke(tx: KeyringTransaction, caller: Caller, subject: UUID, now: int) -> int:
    """Sign away every vouch for a principal that is not revoked yet; return how many."""
    found = principals.vouches_for(tx, subject)
    gone = principals.revocations(tx, [vouch.statement.serial for vouch in found])
    left = [vouch for vouch in found if vouch.statement.serial not in gone]
    for vouch in left:
        granter = caller.keys.granter
        principals.revoke(tx, crypto_vouches.revoke(vouch, now, granter.id, granter.secret))
    return len(left)


def retired(stores: Stores, tx: KeyringTransaction, caller: Caller) -> list[Principal]:
    """Return the groups of the caller's whose place another one has taken."""
    mine = sorted(caller.keys.group_ids(tx))
    return [row for row in principals.principals(tx, mine) if stores.trust.is_retired(tx, row.id)]


def move(stores: Stores, tx: KeyringTransaction, caller: Caller, old: Principal) -> None:
    """Give the new group what the old one holds, but for cases, which get new keys instead."""
    new = stores.trust.groups(tx, old.kind, old.team)
    for kind in (one for one in ObjectKind if one not in (ObjectKind.CASE, ObjectKind.GROUP)):
        for grant in grants.of_grantee(tx, kind, old.id):
            target = Object(kind, grant.terms.object_id, grant.terms.team)
            names = frozenset(carried.compartment for carried in grant.terms.carried)
            opened = caller.keys.open(tx, target)
            grants.give(
                tx,
                target,
                {name: opened[name].key for name in names},
                caller.keys.granter,
                [(group, names) for group in new],
                purpose="rotation",
                issued_at=stores.now(),
                expires_at=grant.terms.expires_at,
            )
            grants.take_these(tx, [grant.terms.id])
            for given in grants.of_object(tx, target, [group.id for group in new]):
                stores.trust.check_grant(tx, given)


def drop(stores: Stores, tx: KeyringTransaction, caller: Caller, olds: Iterable[Principal]) -> None:
    """Remove those of these retired groups that hold nothing any more.

    Whoever was let into one of them meanwhile is let into the new one.
    """
    now, granter = stores.now(), caller.keys.granter
    for old in olds:
        if any(grants.objects_of(tx, kind, [old.id]) for kind in ObjectKind):
            continue
        if cards.holds_keys(tx, old.id):
            # A card that was written at the very moment of the rotation.
            _move_late_cards(stores, tx, caller, old)
        members = _members(stores, tx, old)
        for new in stores.trust.groups(tx, old.kind, old.team):
            row = principals.principal(tx, new.id)
            inside = grants.holders_of(tx, new.id)
            late = [member for member in members if member.id not in inside]
            if row is not None and late:
                key = caller.keys.group_key(tx, row)
                for member in late:
                    teams.admit(tx, granter, row, key, member, now)
        grants.take_object(tx, ObjectKind.GROUP, [old.id])
        principals.remove_principal(tx, old.id)


def _move_late_cards(
    stores: Stores, tx: KeyringTransaction, caller: Caller, old: Principal
) -> None:
    before = Directory(old.id, _team_of(old), caller.keys.group_key(tx, old))
    cards.move(tx, before, cards.directory_of(tx, stores.trust, caller, _team_of(old)))


def _members(stores: Stores, tx: KeyringTransaction, group: Principal) -> list[Grantee]:
    """Return who was let into a group by somebody who may, and is still vouched for."""
    found = []
    for grant in grants.of_object(tx, Object(ObjectKind.GROUP, group.id, group.team)):
        stores.trust.check_grant(tx, grant)
        public = stores.trust.standing(tx, grant.terms.grantee, group.team)
        if public is not None:
            found.append(Grantee(grant.terms.grantee, public))
    return found
