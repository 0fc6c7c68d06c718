"""Who opens what comes in for a team: its supervisors, and caseworkers whom they name.

Membership is a grant of the intake group's key, so nobody else can read the inbox, whatever their
role is.
"""

from __future__ import annotations

from uuid import UUID

from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import KeyUnavailable
from casevault.ids import TeamId
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals
from casevault.store.keys.principals import Principal


def teams_of(tx: KeyringTransaction, caller: Caller) -> set[TeamId]:
    """Return the teams whose inbox a caller can open, as far as the keyring says (unchecked)."""
    mine = caller.keys.group_ids(tx)
    return {
        team
        for team in caller.actor.teams
        if any(group.id in mine for group in principals.groups(tx, PrincipalKind.INTAKE, team))
    }


def present(stores: Stores, tx: KeyringTransaction, caller: Caller, team: UUID) -> Principal:
    """Return the group to which a team's intakes are sealed now, if the caller is in it.

    :raises KeyUnavailable: they are not, or there is none that anybody vouches for.
    """
    mine = caller.keys.group_ids(tx)
    for group in principals.groups(tx, PrincipalKind.INTAKE, team):
        if group.id in mine and stores.trust.standing(tx, group.id, team) is not None:
            return group
    raise KeyUnavailable()


def members(
    stores: Stores, tx: KeyringTransaction, group: Principal
) -> tuple[set[UUID], set[UUID]]:
    """Return the people who hold the key of a group, and those of them who lead its team."""
    holders = sorted(grants.holders_of(tx, group.id))
    people = {
        row.id for row in principals.principals(tx, holders) if row.kind is PrincipalKind.STAFF
    }
    leading = {
        one
        for one in people
        for scope in stores.trust.scopes(tx, one)
        if scope.team == group.team and "supervisor" in scope.roles
    }
    return people, leading


def readers(stores: Stores, tx: KeyringTransaction, team: UUID) -> set[UUID]:
    """Return the people who open what is sealed to a team's inbox now."""
    return {
        one
        for group in principals.groups(tx, PrincipalKind.INTAKE, team)
        if stores.trust.standing(tx, group.id, team) is not None
        for one in members(stores, tx, group)[0]
    }
