"""A team's duty group: vouched colleagues on call, who may break the glass without asking.

A supervisor says who belongs to it. New cases are granted to the group at their birth, existing
ones in that supervisor's session. Membership opens nothing until the glass is broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from casevault.crypto.sealing import Key
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.domain.staff.vouching import MAX_VALIDITY_DAYS
from casevault.errors import CaseVaultError, KeyUnavailable, NotFound, Tampered
from casevault.ids import TeamId, new_id
from casevault.store.case.held_case import HeldCase
from casevault.store.casework import caseload, handing, rekeying
from casevault.store.casework.held import Desk
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals, teams
from casevault.store.keys.grants import Grantee, Object
from casevault.store.log.ledger import Act, Touched

_BATCH = 25
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class OnDuty:
    """The group, how many cases it was given now, and how many were out of reach."""

    group: UUID
    members: tuple[UUID, ...]
    given: int
    left: int


class Duty:
    """The use case of who is on call."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    def set_members(self, caller: Caller, team: UUID, members: Sequence[UUID]) -> OnDuty:
        """Let exactly these colleagues be on call, and give the group what it lacks of the team.

        :raises Refused: one of them is not vouched for in the team.
        """
        stores, touched = self._stores, (Touched("team", team),)
        subject = Subject("team", team=TeamId(team))
        self._gate.require(caller, Permission.DUTY_SET, subject, touched)
        try:
            with stores.keyring.reading() as tx:
                receivers = [handing.member(stores, tx, team, one) for one in sorted(set(members))]
        except CaseVaultError as error:
            self._gate.deny(caller, Permission.DUTY_SET, "refused:" + error.code, touched)
            raise
        group = self._admit(caller, team, receivers)
        with stores.keyring.reading() as tx:
            mine = caseload.reach(tx, caller)
            theirs = grants.objects_of(tx, ObjectKind.CASE, [group.id])
        wanted = sorted(caseload.of_team(stores, mine - theirs, team))
        given = 0
        for at in range(0, len(wanted), _BATCH):
            given += self._give(caller, team, group, wanted[at : at + _BATCH])
        ids = tuple(receiver.id for receiver in receivers)
        return OnDuty(group.id, ids, given, len(wanted) - given)

    def _admit(self, caller: Caller, team: UUID, receivers: Sequence[Grantee]) -> Grantee:
        """Make the group if there is none; its members are these, from now on."""
        stores, now = self._stores, self._stores.now()
        staff = tuple(Touched("staff", one.id) for one in receivers)
        act = Act(
            "team.duty",
            caller.on_ledger,
            rule="permit:team",
            touched=(Touched("team", team), *staff),
            count=len(receivers),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = principals.groups(tx, PrincipalKind.DUTY, team)
            if present:
                group, key = present[0], self._reopened(tx, caller, present[0].id, team)
            else:
                group, key = self._founded(tx, caller, team)
            # Any supervisor of the team can change who is on call.
            keepers = [
                *stores.trust.groups(tx, PrincipalKind.OVERSIGHT, team),
                *stores.trust.groups(tx, PrincipalKind.RECOVERY),
            ]
            names = frozenset({teams.GROUP_COMPARTMENT})
            grants.give(
                tx,
                Object(ObjectKind.DUTY, group.id, team),
                {teams.GROUP_COMPARTMENT: key},
                caller.keys.granter,
                [(one, names) for one in (*receivers, *keepers)],
                purpose="membership",
                issued_at=now,
            )
            return Grantee(group.id, stores.trust.public_keys(tx, group.id))

    @staticmethod
    def _reopened(tx: KeyringTransaction, caller: Caller, group: UUID, team: UUID) -> Key:
        """Return the group's key and take it from everybody who had it."""
        target = Object(ObjectKind.DUTY, group, team)
        opened = caller.keys.open(tx, target, teams.GROUP_COMPARTMENT)
        if teams.GROUP_COMPARTMENT not in opened:
            raise KeyUnavailable()
        grants.take_object(tx, ObjectKind.DUTY, [group])
        return opened[teams.GROUP_COMPARTMENT].key

    def _founded(
        self, tx: KeyringTransaction, caller: Caller, team: UUID
    ) -> tuple[principals.Principal, Key]:
        """Make the group, and let the caller vouch for it."""
        now = self._stores.now()
        group, key = principals.add_group(tx, new_id(), PrincipalKind.DUTY, team)
        teams.vouch(
            tx,
            caller.keys.granter,
            group.id,
            group.public,
            PrincipalKind.DUTY,
            team=team,
            valid_from=now,
            valid_until=now + MAX_VALIDITY_DAYS * _DAY,
        )
        return group, key

    def _give(self, caller: Caller, team: UUID, group: Grantee, some: Sequence[UUID]) -> int:
        return rekeying.tried_twice(lambda: self._give_once(caller, team, group, some))

    def _give_once(self, caller: Caller, team: UUID, group: Grantee, some: Sequence[UUID]) -> int:
        stores = self._stores
        found: list[HeldCase] = []
        for case in some:
            try:
                with stores.data.reading() as connection:
                    held = self._desk.hold(caller, connection, case, Permission.CASE_ASSIGN)
            except (Tampered, NotFound, KeyUnavailable):
                # Recorded there, and no reason to leave out the others.
                continue
            found.append(held)
        act = Act(
            "team.duty",
            caller.on_ledger,
            rule="permit:team",
            touched=(
                Touched("team", team),
                *(Touched("case", held.case.id) for held in found),
            ),
            count=len(found),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            for held in found:
                rekeying.check_newest(tx, held)
                keys = {name: held.newest_key(name) for name in held.keys}
                grants.give(
                    tx,
                    held.target,
                    keys,
                    caller.keys.granter,
                    [(group, frozenset(keys))],
                    purpose="duty",
                    issued_at=stores.now(),
                )
        return len(found)
