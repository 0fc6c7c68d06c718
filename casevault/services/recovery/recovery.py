"""Recovery: what nobody can open any more is granted anew to one named person.

Takes two people in their sessions and k custodians with their shares on paper. What is asked for
is exactly one case or one group for one person, and only that is given. Must never let a share or
what is made of it leave the memory of the one process that recovers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from casevault.crypto.approvals import Approval
from casevault.crypto.principals import PublicKeys
from casevault.crypto.recovery import Share
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Permission, Role, Subject
from casevault.domain.staff.approvals import ApprovedAct, RecoveryScope, Wish
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import (
    CaseVaultError,
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    Refused,
    Tampered,
)
from casevault.ids import new_id
from casevault.store.case import cases
from casevault.store.context import approvals
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import milestones
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people, principals
from casevault.store.keys.grants import Grantee
from casevault.store.keys.people import StaffMember
from casevault.store.log import ledger
from casevault.store.log.ledger import SERVICE, Act, Touched
from casevault.store.recovery import recovering
from casevault.store.recovery.recovering import Recovered

_VOUCH, _KEYS = "vouch", "keys"
# In which roles the beneficiary of each scope must be vouched for.
_ROLES = {
    RecoveryScope.CASE: frozenset({Role.CASEWORKER, Role.SUPERVISOR}),
    RecoveryScope.TEAM: frozenset({Role.SUPERVISOR}),
    RecoveryScope.AUDITORS: frozenset({Role.AUDITOR}),
    RecoveryScope.DPO: frozenset({Role.DPO}),
}
_WIDE = {RecoveryScope.AUDITORS: PrincipalKind.AUDITORS, RecoveryScope.DPO: PrincipalKind.DPO}


class Recovery:
    """The use cases of the recovery shares."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def ask(
        self,
        caller: Caller,
        scope: RecoveryScope,
        object_id: UUID | None,
        beneficiary: UUID,
        *,
        vouch: bool,
    ) -> Wish:
        """Ask that one thing be opened again for one person with the keys that they have now."""
        stores, touched = self._stores, (Touched("staff", beneficiary),)
        self._gate.require(caller, Permission.KEYS_RECOVER, Subject("keys"), touched)
        with stores.keyring.reading() as tx:
            target, team = self._target(tx, scope, object_id)
            member, public = self._person(tx, beneficiary)
        _check_fits(scope, member, team)
        if vouch and scope is RecoveryScope.CASE:
            raise Invalid(
                "The root vouches only for whoever is to open a group.",
                code="recovery.vouch",
                errors=(FieldError("/vouch", "recovery.vouch"),),
            )
        wish = rules.wish(
            new_id(),
            ApprovedAct.KEYS_RECOVER,
            target,
            caller.staff,
            stores.now(),
            team=team,
            parameters=_parameters(scope, public, vouch),
            involved=[beneficiary],
        )
        act = Act(
            "approval.ask",
            caller.on_ledger,
            rule="permit:role",
            touched=(Touched("approval", wish.id), Touched("object", target), *touched),
            filters=(wish.act.value, scope.value),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            approvals.remove_expired(tx, stores.now())
            approvals.add(tx, approvals.asked(stores.organisation, caller, wish))
        return wish

    def asked(
        self,
        caller: Caller,
        scope: RecoveryScope,
        object_id: UUID | None,
        beneficiary: UUID,
        *,
        vouch: bool,
    ) -> tuple[Wish, bool] | None:
        """Return the caller's own wish for exactly this, and whether it may be carried out now."""
        stores, now = self._stores, self._stores.now()
        self._gate.require(
            caller, Permission.KEYS_RECOVER, Subject("keys"), (Touched("staff", beneficiary),)
        )
        with stores.keyring.reading() as tx:
            target, team = self._target(tx, scope, object_id)
            _, public = self._person(tx, beneficiary)
            parameters = tuple(sorted(_parameters(scope, public, vouch).items()))
            wanted = (target, team, parameters, (beneficiary,), caller.staff)
            for one in reversed(approvals.all_(tx)):
                wish = one.wish
                found = (wish.object_id, wish.team, wish.parameters, wish.involved, wish.asker)
                if found == wanted and not rules.is_over(wish, now):
                    return wish, self._suffices(tx, one, now)
        return None

    def beneficiary(self, login: str) -> UUID:
        """Return whose login this is, else `NotFound`."""
        with self._stores.keyring.reading() as tx:
            member = people.staff_by_login(tx, login)
        if member is None:
            raise NotFound()
        return member.id

    def team(self, name: str) -> UUID:
        """Return the team with this name, else `NotFound`."""
        with self._stores.keyring.reading() as tx:
            found = [team for team, known in people.teams(tx).items() if known == name]
        if len(found) != 1:
            raise NotFound()
        return found[0]

    def carry_out(self, caller: Caller, wish: Wish, shares: Sequence[Share]) -> None:
        """Give what was approved, by the power of the shares; the entry comes first.

        :raises Refused: it is not approved (any more), or somebody else asked for it.
        :raises Invalid: the shares are not those that hold now.
        """
        stores, now = self._stores, self._stores.now()
        touched = (Touched("staff", wish.involved[0]), Touched("object", wish.object_id))
        self._gate.require(caller, Permission.KEYS_RECOVER, Subject("keys"), touched)
        act = Act(
            "key.recover",
            caller.on_ledger,
            rule="permit:quorum",
            touched=touched,
            filters=(dict(wish.parameters)[rules.SCOPE],),
            count=len(shares),
            links=(("approval", wish.id.hex),),
        )
        try:
            if caller.staff != wish.asker:
                raise Refused("Somebody else asked for this recovery.", code="recovery.asker")
            with stores.keyring.reading() as tx:
                approvals.check(tx, stores.trust, approvals.find(tx, wish.id), now)
            found = recovering.recovered(stores.keyring, stores.trust, list(shares))
        except CaseVaultError as error:
            rule = "refused:" + error.code
            stores.ledger.record(replace(act, rule=rule, outcome=ledger.REFUSED))
            raise
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            approvals.use(tx, stores.trust, wish, now)
            self._give(tx, found, wish, now)

    def drill(self, shares: Sequence[Share]) -> int:
        """Prove that the shares are those that hold now, and open nothing; return the moment."""
        stores = self._stores
        act = Act("key.drill", SERVICE, rule="permit:quorum", count=len(shares))
        try:
            recovering.recovered(stores.keyring, stores.trust, list(shares))
        except CaseVaultError as error:
            rule = "refused:" + error.code
            stores.ledger.record(replace(act, rule=rule, outcome=ledger.REFUSED))
            raise
        stores.ledger.record(act)
        now = stores.now()
        with stores.keyring.writing() as tx:
            milestones.note(tx, milestones.DRILL, now)
        return now

    def _suffices(self, tx: KeyringTransaction, found: Approval, now: int) -> bool:
        try:
            approvals.check(tx, self._stores.trust, found, now)
        except Refused as error:
            if error.code != "approval.missing":
                raise
            return False
        return True

    def _give(self, tx: KeyringTransaction, found: Recovered, wish: Wish, now: int) -> None:
        parameters, trust = dict(wish.parameters), self._stores.trust
        scope = RecoveryScope(parameters[rules.SCOPE])
        member, public = self._person(tx, wish.involved[0])
        if public.fingerprint != parameters[_KEYS]:
            raise Refused(
                "This person has other keys now than those that were approved.",
                code="recovery.keys",
                hint="Ask for the recovery again.",
            )
        if parameters[_VOUCH] == "yes":
            recovering.vouch(tx, found, member, now)
        grantee = Grantee(member.id, trust.public_keys(tx, member.id))
        fits = [
            one
            for one in trust.scopes(tx, member.id)
            if one.team == wish.team and _ROLES[scope] & set(one.roles)
        ]
        if not fits:
            raise Refused(
                "This person is not vouched for in the role or the team for that.",
                code="recovery.beneficiary",
            )
        if scope is RecoveryScope.CASE:
            target = recovering.case_target(wish.object_id, wish.team)
            recovering.give_case(tx, found, target, grantee, now)
            return
        if scope is RecoveryScope.TEAM:
            groups = recovering.groups_of_team(tx, fits[0].roles, wish.team)
        else:
            groups = principals.groups(tx, _WIDE[scope])
        for group in groups:
            recovering.admit(tx, found, group, grantee, now)

    def _target(
        self, tx: KeyringTransaction, scope: RecoveryScope, object_id: UUID | None
    ) -> tuple[UUID, UUID | None]:
        """Return the id of what is to be opened, and its team."""
        if scope in _WIDE:
            if object_id is not None:
                raise _wrong_target()
            live = [
                group.id
                for group in principals.groups(tx, _WIDE[scope])
                if not self._stores.trust.is_retired(tx, group.id)
            ]
            if len(live) != 1:
                raise Tampered(code="principal")
            return live[0], None
        if object_id is None:
            raise _wrong_target()
        if scope is RecoveryScope.TEAM:
            if object_id not in people.teams(tx):
                raise _wrong_target()
            return object_id, object_id
        with self._stores.data.reading() as connection:
            case = cases.find_case(connection, self._stores.roots, object_id)
        if case is None:
            raise _wrong_target()
        return case.id, case.team

    @staticmethod
    def _person(tx: KeyringTransaction, staff: UUID) -> tuple[StaffMember, PublicKeys]:
        member, row = people.staff_by_id(tx, staff), principals.principal(tx, staff)
        if member is None:
            raise NotFound()
        if row is None or people.envelope_of(tx, staff) is None:
            raise Conflict(
                "This person has not enrolled yet, so there are no keys to vouch for.",
                code="vouch.not-enrolled",
            )
        return member, row.public


def _parameters(scope: RecoveryScope, public: PublicKeys, vouch: bool) -> dict[str, str]:
    return {
        rules.SCOPE: scope.value,
        _KEYS: public.fingerprint,
        _VOUCH: "yes" if vouch else "no",
    }


def _check_fits(scope: RecoveryScope, member: StaffMember, team: UUID | None) -> None:
    if not _ROLES[scope] & set(member.roles) or member.team != team:
        raise Invalid(
            "This person's account has not the role or the team for that.",
            code="recovery.beneficiary",
            errors=(FieldError("/beneficiary", "recovery.beneficiary"),),
        )


def _wrong_target() -> Invalid:
    return Invalid(
        "Name the case or the team that is to be opened again; the groups of auditors and of the"
        " DPO need no id.",
        code="recovery.object",
        errors=(FieldError("/object_id", "recovery.object"),),
    )
