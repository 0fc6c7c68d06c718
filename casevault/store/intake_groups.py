"""Who opens what comes in for a team: its supervisors, and caseworkers whom they name.

Membership is a grant of the intake group's key, so nobody else can read the inbox, whatever their
role is.
"""

from __future__ import annotations

from casevault.domain.granting import PrincipalKind
from casevault.ids import TeamId
from casevault.store import principals
from casevault.store.caller import Caller
from casevault.store.keyring import KeyringTransaction


def teams_of(tx: KeyringTransaction, caller: Caller) -> set[TeamId]:
    """Return the teams whose inbox a caller can open, as far as the keyring says (unchecked)."""
    mine = caller.keys.group_ids(tx)
    return {
        team
        for team in caller.actor.teams
        if any(group.id in mine for group in principals.groups(tx, PrincipalKind.INTAKE, team))
    }
