"""Somebody leaves: shut out at once, then everything that they held is passed on or locked anew.

In this order: every way in and every membership is taken; new groups take the place of theirs;
their cases are handed over and get new keys, which also signs anew what they had signed; then what
was vouched for them is revoked. It goes on where it was cut off, by whoever may. Must never leave
a case that nobody can open, nor a role that nobody can pass on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.domain.staff.access import Permission, Role, Subject
from casevault.domain.staff.granting import TEAM_GROUPS, ObjectKind, PrincipalKind
from casevault.domain.staff.vouching import may_vouch
from casevault.errors import CaseVaultError, Conflict, Refused
from casevault.store.casework import caseload, handing
from casevault.store.casework.handover import Handover, OpenTask, Settled
from casevault.store.casework.held import Desk
from casevault.store.context import intents
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, principals, teams
from casevault.store.log.ledger import Act, Touched
from casevault.store.staff import departing, rotating
from casevault.store.staff.departing import Begun, Plan

AT_ONCE = 50
# Of these somebody must be left; the team's is per team.
_NEEDED = frozenset({Role.SUPERVISOR, Role.DPO, Role.AUDITOR, Role.ADMINISTRATOR})
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Departure:
    """How far it got; ask again until it is finished. Lists are of this call."""

    finished: bool
    cases_done: int
    cases_left: int
    handed_over: int
    # Cases that nobody holds but the team's supervisors.
    oversight_only: tuple[UUID, ...]
    skipped: tuple[Settled, ...]
    tasks: tuple[OpenTask, ...]
    # Kinds of groups whose member has to ask as well.
    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Leaver:
    """Somebody who leaves: their roles and team, as vouched now or lately."""

    id: UUID
    roles: frozenset[Role]
    team: UUID | None
    touched: tuple[Touched, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "touched", (Touched("staff", self.id),))


class Departures:
    """The use case of leaving."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    def depart(
        self,
        caller: Caller,
        staff: UUID,
        plan: Plan | None = None,
        at_once: int = AT_ONCE,
        progress: Progress = lambda _done, _left: None,
    ) -> Departure:
        """Let somebody leave, up to `at_once` of their cases in this call.

        :raises Refused: somebody else has to do this.
        :raises Conflict: they are the last one in their role, or have left already.
        """
        stores = self._stores
        subject = Subject("staff", self_act=staff == caller.staff)
        touched = (Touched("staff", staff),)
        self._gate.require(caller, Permission.STAFF_DEPART, subject, touched)
        with stores.keyring.reading() as tx:
            leaver = self._leaver(tx, staff)
            begun = departing.under_way(tx, staff)
            fault = self._fault(tx, caller, leaver, begun, plan)
        if fault is not None:
            self._gate.deny(caller, Permission.STAFF_DEPART, "refused:" + fault.code, touched)
            raise fault
        begun = self._begin(caller, leaver, begun, plan)
        self._rotate(caller, leaver, begun)
        settled, left = self._cases(caller, leaver, begun.plan, at_once, progress)
        if left:
            return _result(settled, left, finished=False)
        self._vouch_anew(caller, leaver)
        waiting = self._finish(caller, leaver, begun)
        return _result(settled, 0, finished=not waiting, waiting=waiting)

    # --- who may ---------------------------------------------------------------------------------

    def _leaver(self, tx: KeyringTransaction, staff: UUID) -> _Leaver:
        team = handing.team_of(self._stores, tx, staff)
        account = people.staff_by_id(tx, staff)
        vouched = {r for b in self._stores.trust.believed(tx, staff) for r in b.scope.roles}
        roles = vouched | set(() if account is None else account.roles)
        return _Leaver(staff, frozenset(map(Role, roles)), team)

    def _fault(
        self,
        tx: KeyringTransaction,
        caller: Caller,
        leaver: _Leaver,
        begun: Begun | None,
        plan: Plan | None,
    ) -> CaseVaultError | None:
        if leaver.id == caller.staff:
            return Refused(
                "Nobody ends their own work here.",
                code="departure.self",
                hint="Ask another supervisor of your team, or the DPO if you are in no team. The"
                " last one first brings in a successor: account, enrolment, vouch.",
            )
        if begun is None and departing.is_out(tx, leaver.id):
            return Conflict("This person has left already.", code="departure.done")
        if begun is None and self._is_last(tx, leaver):
            return Conflict(
                "This person is the last one in their role.",
                code="departure.last",
                hint="First bring in a successor: account, enrolment, vouch.",
            )
        if not self._may(caller, leaver, begun):
            return Refused(
                "Somebody else ends this person's work.",
                code="departure.scope",
                hint="A supervisor of the same team does, and the DPO for whoever is in no team; an"
                " auditor goes on with what the DPO began for another auditor.",
            )
        if not self._holds_groups(tx, caller, leaver):
            return Refused(
                "You are not in all groups of this team yourself.",
                code="departure.groups",
                hint="Ask the supervisor who vouched for you to vouch once more.",
            )
        for successor in (plan or Plan()).people:
            if leaver.team is None or successor == leaver.id:
                return Refused("Choose somebody else to take over.", code="departure.successor")
            try:
                handing.member(self._stores, tx, leaver.team, successor)
            except Refused as error:
                return error
        return None

    def _may(self, caller: Caller, leaver: _Leaver, begun: Begun | None) -> bool:
        roles = caller.actor.roles
        if leaver.team is not None:
            return Role.SUPERVISOR in roles and leaver.team in caller.actor.teams
        if Role.DPO in roles:
            return True
        return Role.AUDITOR in roles and Role.AUDITOR in leaver.roles and begun is not None

    def _is_last(self, tx: KeyringTransaction, leaver: _Leaver) -> bool:
        out = departing.leaving(tx) | {leaver.id}
        there = [
            member.id
            for member in people.all_staff(tx)
            if member.id not in out and people.envelope_of(tx, member.id) is not None
        ]
        return any(
            not any(self._stands_in(tx, one, role, leaver.team) for one in there)
            for role in leaver.roles & _NEEDED
        )

    def _stands_in(
        self, tx: KeyringTransaction, staff: UUID, role: Role, team: UUID | None
    ) -> bool:
        """Say whether somebody has the role, and is in the groups that belong to it."""
        of_team = team if role is Role.SUPERVISOR else None
        return any(
            role.value in scope.roles and scope.team == of_team
            for scope in self._stores.trust.scopes(tx, staff)
        ) and all(
            staff in grants.holders_of(tx, group.id)
            for group in teams.groups_for(tx, [role.value], of_team)
        )

    @staticmethod
    def _holds_groups(tx: KeyringTransaction, caller: Caller, leaver: _Leaver) -> bool:
        if leaver.team is None:
            return True
        mine = caller.keys.group_ids(tx)
        return all(
            group.id in mine
            for kind in TEAM_GROUPS
            for group in principals.groups(tx, kind, leaver.team)
        )

    # --- the steps -------------------------------------------------------------------------------

    def _begin(
        self, caller: Caller, leaver: _Leaver, begun: Begun | None, plan: Plan | None
    ) -> Begun:
        stores = self._stores
        if begun is not None:
            if plan is None:
                return begun
            changed = replace(begun, plan=plan)
            with stores.keyring.writing() as tx:
                people.alone(tx, leaver.id)
                if departing.under_way(tx, leaver.id) is not None:
                    departing.note(tx, leaver.id, changed)
            return changed
        private: list[UUID] = []

        def write(tx: KeyringTransaction) -> None:
            private.extend(departing.begin(stores, tx, leaver.id, plan or Plan()))

        intents.taking(
            stores,
            self._act("staff.leave", caller, leaver),
            write,
            lambda connection: departing.delete_rows(connection, private),
        )
        with stores.keyring.reading() as tx:
            now = departing.under_way(tx, leaver.id)
        # Somebody else may have finished it at this very moment.
        return now or Begun(plan or Plan(), ())

    def _rotate(self, caller: Caller, leaver: _Leaver, begun: Begun) -> None:
        """Put new groups in the place of theirs, as far as the caller is in them."""
        stores = self._stores
        for group in begun.groups:
            with stores.keyring.reading() as tx:
                mine = group in caller.keys.group_ids(tx)
                is_due = mine and not stores.trust.is_retired(tx, group)
            if is_due:
                act = self._act("key.rotate", caller, leaver, Touched("group", group))
                with stores.ledger.giving(act), stores.keyring.writing() as tx:
                    rotating.rotate(stores, tx, caller, group, leaver.id)

    def _cases(
        self, caller: Caller, leaver: _Leaver, plan: Plan, at_once: int, progress: Progress
    ) -> tuple[list[Settled], int]:
        """Settle cases one by one; return what became of them, and how many are left."""
        handover = Handover(self._stores, self._desk, caller, leaver.id)
        settled: dict[UUID, Settled] = {}
        while True:
            with self._stores.keyring.reading() as tx:
                wanted = self._wanted(tx, caller, leaver) - settled.keys()
                if not wanted:
                    wanted = departing.signed_cases(tx, leaver.id) - settled.keys()
            room = at_once - sum(one.why != "unreadable" for one in settled.values())
            if not wanted or room <= 0:
                return list(settled.values()), len(wanted)
            for case in sorted(wanted)[:room]:
                settled[case] = handover.settle(case, plan.of(case))
                progress(1, len(wanted))

    def _wanted(self, tx: KeyringTransaction, caller: Caller, leaver: _Leaver) -> set[UUID]:
        old = [group.id for group in rotating.retired(self._stores, tx, caller)]
        return caseload.own(tx, leaver.id) | grants.objects_of(tx, ObjectKind.CASE, old)

    def _vouch_anew(self, caller: Caller, leaver: _Leaver) -> None:
        """Vouch for those for whom only the leaver did, as long as the leaver had."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            mine = stores.trust.scopes(tx, caller.staff)
            found = [
                believed.serial
                for vouch in principals.vouches_by(tx, leaver.id)
                for believed in stores.trust.believed(tx, vouch.statement.subject)
                if believed.serial == vouch.statement.serial
                and believed.holds(stores.now())
                and vouch.statement.subject != caller.staff
                and any(may_vouch(scope, believed.scope) for scope in mine)
            ]
            vouches = [
                vouch
                for vouch in principals.vouches_by(tx, leaver.id)
                if vouch.statement.serial in found
                and not _vouched_by(tx, vouch.statement.subject, caller.staff, stores.now())
            ]
        if not vouches:
            return
        subjects = [Touched("staff", vouch.statement.subject) for vouch in vouches]
        act = self._act("key.vouch", caller, leaver, *subjects)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            for vouch in vouches:
                statement = vouch.statement
                teams.vouch(
                    tx,
                    caller.keys.granter,
                    statement.subject,
                    vouch.subject_keys,
                    PrincipalKind(statement.kind),
                    roles=statement.roles,
                    team=statement.team,
                    valid_from=stores.now(),
                    valid_until=statement.valid_until,
                )

    def _finish(self, caller: Caller, leaver: _Leaver, begun: Begun) -> tuple[str, ...]:
        """Revoke what was vouched for them; return the groups that wait for another member."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            rows = principals.principals(tx, list(begun.groups))
            waiting = tuple(
                row.kind.value for row in rows if not stores.trust.is_retired(tx, row.id)
            )

        def write(tx: KeyringTransaction) -> None:
            # What they vouched for or signed in this very second was still theirs to sign.
            rotating.revoke(tx, caller, leaver.id, stores.now() + 1)
            departing.shut_out(tx, leaver.id)
            olds = rotating.retired(stores, tx, caller)
            for old in olds:
                rotating.move(stores, tx, caller, old)
            rotating.drop(stores, tx, caller, olds)
            if not waiting:
                departing.end(tx, leaver.id)

        intents.taking(stores, self._act("staff.left", caller, leaver), write)
        return waiting

    @staticmethod
    def _act(code: str, caller: Caller, leaver: _Leaver, *also: Touched) -> Act:
        return Act(
            code, caller.on_ledger, rule="permit:departure", touched=(*leaver.touched, *also)
        )


def _vouched_by(tx: KeyringTransaction, subject: UUID, issuer: UUID, now: int) -> bool:
    return any(
        vouch.statement.issuer == issuer and vouch.statement.valid_until > now
        for vouch in principals.vouches_for(tx, subject)
    )


def _result(
    settled: list[Settled], left: int, *, finished: bool, waiting: tuple[str, ...] = ()
) -> Departure:
    return Departure(
        finished=finished,
        cases_done=len(settled),
        cases_left=left,
        handed_over=sum(one.handed_over for one in settled),
        oversight_only=tuple(one.case for one in settled if not one.someone_holds_it),
        skipped=tuple(one for one in settled if one.why is not None),
        tasks=tuple(task for one in settled for task in one.tasks),
        waiting_for=waiting,
    )
