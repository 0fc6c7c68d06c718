"""Restrictions: the DPO freezes a case because the survivor asked, and lifts it once they know.

While one is there, nothing of the case is changed, sent, counted or erased
(`domain.case.restricting` says what goes on and why); whoever holds it still reads it. Must never
open a case.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from casevault.domain.case.restricting import TellingWay
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import FieldError, Invalid
from casevault.store.casework import freezing, holding, matters, showing
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.showing import Shown
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched

_MOST_DAYS = 400


class Restrictions:
    """The use cases of restrictions."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def set_(self, caller: Caller, case: UUID | str, reason: str, review: date) -> Shown:
        """Freeze a case until a DPO lifts it.

        :raises NotFound: there is no such case (any more).
        """
        stores = self._stores
        self._gate.require(caller, Permission.RIGHT_DECIDE, Subject("restriction"))
        self._check_review(review)
        with self._gate.denying(caller, Permission.RIGHT_DECIDE):
            found = holding.find_case(stores, case)
        frozen = freezing.freeze(stores, caller, found, reason, review)
        return Shown(frozen, found.reference, signed=True, text=reason)

    def list_(self, caller: Caller) -> list[Shown]:
        """Return the restrictions: to the DPO all, to supervisors those of their teams."""
        self._gate.require(caller, Permission.RIGHT_LIST, Subject("restriction"))
        return showing.listed(self._stores, caller, Kind.RESTRICTION)

    def lift(self, caller: Caller, restriction: UUID, told: TellingWay) -> None:
        """Let a case be used again, once the survivor was told or could not be reached."""
        stores, touched = self._stores, (Touched("restriction", restriction),)
        self._gate.require(caller, Permission.RIGHT_DECIDE, Subject("restriction"), touched)
        denying = self._gate.denying(caller, Permission.RIGHT_DECIDE, touched)
        with denying, stores.keyring.reading() as tx:
            found = matters.find(tx, restriction, Kind.RESTRICTION)
        act = Act(
            "restriction.lift",
            caller.on_ledger,
            rule="permit:role",
            touched=(*touched, Touched("case", found.case)),
            filters=(told.value,),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            holding.drop(stores, tx, matters.find(tx, restriction, Kind.RESTRICTION, lock=True))
        holding.show(stores, found.case)

    def _check_review(self, day: date) -> None:
        today = self._stores.clock.now().date()
        if not 0 < (day - today).days <= _MOST_DAYS:
            raise Invalid(
                "A restriction is reviewed on a day to come, within 400 days.",
                code="restriction.review",
                errors=(FieldError("/review", "restriction.review"),),
            )
