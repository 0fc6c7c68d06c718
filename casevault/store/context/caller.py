"""Who is calling: the person, their powers as vouched, and the keys they can open.

Also the gate through which every use case goes. The gate is not what protects a case (the keys
are); it gives the answer a name, and puts the refusal on the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from casevault.domain.recovery.room import has_room
from casevault.domain.staff import access
from casevault.domain.staff.access import Decision, Permission, Subject
from casevault.errors import CaseVaultError, NotFound, Refused
from casevault.ids import StaffId
from casevault.store.context.stores import Stores
from casevault.store.engine.idempotency import Repeat
from casevault.store.engine.space import Space, refused
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.log import ledger
from casevault.store.log.ledger import Act, Touched


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in person during one request."""

    actor: access.Actor
    keys: KeyHolder = field(repr=False)
    session: UUID
    request: str | None = None
    # What they sent under an Idempotency-Key, if they did.
    repeat: Repeat | None = field(default=None, repr=False)

    @property
    def staff(self) -> StaffId:
        """The person's id."""
        return self.actor.staff_id

    @property
    def on_ledger(self) -> ledger.Actor:
        """The person as the ledger keeps them."""
        return ledger.Actor(
            staff=self.staff,
            roles=tuple(sorted(self.actor.roles)),
            session=self.session,
            assurance=self.actor.assurance,
            request=self.request,
            broken=self.keys.broken,
        )


class Gate:
    """Asks `domain.staff.access` and records what it refuses."""

    def __init__(self, stores: Stores, minimum_assurance: str, space: Space | None = None) -> None:
        self._stores = stores
        self._minimum = minimum_assurance
        self._space = space or Space(())

    def require(
        self,
        caller: Caller,
        permission: Permission,
        subject: Subject,
        touched: tuple[Touched, ...] = (),
        *,
        hide: bool = False,
    ) -> Decision:
        """Return the decision if it allows; else record the denial and raise.

        `hide` makes a refusal look like a record that does not exist. On a full disk nothing is
        recorded: that is nobody's denial, and would fill it further.
        """
        if not has_room(permission, self._space.room()):
            raise refused()
        decision = access.decide(caller.actor, permission, subject, minimum_assurance=self._minimum)
        if not decision.allowed:
            self.deny(caller, permission, decision.rule, touched)
            # Asked last of all, so of people who may see the record: there is nothing to hide.
            if hide and decision.rule != "deny:step-up":
                raise NotFound()
            if decision.rule == "deny:step-up":
                raise Refused(
                    "This act asks for your passphrase once more.",
                    code="refused.step-up",
                    hint="Confirm it at /v1/auth/step-up, then try again within five minutes.",
                )
            if decision.rule == "deny:assurance":
                raise Refused(
                    "This needs your second factor.",
                    code="refused.assurance",
                    hint="Give its code at /v1/auth/sessions/current/second-factor, or set one up"
                    " at /v1/me/second-factor.",
                )
            raise Refused(
                "Your role does not include this.",
                code="refused." + decision.rule.partition(":")[2],
            )
        return decision

    def allows(self, caller: Caller, permission: Permission, subject: Subject) -> bool:
        """Say what the decision would be; nobody is refused anything, so nothing is recorded."""
        return access.decide(
            caller.actor, permission, subject, minimum_assurance=self._minimum
        ).allowed

    @contextmanager
    def denying(
        self, caller: Caller, permission: Permission, touched: tuple[Touched, ...] = ()
    ) -> Iterator[None]:
        """Record as a denial what somebody who has the permission is told instead of an answer."""
        try:
            yield
        except CaseVaultError as error:
            self.deny(caller, permission, "refused:" + error.code, touched)
            raise

    def deny(
        self,
        caller: Caller,
        permission: Permission,
        rule: str,
        touched: tuple[Touched, ...] = (),
    ) -> None:
        """Record a refusal in a transaction of its own."""
        self._stores.ledger.record(
            Act(
                "authz.deny",
                caller.on_ledger,
                rule=rule,
                outcome=ledger.REFUSED,
                touched=touched,
                filters=(permission.value,),
            )
        )
