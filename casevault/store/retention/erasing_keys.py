"""The keyring half of an erasure: the tombstone goes in and every key out, in one transaction.

Whether something may be erased (holds, two people, the schedule) is decided by who calls. Must
never remove a key without a tombstone, and never needs a key itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from casevault.domain.case.casefile import Compartment
from casevault.domain.staff.granting import ObjectKind
from casevault.store.audit import released_looks
from casevault.store.case import tombstones
from casevault.store.case.tombstones import Erasure
from casevault.store.casework import access_requests, dossiers, matters, rekeying, transferring
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import counting_keys, grants
from casevault.store.search import cards
from casevault.store.sharing import arrivals, collect_pages, exchanges

# What lies in the keyring for a whole case and goes with its last compartment: table, and the
# column with the case. A table of keys that belong to a case is added here.
_OF_CASE = ((tables.case_key, "case_id"), (tables.deadline, "object_id"))
# How many cases one call takes: a statement names each of them.
MOST = 500


def erase(tx: KeyringTransaction, erasures: Sequence[Erasure], now: int) -> None:
    """Erase these cases, or some of their compartments; what is gone already stays as it was said.

    Bring at most `MOST`, each case once. The caller deletes the data next, then records.
    """
    wanted = {erasure.case: erasure for erasure in erasures}
    if len(wanted) != len(erasures) or len(erasures) > MOST:
        raise ValueError("each case once, and not too many at a time")
    ids = sorted(wanted)
    tombstones.lock(tx, ids)
    tombstones.bury(tx, wanted, now)
    for compartments, some in _by_compartments(erasures).items():
        if compartments < tombstones.ALL:
            _take_compartments(tx, some, compartments)
    for team, named in _without_identity(erasures).items():
        cards.forget(tx, team, named)
    without_facts = [e.case for e in erasures if Compartment.FACTS.value in e.compartments]
    counting_keys.forget(tx, without_facts)
    # A letter holds what was taken from any of them, and its answers too; those last, because
    # whoever takes one in at this moment holds its letter.
    collect_pages.forget(tx, ids)
    exchanges.forget(tx, ids)
    arrivals.forget(tx, ids)
    _take_whole(tx, [case for case, stone in tombstones.find(tx, ids).items() if stone.is_whole])


def _by_compartments(erasures: Sequence[Erasure]) -> dict[frozenset[str], list[UUID]]:
    found: dict[frozenset[str], list[UUID]] = defaultdict(list)
    for erasure in erasures:
        found[erasure.compartments].append(erasure.case)
    return found


def _without_identity(erasures: Sequence[Erasure]) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for erasure in erasures:
        # A search card holds what the identity holds, so it goes with it.
        if Compartment.IDENTITY.value in erasure.compartments:
            found[erasure.team].append(erasure.case)
    return found


def _take_compartments(
    tx: KeyringTransaction, of: list[UUID], compartments: frozenset[str]
) -> None:
    names = sorted(compartments)
    held = tx.lookups(tables.grant, object_id=of, object_kind=ObjectKind.CASE.value)
    ids = [row["id"] for row in held]
    for at in range(0, len(ids), MOST):
        tx.remove(tables.grant_key, grant_id=ids[at : at + MOST], compartment=names)
    tx.remove(tables.case_key, case_id=of, compartment=names)


def _take_whole(tx: KeyringTransaction, ids: list[UUID]) -> None:
    if not ids:
        return
    grants.take_object(tx, ObjectKind.CASE, ids)
    released_looks.forget(tx, ids)
    access_requests.forget(tx, ids)
    dossiers.forget(tx, ids)
    matters.forget(tx, ids)
    for table, column in _OF_CASE:
        tx.remove(table, **{column: ids})
    kinds = [rekeying.INTENT, transferring.INTENT]
    tx.remove(tables.intent, kind=kinds, object_id=ids)
