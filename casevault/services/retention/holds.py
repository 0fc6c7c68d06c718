"""Legal holds: set and reviewed by the DPO, released by two people.

The reason is sealed to the DPO, the team's oversight and the recovery shares; who set it cannot be
told apart by a row that somebody inserted, because it is signed. Must never open a case.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.approvals import ApprovedAct, Wish
from casevault.errors import FieldError, Invalid, NotFound
from casevault.ids import new_id
from casevault.store.casework import holding, matters, showing
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.casework.showing import Shown
from casevault.store.context import approvals, intents
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people
from casevault.store.log.ledger import Act, Touched

_MOST_DAYS = 400


class Holds:
    """The use cases of legal holds."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def set_(
        self, caller: Caller, case: UUID | str, reason: str, owner: UUID, review: date
    ) -> Shown:
        """Keep a case from every erasure until two people release it.

        :raises NotFound: there is no such case (any more).
        """
        stores = self._stores
        self._gate.require(caller, Permission.HOLD_SET, Subject("hold"))
        self._check_review(review)
        with self._gate.denying(caller, Permission.HOLD_SET):
            found = holding.find_case(stores, case)
            self._check_owner(owner)
        hold = Matter(
            new_id(),
            Kind.HOLD,
            found.id,
            found.team,
            caller.staff,
            owner,
            stores.now(),
            review.isoformat(),
        )
        hold = matters.signed(stores.organisation, caller, hold)
        kept: list[Matter] = []

        def write(tx: KeyringTransaction) -> None:
            sealed = replace(hold, text=matters.write(stores, tx, caller, hold, reason))
            holding.add(stores, tx, sealed)
            kept.append(sealed)

        touched = (Touched("hold", hold.id), Touched("case", found.id))
        act = Act("hold.set", caller.on_ledger, rule="permit:role", touched=touched)
        intents.taking(stores, act, write)
        holding.show(stores, found.id)
        return Shown(kept[0], found.reference, signed=True)

    def list_(self, caller: Caller) -> list[Shown]:
        """Return the holds: to the DPO all, to supervisors those of their teams."""
        self._gate.require(caller, Permission.HOLD_LIST, Subject("hold"))
        return showing.listed(self._stores, caller, Kind.HOLD)

    def review(self, caller: Caller, hold_id: UUID, until: date) -> Shown:
        """Let a hold stand until another day, on which somebody looks again."""
        stores, touched = self._stores, (Touched("hold", hold_id),)
        self._gate.require(caller, Permission.HOLD_SET, Subject("hold"), touched)
        self._check_review(until)
        denying = self._gate.denying(caller, Permission.HOLD_SET, touched)
        with denying, stores.keyring.reading() as tx:
            found = matters.find(tx, hold_id, Kind.HOLD)
        act = Act(
            "hold.set",
            caller.on_ledger,
            rule="permit:role",
            touched=(*touched, Touched("case", found.case)),
            filters=("review",),
        )
        reviewed: list[Matter] = []

        def write(tx: KeyringTransaction) -> None:
            present = matters.find(tx, hold_id, Kind.HOLD, lock=True)
            again = replace(present, due=until.isoformat(), author=caller.staff, at=stores.now())
            signed = matters.signed(stores.organisation, caller, again)
            matters.change(tx, signed)
            holding.watch(tx, signed)
            reviewed.append(signed)

        intents.taking(stores, act, write)
        return Shown(reviewed[0], None, signed=True)

    def ask_release(self, caller: Caller, hold_id: UUID) -> Wish:
        """Ask that a hold ends; a second person's approval ends it."""
        stores, touched = self._stores, (Touched("hold", hold_id),)
        self._gate.require(caller, Permission.HOLD_RELEASE, Subject("hold"), touched)
        denying = self._gate.denying(caller, Permission.HOLD_RELEASE, touched)
        with denying, stores.keyring.reading() as tx:
            hold = matters.find(tx, hold_id, Kind.HOLD)
        wish = rules.wish(
            new_id(),
            ApprovedAct.HOLD_RELEASE,
            hold.id,
            caller.staff,
            stores.now(),
            team=hold.team,
            parameters={"case": str(hold.case)},
        )
        act = Act(
            "approval.ask",
            caller.on_ledger,
            rule="permit:role",
            touched=(Touched("approval", wish.id), *touched, Touched("case", hold.case)),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            approvals.add(tx, approvals.asked(stores.organisation, caller, wish))
        return wish

    def _check_review(self, day: date) -> None:
        today = self._stores.clock.now().date()
        if not 0 < (day - today).days <= _MOST_DAYS:
            raise Invalid(
                "A hold is reviewed on a day to come, within 400 days.",
                code="hold.review",
                errors=(FieldError("/review", "hold.review"),),
            )

    def _check_owner(self, owner: UUID) -> None:
        with self._stores.keyring.reading() as tx:
            if all(member.id != owner for member in people.all_staff(tx)):
                raise NotFound()
