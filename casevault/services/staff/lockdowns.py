"""Shutting the vault at once, by one person; opening it again, by two.

A lockdown ends every session, drops the boot secret, and leaves a row because of which nothing
serves the vault, after a reboot too. It is ended on the server itself, by two people who sign that
with their own keys. Must never be ended by anything that comes over the network.
"""

from __future__ import annotations

from collections.abc import Callable

from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Conflict, FieldError, Invalid
from casevault.ids import new_id
from casevault.store.context import intents
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people
from casevault.store.log.ledger import Act, Touched
from casevault.store.staff import lockdowns


class Lockdowns:
    """The use cases of the worst day."""

    def __init__(
        self, stores: Stores, gate: Gate, organisation_name: str, drop: Callable[[], None]
    ) -> None:
        self._stores = stores
        self._gate = gate
        self._name = organisation_name
        self._drop = drop

    def is_shut(self) -> bool:
        """Say whether the vault is locked down at this moment."""
        with self._stores.keyring.reading() as tx:
            return lockdowns.is_shut(tx)

    def begin(self, caller: Caller, confirmation: str) -> None:
        """Shut the vault for everybody, the caller included; first it happens, then it is recorded.

        :raises Invalid: what was typed to confirm it is not the organisation's name.
        :raises Conflict: it is shut already.
        """
        self._gate.require(caller, Permission.LOCKDOWN_BEGIN, Subject("vault"))
        if " ".join(confirmation.split()).casefold() != " ".join(self._name.split()).casefold():
            self._gate.deny(caller, Permission.LOCKDOWN_BEGIN, "refused:lockdown.confirm")
            raise Invalid(
                "To lock the vault down, type the organisation's name.",
                code="lockdown.confirm",
                errors=(FieldError("/organisation", "lockdown.confirm"),),
            )
        stores, now, lockdown = self._stores, self._stores.now(), new_id()

        def shut(tx: KeyringTransaction) -> None:
            if not lockdowns.shut(tx, lockdown, caller.staff, now):
                raise Conflict("The vault is locked down already.", code="lockdown.again")
            people.end_all_sessions(tx)

        act = Act(
            "system.lockdown",
            caller.on_ledger,
            rule="permit:role",
            # The vault is named so that every lockdown is found again: casevault doctor does.
            touched=(
                Touched("staff", caller.staff),
                Touched("vault", stores.organisation),
                Touched("lockdown", lockdown),
            ),
        )
        intents.taking(stores, act, shut)
        self._drop()

    def end(self, first: Caller, second: Caller) -> None:
        """Open the vault again: both statements are kept, and recorded before it opens.

        :raises Refused: it is one person twice, or somebody whose word does not count.
        :raises Conflict: it is not shut.
        """
        stores = self._stores
        act = Act(
            "system.lockdown_end",
            first.on_ledger,
            rule="permit:two-people",
            touched=(Touched("staff", first.staff), Touched("staff", second.staff)),
        )
        with stores.keyring.reading() as tx:
            statements = lockdowns.agreed(tx, stores.trust, first, second, stores.now())
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            lockdowns.open_again(tx, statements)
