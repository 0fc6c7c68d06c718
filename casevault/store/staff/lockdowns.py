"""The vault is shut: rows of the keyring that say who shut it, and who opened it again.

While the first kind is there, nobody signs in and nothing serves the vault, after a restart too.
The second kind stays: both signed statements of those who ended a lockdown. Must never be removed
by anything but `open_again`.
"""

from __future__ import annotations

from uuid import UUID

from casevault.crypto import approvals as crypto_approvals
from casevault.crypto import canonical
from casevault.crypto.approvals import Approval
from casevault.crypto.canonical import Reader
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.approvals import ApprovedAct, Decision
from casevault.errors import Conflict, Locked, Misconfigured, Refused
from casevault.ids import new_id
from casevault.store.context.caller import Caller
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys.trust import Trust

SHUT, OPENED = "shut", "opened"


def is_shut(tx: KeyringTransaction) -> bool:
    """Say whether the vault is locked down."""
    return bool(tx.lookups(tables.lockdown, kind=SHUT))


def locked() -> Locked:
    """Return what people are told who sign in to a vault that is shut."""
    return Locked(
        "The vault is locked down. Nobody can sign in.",
        code="lockdown",
        hint="Two of supervisor, DPO and administrator end it with `casevault lockdown --end`.",
    )


def require_open(tx: KeyringTransaction) -> None:
    """Refuse to serve a vault that is shut."""
    if is_shut(tx):
        raise Misconfigured(
            "The vault is locked down, so nothing serves it. Two of supervisor, DPO and"
            " administrator end that on this machine: `casevault lockdown --end`.",
            code="lockdown",
        )


def shut(tx: KeyringTransaction, lockdown: UUID, staff: UUID, now: int) -> bool:
    """Shut the vault; say whether it was open."""
    if is_shut(tx):
        return False
    tx.add(tables.lockdown, canonical.encode(staff, now), id=lockdown, kind=SHUT)
    return True


def shut_by(tx: KeyringTransaction) -> tuple[UUID, UUID, int]:
    """Return the lockdown's id, who began it and when; none is a `Conflict`."""
    rows = tx.find(tables.lockdown, kind=SHUT)
    if not rows:
        raise Conflict("The vault is not locked down.", code="lockdown.none")
    reader = Reader.of(rows[0].content)
    return rows[0].lookup["id"], reader.uuid(), reader.number()


def agreed(
    tx: KeyringTransaction, trust: Trust, first: Caller, second: Caller, now: int
) -> Approval:
    """Return the statements of two people that this lockdown ends, each with their own key.

    :raises Refused: it is one person twice, or somebody whose word does not count.
    """
    lockdown, _, _ = shut_by(tx)
    act = ApprovedAct.LOCKDOWN_END
    wish = rules.wish(new_id(), act, lockdown, first.staff, now)
    for caller in (first, second):
        scopes = [scope for scope in trust.scopes(tx, caller.staff) if scope.kind == "staff"]
        counts = any(rules.POLICIES[act].approvers & set(scope.roles) for scope in scopes)
        if not counts or (caller is second and first.staff == second.staff):
            raise Refused(
                "It takes two different people who are supervisor, DPO or administrator.",
                code="lockdown.people",
            )
    asked, approved = (
        crypto_approvals.state(
            tx.organisation, wish, decision, caller.staff, caller.keys.secret, now
        )
        for caller, decision in ((first, Decision.ASKED), (second, Decision.APPROVED))
    )
    return Approval(wish, asked, (approved,))


def open_again(tx: KeyringTransaction, statements: Approval) -> None:
    """Keep who opened the vault again, and remove what shuts it."""
    wish = statements.wish
    if tx.remove(tables.lockdown, id=wish.object_id, kind=SHUT) != 1:
        raise Conflict("The vault is not locked down.", code="lockdown.none")
    tx.add(tables.lockdown, statements.encode(), id=wish.id, kind=OPENED)


def opened(tx: KeyringTransaction) -> list[Approval]:
    """Return the statements of everybody who ever opened the vault again."""
    return [Approval.decode(row.content) for row in tx.find(tables.lockdown, kind=OPENED)]
