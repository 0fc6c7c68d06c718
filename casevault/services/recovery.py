"""Recovery: what nobody can open any more is granted anew to one named person.

Takes two people in their sessions and k custodians with their shares on paper. What is asked for
is exactly one case or one group for one person, and only that is given. Must never let a share or
what is made of it leave the memory of the one process that recovers.
"""

from __future__ import annotations

from uuid import UUID

from casevault.crypto.principals import PublicKeys
from casevault.domain import approvals as rules
from casevault.domain.access import Permission, Role, Subject
from casevault.domain.approvals import ApprovedAct, RecoveryScope, Wish
from casevault.domain.granting import PrincipalKind
from casevault.errors import Conflict, FieldError, Invalid, NotFound
from casevault.ids import new_id
from casevault.store import approvals, cases, people, principals
from casevault.store.caller import Caller, Gate
from casevault.store.keyring import KeyringTransaction
from casevault.store.ledger import Act, Touched
from casevault.store.people import StaffMember
from casevault.store.stores import Stores

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
            parameters={
                rules.SCOPE: scope.value,
                _KEYS: public.fingerprint,
                _VOUCH: "yes" if vouch else "no",
            },
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

    def _target(
        self, tx: KeyringTransaction, scope: RecoveryScope, object_id: UUID | None
    ) -> tuple[UUID, UUID | None]:
        """Return the id of what is to be opened, and its team."""
        if scope in _WIDE:
            if object_id is not None:
                raise _wrong_target()
            (group,) = principals.groups(tx, _WIDE[scope])
            return group.id, None
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
