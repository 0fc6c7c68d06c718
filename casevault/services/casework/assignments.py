"""Who can open a case: explaining it, listing the holders, assigning it, taking it away.

Assigning is granting; the entry comes before the grant, because a grant gives power. Revoking
gives the case new keys; the keyring comes before the entry, because that takes power away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from casevault.crypto.grants import GrantTerms
from casevault.domain.case.casefile import Compartment
from casevault.domain.staff.access import Permission
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import NotFound
from casevault.store.case import case_keys
from casevault.store.casework import handing, rekeying
from casevault.store.casework.held import Desk
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.keys import grants, principals
from casevault.store.keys.keyholder import OpenedKey
from casevault.store.log.ledger import Act, Touched


@dataclass(frozen=True, slots=True)
class Explained:
    """Whether the caller can open a compartment, through what, and until when."""

    compartment: str
    is_open: bool
    rule: str
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who holds a grant on the case. Times are Unix seconds."""

    principal: UUID
    kind: str
    compartments: tuple[str, ...]
    granted_by: UUID
    issued_at: int
    expires_at: int | None


class Assignments:
    """Grants on one case, seen and given."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)

    def explain_access(self, caller: Caller, case_id: UUID) -> list[Explained]:
        """Say for each compartment whether the caller can open it, and why."""
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_ACCESS)
        self._stores.ledger.record(
            Act(
                "case.access",
                caller.on_ledger,
                rule="permit:caseload",
                touched=(Touched("case", case_id),),
            )
        )
        return [
            _explain(name, held.keys.get(name)) for name in sorted(c.value for c in Compartment)
        ]

    def holders(self, caller: Caller, case_id: UUID) -> list[Holder]:
        """Say who holds a grant on a case, to somebody who holds one."""
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_ACCESS)
        with stores.keyring.reading() as tx:
            found = grants.of_object(tx, held.target)
            rows = principals.principals(tx, [grant.terms.grantee for grant in found])
            for grant in found:
                stores.trust.check_grant(tx, grant)
        kinds = {row.id: row.kind.value for row in rows}
        stores.ledger.record(
            Act(
                "case.access",
                caller.on_ledger,
                rule="permit:caseload",
                touched=(Touched("case", case_id),),
                count=len(found),
            )
        )
        return [_holder(grant.terms, kinds) for grant in found]

    def assign(
        self,
        caller: Caller,
        case_id: UUID,
        staff: UUID,
        compartments: frozenset[str],
        expires_at: int | None = None,
    ) -> None:
        """Assigning is granting: the entry comes first, then the grant."""
        rekeying.tried_twice(lambda: self._assign(caller, case_id, staff, compartments, expires_at))

    def revoke(self, caller: Caller, case_id: UUID, staff: UUID) -> tuple[str, ...]:
        """Take a person's own grants away and give the case new keys.

        Return through which groups they still open it: who supervises the team does.
        """
        return rekeying.tried_twice(lambda: self._revoke(caller, case_id, staff))

    def _revoke(self, caller: Caller, case_id: UUID, staff: UUID) -> tuple[str, ...]:
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_REVOKE)
            with self._desk.recording_failure(caller, case_id):
                manifests = {name: held.manifest(connection, name) for name in held.versions}
        with self._desk.recording_failure(caller, case_id), stores.keyring.reading() as tx:
            row = principals.principal(tx, staff)
            own = grants.of_object(tx, held.target, [staff])
            if row is None or row.kind is not PrincipalKind.STAFF or not own:
                raise NotFound("This person holds no grant of their own.", code="grant")
            through = grants.objects_of(tx, ObjectKind.GROUP, [staff])
            through &= grants.holders_of(tx, case_id)
            still = principals.principals(tx, sorted(through))
        act = Act(
            "case.revoke",
            caller.on_ledger,
            rule="permit:team",
            touched=(Touched("case", case_id), Touched("staff", staff)),
        )
        with self._desk.recording_failure(caller, case_id):
            rekeying.renew(stores, caller, held, manifests, without=staff, act=act)
        return tuple(sorted(row.kind.value for row in still))

    def _assign(
        self,
        caller: Caller,
        case_id: UUID,
        staff: UUID,
        compartments: frozenset[str],
        expires_at: int | None,
    ) -> None:
        stores = self._stores
        touched = (Touched("case", case_id), Touched("staff", staff))
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_ASSIGN)
            with self._desk.recording_failure(caller, case_id):
                keys = {name: held.newest_key(name) for name in sorted(compartments)}
                manifests = {name: held.manifest(connection, name) for name in keys}
                if Compartment.NARRATIVE.value in held.keys:
                    handing.check_not_refused(held, connection, staff)
                with stores.keyring.reading() as tx:
                    grantee = handing.member(stores, tx, held.case.team, staff)
        act = Act(
            "case.assign",
            caller.on_ledger,
            rule="permit:team",
            touched=touched,
            fields=tuple(sorted(compartments)),
        )
        # Signed before the write lock is taken, as a new case's are.
        issued = grants.issue(
            stores.organisation,
            held.target,
            keys,
            caller.keys.granter,
            [(grantee, frozenset(keys))],
            purpose="assignment",
            issued_at=stores.now(),
            expires_at=expires_at,
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = rekeying.check_newest(tx, held)
            grants.take(tx, held.target, staff)
            grants.keep(tx, [issued])
            for name, manifest in manifests.items():
                case_keys.raise_anchor(tx, present[name].newest, manifest)


def _explain(compartment: str, opened: OpenedKey | None) -> Explained:
    if opened is None:
        return Explained(compartment, False, "deny:no-grant", None)
    if opened.purpose == grants.BREAK_GLASS:
        return Explained(compartment, True, "permit:break-glass", opened.expires_at)
    own = opened.through is PrincipalKind.STAFF
    rule = "permit:own-grant" if own else f"permit:{opened.through.value}"
    return Explained(compartment, True, rule, opened.expires_at)


def _holder(terms: GrantTerms, kinds: Mapping[UUID, str]) -> Holder:
    return Holder(
        terms.grantee,
        kinds.get(terms.grantee, "unknown"),
        tuple(sorted(c.compartment for c in terms.carried)),
        terms.granter,
        terms.issued_at,
        terms.expires_at,
    )
