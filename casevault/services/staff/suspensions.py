"""Shutting one person out for now: one administrator, at once, and nothing is lost by it.

Sessions end, no sign-in succeeds, and every case that the person could open is due for new keys,
so that who copied a key cannot read what is written from then on. Grants and vouches stay: whoever
comes back goes on where they were. Leaving is another act.
"""

from __future__ import annotations

from uuid import UUID

from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import ObjectKind
from casevault.store.casework import rekeying
from casevault.store.context import intents
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people
from casevault.store.log.ledger import Act, Touched


class Suspensions:
    """The use cases of suspending a colleague."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def suspend(self, caller: Caller, staff: UUID) -> int:
        """Shut a colleague out now; return how many cases are due for new keys by it.

        Doing it again does no harm, and marks what they could open meanwhile.
        """
        stores, touched = self._stores, self._permitted(caller, staff)
        with stores.keyring.reading() as tx:
            people.known_staff(tx, staff)
            groups = grants.objects_of(tx, ObjectKind.GROUP, [staff])
            cases = sorted(grants.objects_of(tx, ObjectKind.CASE, [staff, *groups]))
        marked: list[UUID] = []

        def shut_out(tx: KeyringTransaction) -> None:
            people.change_staff(tx, staff, suspended=True)
            people.end_sessions(tx, staff)
            rekeying.owe(tx, cases, stores.now())

        act = Act("staff.suspend", caller.on_ledger, rule="permit:role", touched=touched)
        intents.taking(stores, act, shut_out, rekeying.marking(stores, cases, marked))
        rekeying.paid(stores, cases)
        return len(marked)

    def resume(self, caller: Caller, staff: UUID) -> None:
        """Let a colleague sign in again; recorded first, because it gives power."""
        stores, touched = self._stores, self._permitted(caller, staff)
        act = Act("staff.resume", caller.on_ledger, rule="permit:role", touched=touched)
        with stores.keyring.reading() as tx:
            people.known_staff(tx, staff)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            people.change_staff(tx, staff, suspended=False)

    def _permitted(self, caller: Caller, staff: UUID) -> tuple[Touched, ...]:
        touched = (Touched("staff", staff),)
        subject = Subject("staff", self_act=staff == caller.staff)
        self._gate.require(caller, Permission.STAFF_SUSPEND, subject, touched)
        return touched
