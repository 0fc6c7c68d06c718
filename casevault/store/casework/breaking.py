"""Breaking the glass: three hours with a case for somebody who holds no grant of it.

Who opens it holds the case: through the team's oversight, having approved, or through its duty
group. The end is in the signed grant, so no sweep and no clock of the dossier can prolong it.
Must never open for somebody whom the survivor has refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from casevault.domain.case.casefile import Compartment
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Permission
from casevault.domain.staff.approvals import ApprovedAct, Decision, Wish
from casevault.errors import KeyUnavailable, Refused, Tampered
from casevault.store.case.held_case import HeldCase
from casevault.store.casework import dossiers, handing, rekeying
from casevault.store.casework.dossiers import Dossier
from casevault.store.casework.held import Desk
from casevault.store.context import approvals
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants
from casevault.store.keys.grants import Grantee
from casevault.store.log.ledger import Act, Touched

COMPARTMENTS = "compartments"


def wish_of(dossier: Dossier) -> Wish:
    """Return what a second person signs: exactly this case, person and compartments."""
    return rules.wish(
        dossier.id,
        ApprovedAct.BREAK_GLASS,
        dossier.case,
        dossier.asker,
        dossier.asked_at,
        team=dossier.team,
        parameters={COMPARTMENTS: " ".join(dossier.compartments)},
    )


def closed() -> Refused:
    """Return what a programme says that does not know this way."""
    return Refused(
        "This programme opens no case in an emergency.",
        code="break-glass.closed",
        hint="Call a supervisor of the team: they can assign the case.",
    )


def approve(stores: Stores, desk: Desk, caller: Caller, wish: Wish) -> None:
    """Sign the approval and open the case to who asked, in one transaction after its entry."""
    rekeying.tried_twice(lambda: _approve(stores, desk, caller, wish))


def open_(
    stores: Stores,
    caller: Caller,
    held: HeldCase,
    dossier: Dossier,
    receiver: Grantee,
    rule: str,
    before: Callable[[KeyringTransaction], Dossier],
) -> Dossier:
    """Record the opening, then give the grant; `before` does what belongs to the same transaction.

    :raises KeyUnavailable: the caller does not hold all of what was asked for.
    """
    keys = {name: held.newest_key(name) for name in dossier.compartments}
    act = Act(
        "breakglass.start",
        caller.on_ledger,
        rule=rule,
        purpose="emergency",
        touched=(
            Touched("case", dossier.case),
            Touched("staff", dossier.asker),
            Touched("break-glass", dossier.id),
        ),
        fields=dossier.compartments,
    )
    now = stores.now()
    with stores.ledger.giving(act), stores.keyring.writing() as tx:
        rekeying.check_newest(tx, held)
        opened = replace(before(tx), opened_by=caller.staff, opened_at=now)
        dossiers.change(tx, opened)
        grants.give(
            tx,
            held.target,
            keys,
            caller.keys.granter,
            [(receiver, frozenset(keys))],
            purpose=grants.BREAK_GLASS,
            issued_at=now,
            expires_at=opened.ends_at,
        )
    return opened


def check_not_refused(desk: Desk, stores: Stores, caller: Caller, held: HeldCase, to: UUID) -> None:
    """Refuse somebody whom the survivor does not want; the caller must hold the narrative."""
    with desk.recording_failure(caller, held.case.id), stores.data.reading() as connection:
        if Compartment.NARRATIVE.value not in held.keys:
            raise KeyUnavailable()
        handing.check_not_refused(held, connection, to)


def _approve(stores: Stores, desk: Desk, caller: Caller, wish: Wish) -> None:
    with stores.data.reading() as connection:
        held = desk.hold(caller, connection, wish.object_id, Permission.CASE_ASSIGN)
    check_not_refused(desk, stores, caller, held, wish.asker)
    with desk.recording_failure(caller, wish.object_id), stores.keyring.reading() as tx:
        dossier = dossiers.find(tx, wish.id)
        if wish_of(dossier) != wish or dossier.team != held.case.team:
            raise Tampered(code="break-glass")
        receiver = handing.member(stores, tx, held.case.team, wish.asker)

    def before(tx: KeyringTransaction) -> Dossier:
        now = stores.now()
        found = approvals.find(tx, wish.id, lock=True)
        decided = approvals.decided(tx, stores.trust, caller, found, Decision.APPROVED, now)
        approvals.change(tx, decided)
        approvals.use(tx, stores.trust, wish, now)
        return dossiers.find(tx, wish.id, lock=True)

    open_(stores, caller, held, dossier, receiver, "permit:approved", before)
