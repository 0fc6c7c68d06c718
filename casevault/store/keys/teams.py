"""Teams and vouches as acts on the keyring: what the ceremony and later sessions both do."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from casevault.crypto import vouches as crypto_vouches
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.crypto.sealing import Key
from casevault.domain.staff.granting import GROUP_MEMBERS, TEAM_GROUPS, ObjectKind, PrincipalKind
from casevault.domain.staff.vouching import VouchStatement
from casevault.ids import PrincipalId, TeamId, new_id
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, principals
from casevault.store.keys.grants import Grantee, Granter, Object
from casevault.store.keys.principals import Principal

GROUP_COMPARTMENT = "secret"
TeamGroups = dict[PrincipalKind, tuple[Principal, Key]]


def vouch(
    tx: KeyringTransaction,
    issuer: Granter,
    subject: UUID,
    public: PublicKeys,
    kind: PrincipalKind,
    *,
    roles: Iterable[str] = (),
    team: UUID | None = None,
    valid_from: int,
    valid_until: int,
) -> UUID:
    """Sign and keep a vouch; return its serial. Whether it counts is decided by who reads it."""
    statement = VouchStatement(
        subject=PrincipalId(subject),
        kind=kind.value,
        roles=tuple(sorted(roles)),
        team=None if team is None else TeamId(team),
        kem_public=public.kem,
        sign_public=public.sign,
        issuer=PrincipalId(issuer.id),
        valid_from=valid_from,
        valid_until=valid_until,
        serial=new_id(),
    )
    principals.add_vouch(tx, crypto_vouches.issue(statement, issuer.secret))
    return statement.serial


def create_team(
    tx: KeyringTransaction,
    team: UUID,
    name: str,
    supervisor: Granter,
    recovery: Grantee,
    now: int,
    valid_until: int,
) -> TeamGroups:
    """Make a team's groups, vouched by its supervisor, who is their first member."""
    people.add_team(tx, team, name)
    made: TeamGroups = {}
    first = Grantee(supervisor.id, supervisor.secret.public)
    for kind in TEAM_GROUPS:
        group, key = principals.add_group(tx, new_id(), kind, team)
        vouch(
            tx,
            supervisor,
            group.id,
            group.public,
            kind,
            team=team,
            valid_from=now,
            valid_until=valid_until,
        )
        for member in (first, recovery):
            admit(tx, supervisor, group, key, member, now)
        made[kind] = (group, key)
    return made


def admit(
    tx: KeyringTransaction,
    granter: Granter,
    group: Principal,
    key: Key,
    member: Grantee,
    now: int,
) -> None:
    """Let a principal into a group: a grant of the group's key."""
    target = Object(ObjectKind.GROUP, group.id, group.team)
    grants.take(tx, target, member.id)
    grants.give(
        tx,
        target,
        {GROUP_COMPARTMENT: key},
        granter,
        [(member, frozenset({GROUP_COMPARTMENT}))],
        purpose="membership",
        issued_at=now,
    )


def groups_for(tx: KeyringTransaction, roles: Iterable[str], team: UUID | None) -> list[Principal]:
    """Return the groups in which a person with these roles belongs."""
    held = set(roles)
    found: list[Principal] = []
    for kind, members in GROUP_MEMBERS.items():
        if members & held:
            found += principals.groups(tx, kind, team if kind in TEAM_GROUPS else None)
    return found


def add_person(tx: KeyringTransaction, staff: UUID, secret: PrincipalSecret) -> None:
    """Keep a person's public keys, replacing those before."""
    principals.put_principal(tx, Principal(staff, PrincipalKind.STAFF, None, secret.public))
