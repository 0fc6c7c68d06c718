"""Expired grants: deleted without a key, and their cases marked for new keys.

An expired grant opens nothing from its last second on; this only tidies up. Whoever had copied
the key keeps what was written under it, so the next session that holds the whole case gives it
new keys before it writes.
"""

from __future__ import annotations

from casevault.domain.staff.granting import ObjectKind
from casevault.store.casework import rekeying
from casevault.store.context.stores import Stores
from casevault.store.keys import grants
from casevault.store.keys.grants import Object
from casevault.store.log.ledger import SERVICE, Act, Touched
from casevault.store.log.unit_of_work import unit_of_work


def sweep(stores: Stores) -> tuple[int, int]:
    """Delete expired grants; return how many, and how many cases are newly due for new keys."""
    now = stores.now()
    with stores.keyring.reading() as tx:
        found = grants.expired(tx, now)
    removed = marked = 0
    for target, count in found.items():
        # First the mark: if this is cut off in between, the next run finds the grant again.
        marked += _mark(stores, target, count)
        with stores.keyring.writing() as tx:
            removed += grants.take_expired(tx, target.id, now)
    return removed, marked


def _mark(stores: Stores, target: Object, count: int) -> bool:
    touched = (Touched(target.kind.value, target.id),)
    act = Act("key.expire", SERVICE, rule="permit:expiry", touched=touched, count=count)
    with unit_of_work(stores.data, stores.ledger) as uow:
        is_case = target.kind is ObjectKind.CASE
        is_new = is_case and rekeying.mark_due(stores, uow.connection, target.id)
        uow.record(act)
        uow.commit()
    return is_new
