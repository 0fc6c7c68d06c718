"""A case is frozen: the restriction in the keyring first, then the entry, then the flag that shows.

What takes power: from the end of the keyring's transaction on nothing is written to the case.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from casevault.domain.case.casefile import CaseMetadata
from casevault.ids import new_id
from casevault.store.casework import holding, matters
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.context import intents
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.log.ledger import Act, Touched


def freeze(stores: Stores, caller: Caller, case: CaseMetadata, reason: str, review: date) -> Matter:
    """Freeze a case until a DPO lifts it; return the restriction, signed by the caller."""
    frozen = Matter(
        new_id(),
        Kind.RESTRICTION,
        case.id,
        case.team,
        caller.staff,
        caller.staff,
        stores.now(),
        review.isoformat(),
    )
    frozen = matters.signed(stores.organisation, caller, frozen)

    def write(tx: KeyringTransaction) -> None:
        text = matters.write(stores, tx, caller, frozen, reason)
        holding.add(stores, tx, replace(frozen, text=text))

    touched = (Touched("restriction", frozen.id), Touched("case", case.id))
    act = Act("restriction.set", caller.on_ledger, rule="permit:role", touched=touched)
    intents.taking(stores, act, write)
    holding.show(stores, case.id)
    return frozen
