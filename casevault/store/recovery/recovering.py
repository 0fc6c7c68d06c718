"""The recovery principal at work, for the minutes in which its secret is in memory.

Opens what recovery was granted and grants it to one vouched person. The secret comes from the
shares alone and must be the one that the keyring's vouched recovery group and the pinned root name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import recovery
from casevault.domain.staff.granting import TEAM_GROUPS, ObjectKind, PrincipalKind
from casevault.domain.staff.vouching import Scope, may_vouch
from casevault.errors import Invalid, KeyUnavailable, Refused
from casevault.ids import TeamId
from casevault.store.case import case_keys
from casevault.store.engine.keyring import Keyring, KeyringTransaction
from casevault.store.keys import grants, principals, teams
from casevault.store.keys.grants import Grantee, Granter, Object
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.keys.people import StaffMember
from casevault.store.keys.principals import Principal
from casevault.store.keys.trust import Trust

_VOUCH_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Recovered:
    """Recovery and root, as k shares gave them back."""

    root: Granter = field(repr=False)
    holder: KeyHolder = field(repr=False)


def recovered(keyring: Keyring, trust: Trust, shares: list[recovery.Share]) -> Recovered:
    """Return what the shares open, if they are those of this vault that hold now.

    :raises Invalid: they do not fit together, or belong to another vault or a retired set.
    """
    seed = recovery.combine([share.text for share in shares])
    secret, root = recovery.recovery_principal(seed), recovery.root_principal(seed)
    with keyring.reading() as tx:
        (group,) = trust.groups(tx, PrincipalKind.RECOVERY)
        (anchor,) = principals.groups(tx, PrincipalKind.ROOT)
    if (secret.public.key_id, root.public.pin) != (group.public.key_id, anchor.public.pin):
        raise Invalid(
            "These shares fit together, but are not the ones of this vault that hold now: another"
            " vault's, or a set that was replaced.",
            code="recovery.retired",
        )
    return Recovered(Granter(anchor.id, root), KeyHolder(group.id, secret, trust))


def vouch(tx: KeyringTransaction, found: Recovered, member: StaffMember, now: int) -> None:
    """Let the root vouch for a person's present keys, in the roles and team of their account."""
    team = None if member.team is None else TeamId(member.team)
    wanted = Scope(PrincipalKind.STAFF.value, member.roles, team)
    row = principals.principal(tx, member.id)
    if row is None or not may_vouch(Scope(PrincipalKind.ROOT.value, (), None), wanted):
        raise Refused(
            "The root vouches for supervisors, the DPO and auditors only.", code="vouch.scope"
        )
    teams.vouch(
        tx,
        found.root,
        member.id,
        row.public,
        PrincipalKind.STAFF,
        roles=member.roles,
        team=member.team,
        valid_from=now,
        valid_until=now + _VOUCH_SECONDS,
    )


def give_case(
    tx: KeyringTransaction, found: Recovered, target: Object, grantee: Grantee, now: int
) -> None:
    """Grant the newest keys of one case."""
    opened = found.holder.open(tx, target)
    present = case_keys.locked(tx, target.id)
    keys = {name: one.key for name, one in opened.items()}
    if not keys or any(present[name].newest.key_id != key.id for name, key in keys.items()):
        raise KeyUnavailable()
    grants.take(tx, target, grantee.id)
    grants.give(
        tx,
        target,
        keys,
        found.holder.granter,
        [(grantee, frozenset(keys))],
        purpose="recovery",
        issued_at=now,
    )


def groups_of_team(
    tx: KeyringTransaction, roles: tuple[str, ...], team: UUID | None
) -> list[Principal]:
    """Return the groups of a team in which somebody with these roles belongs."""
    return [one for one in teams.groups_for(tx, roles, team) if one.kind in TEAM_GROUPS]


def admit(
    tx: KeyringTransaction, found: Recovered, group: Principal, grantee: Grantee, now: int
) -> None:
    """Let a person into a group of which recovery is a member."""
    key = found.holder.group_key(tx, group)
    teams.admit(tx, found.holder.granter, group, key, grantee, now)


def case_target(object_id: UUID, team: UUID | None) -> Object:
    """Return a case as an object of grants."""
    return Object(ObjectKind.CASE, object_id, team)
