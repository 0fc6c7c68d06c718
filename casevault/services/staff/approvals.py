"""What waits for a second person outside of cases, and their signed decision.

The decision is only stored here; whoever carries the act out checks it again at that moment. One
act is carried out by the approval itself: opening a case in an emergency, which only the approver's
session has the keys for.
"""

from __future__ import annotations

from uuid import UUID

from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.approvals import ApprovedAct, Decision, Wish
from casevault.store.casework import breaking, dossiers
from casevault.store.casework.held import Desk
from casevault.store.context import approvals
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched
from casevault.store.pending import carrying


class Approvals:
    """The use cases of approvals."""

    def __init__(self, stores: Stores, gate: Gate, *, break_glass_closed: bool = False) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)
        self._break_glass_closed = break_glass_closed

    def waiting(self, caller: Caller) -> list[Wish]:
        """Return what waits for the caller's word, oldest first."""
        stores = self._stores
        self._gate.require(caller, Permission.APPROVAL_LIST, Subject("approval"))
        with stores.keyring.reading() as tx:
            scopes = stores.trust.scopes(tx, caller.staff)
            found = [
                one.wish
                for one in approvals.all_(tx)
                if rules.fault(one.wish, caller.staff, scopes, stores.now(), one.approved) is None
                and caller.staff not in {statement.person for statement in one.statements}
            ]
        touched = tuple(Touched("approval", wish.id) for wish in found)
        stores.ledger.record(
            Act(
                "approval.list",
                caller.on_ledger,
                rule="permit:role",
                touched=touched,
                count=len(found),
            )
        )
        return found

    def decide(self, caller: Caller, approval_id: UUID, *, approve: bool) -> Wish:
        """Sign and keep the caller's decision about one act; the entry comes first."""
        stores, touched = self._stores, (Touched("approval", approval_id),)
        self._gate.require(caller, Permission.APPROVAL_DECIDE, Subject("approval"), touched)
        decision = Decision.APPROVED if approve else Decision.DECLINED
        with self._gate.denying(caller, Permission.APPROVAL_DECIDE, touched):
            with stores.keyring.reading() as tx:
                found = approvals.find(tx, approval_id)
                approvals.decided(tx, stores.trust, caller, found, decision, stores.now())
            breaks = found.wish.act is ApprovedAct.BREAK_GLASS
            if breaks and approve and self._break_glass_closed:
                raise breaking.closed()
        if breaks and approve:
            breaking.approve(stores, self._desk, caller, found.wish)
            return found.wish
        act = Act(
            "approval.decide",
            caller.on_ledger,
            rule="permit:role",
            touched=(*touched, Touched("object", found.wish.object_id)),
            filters=(found.wish.act.value, decision.value),
        )
        if approve and carrying.is_carried_out(found.wish):
            carrying.carry_out(stores, caller, found.wish, act)
            return found.wish
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            found = approvals.find(tx, approval_id, lock=True)
            decided = approvals.decided(tx, stores.trust, caller, found, decision, stores.now())
            if breaks:
                # Nobody opens it any more, and a reason for nothing need not be kept.
                dossiers.drop(tx, dossiers.find(tx, approval_id, lock=True))
            else:
                approvals.change(tx, decided)
        return found.wish
