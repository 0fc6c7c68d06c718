"""Whether every lockdown that there was is in force, or was ended by two people who signed that.

The row that shuts the vault is only a row: whoever can write the keyring can delete it. What stays
are the statements of those who ended a lockdown, and the access log, which knows each one that was
begun. Reads as far back as the service can open its log (two months). Must never change anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from casevault.crypto import approvals as crypto_approvals
from casevault.crypto.approvals import Approval, Statement
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.approvals import ApprovedAct, Decision
from casevault.errors import Tampered
from casevault.store.audit import ledger_search
from casevault.store.audit.ledger_search import Where
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys.trust import Trust
from casevault.store.log.ledger import pseudonym
from casevault.store.staff import lockdowns

BEGUN = "system.lockdown"
_SUBJECT = "subject"
_NEWEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the vault is shut, and how many lockdowns do not stand as they should.

    `unsigned` were ended by statements that do not hold, `vanished` were begun and are neither in
    force nor ended by anybody.
    """

    is_shut: bool = False
    unsigned: int = 0
    vanished: int = 0


def standing(stores: Stores) -> Standing:
    """Return how the lockdowns of this vault stand."""
    with stores.keyring.reading() as tx:
        is_shut = lockdowns.is_shut(tx)
        known = {lockdowns.shut_by(tx)[0]} if is_shut else set()
        unsigned = 0
        for one in lockdowns.opened(tx):
            if holds(tx, stores.trust, one):
                known.add(one.wish.object_id)
            else:
                unsigned += 1
    return Standing(is_shut, unsigned, _vanished(stores, known))


def holds(tx: KeyringTransaction, trust: Trust, approval: Approval) -> bool:
    """Say whether two different people whose word counted then signed that a lockdown ends."""
    wish = approval.wish
    if wish.act is not ApprovedAct.LOCKDOWN_END or len(approval.statements) != 1:
        return False
    (second,) = approval.statements
    decisions = (approval.asked.decision, second.decision)
    if decisions != (Decision.ASKED, Decision.APPROVED):
        return False
    if approval.asked.person != wish.asker or second.person == wish.asker:
        return False
    return all(_counted(tx, trust, approval, one) for one in (approval.asked, second))


def _counted(
    tx: KeyringTransaction, trust: Trust, approval: Approval, statement: Statement
) -> bool:
    approvers = rules.POLICIES[ApprovedAct.LOCKDOWN_END].approvers
    for believed in trust.ever(tx, statement.person):
        scope = believed.scope
        if believed.public.key_id != statement.key_id or not believed.holds(statement.at):
            continue
        if scope.kind == "staff" and approvers & set(scope.roles):
            try:
                crypto_approvals.check_signature(
                    tx.organisation, approval.wish, statement, believed.public
                )
            except Tampered:
                return False
            return True
    return False


def _vanished(stores: Stores, known: Iterable[UUID]) -> int:
    """Count lockdowns on the log that are none of the known ones."""
    count = 0
    for month in stores.months.kept():
        # Every lockdown names the vault itself, so that the index finds them all.
        vault = pseudonym(month, _SUBJECT, stores.organisation)
        names = {pseudonym(month, _SUBJECT, one) for one in known}
        where = Where((vault,), BEGUN, 0)
        for some in ledger_search.every(stores, month, where, _NEWEST):
            for entry in some:
                found = {e.record for e in entry.body.entities if e.type == "lockdown"}
                count += not found & names
    return count
