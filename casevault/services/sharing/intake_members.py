"""Who opens a team's inbox beside its supervisors: caseworkers whom a supervisor names.

Letting somebody in is a grant of the group's key. Letting somebody go takes their grant and puts a
new group in the place of the old one: what comes in from then on is sealed to a key that they
never had, and what waits is moved. Addresses that were handed out for packages made offline are
handed out anew (runbook). Must never let in somebody for whom nobody of the team vouches.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import KeyUnavailable
from casevault.ids import TeamId
from casevault.store.casework import handing
from casevault.store.context import intents
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, teams
from casevault.store.keys.grants import Grantee, Object
from casevault.store.keys.principals import Principal
from casevault.store.log.ledger import Act, Touched
from casevault.store.staff import intake_groups, rotating


class IntakeMembers:
    """The use case of who takes in."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def set_members(self, caller: Caller, team: UUID, members: Sequence[UUID]) -> tuple[UUID, ...]:
        """Let exactly these colleagues open the inbox beside the supervisors; return who does now.

        :raises Refused: one of them is not vouched for in the team.
        :raises KeyUnavailable: the caller is not in the group.
        """
        stores, touched = self._stores, (Touched("team", team),)
        subject = Subject("team", team=TeamId(team))
        self._gate.require(caller, Permission.INTAKE_SET, subject, touched)
        denying = self._gate.denying(caller, Permission.INTAKE_SET, touched)
        with denying, stores.keyring.reading() as tx:
            wanted = [handing.member(stores, tx, team, one) for one in sorted(set(members))]
            group = intake_groups.present(stores, tx, caller, team)
            inside, leading = intake_groups.members(stores, tx, group)
        gone = sorted(inside - leading - {one.id for one in wanted})
        new = [one for one in wanted if one.id not in inside]
        if gone:
            self._let_go(caller, group, gone)
        if new:
            self._let_in(caller, team, new)
        if not gone and not new:
            stores.ledger.record(self._act(caller, team, [], "same"))
        with stores.keyring.reading() as tx:
            now = intake_groups.present(stores, tx, caller, team)
            return tuple(sorted(intake_groups.members(stores, tx, now)[0]))

    def _let_in(self, caller: Caller, team: UUID, new: Sequence[Grantee]) -> None:
        stores = self._stores
        act = self._act(caller, team, [one.id for one in new], "in")
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            group = intake_groups.present(stores, tx, caller, team)
            key = caller.keys.group_key(tx, group)
            for one in new:
                teams.admit(tx, caller.keys.granter, group, key, one, stores.now())

    def _let_go(self, caller: Caller, group: Principal, gone: Sequence[UUID]) -> None:
        stores = self._stores
        if group.team is None:
            raise KeyUnavailable()

        def write(tx: KeyringTransaction) -> None:
            target = Object(ObjectKind.GROUP, group.id, group.team)
            for one in gone:
                grants.take(tx, target, one)
            rotating.rotate(stores, tx, caller, group.id, gone[0])
            rotating.move(stores, tx, caller, group)
            rotating.drop(stores, tx, caller, [group])

        intents.taking(stores, self._act(caller, group.team, gone, "out"), write)

    @staticmethod
    def _act(caller: Caller, team: UUID, people: Sequence[UUID], way: str) -> Act:
        staff = (Touched("staff", one) for one in people)
        return Act(
            "team.intake",
            caller.on_ledger,
            rule="permit:team",
            touched=(Touched("team", team), *staff),
            filters=(way,),
            count=len(people),
        )
