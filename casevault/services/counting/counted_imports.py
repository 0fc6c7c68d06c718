"""Imported cases count only when two people say so: a reporter asks, the DPO's word carries it out.

Opens no case and knows no number. Nobody is counted who did not agree to statistics, whatever is
decided here.
"""

from __future__ import annotations

from casevault.domain.importing.counted import Counted
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.approvals import ApprovedAct, Wish
from casevault.ids import new_id
from casevault.store.context import approvals
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.counting import counted_imports, releases
from casevault.store.counting.counted_imports import Decided
from casevault.store.log.ledger import Act, Touched


class CountedImports:
    """The use cases of imports that count."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def ask(self, caller: Caller, wanted: Counted) -> Wish:
        """Ask that all cases taken over on a day count as accepted on another.

        :raises Conflict: it was decided before, or that year or a later one was released.
        """
        stores = self._stores
        self._gate.require(caller, Permission.RELEASE_MAKE, Subject("release"))
        with self._gate.denying(caller, Permission.RELEASE_MAKE), stores.keyring.reading() as tx:
            counted_imports.check_new(tx, wanted)
            wanted.check(stores.clock.now().date(), releases.years(tx))
        wish = rules.wish(
            new_id(),
            ApprovedAct.COUNT_IMPORT,
            wanted.object_id,
            caller.staff,
            stores.now(),
            parameters=wanted.parameters(),
        )
        act = Act(
            "approval.ask",
            caller.on_ledger,
            rule="permit:role",
            touched=(Touched("approval", wish.id),),
            filters=(wish.act.value,),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            approvals.remove_expired(tx, stores.now())
            approvals.add(tx, approvals.asked(stores.organisation, caller, wish))
        return wish

    def list_(self, caller: Caller) -> list[Decided]:
        """Return which imports count, and who decided it."""
        self._gate.require(caller, Permission.RELEASE_READ, Subject("release"))
        with self._stores.keyring.reading() as tx:
            found = counted_imports.all_(tx)
        act = Act("release.list", caller.on_ledger, rule="permit:role", count=len(found))
        self._stores.ledger.record(act)
        return found
