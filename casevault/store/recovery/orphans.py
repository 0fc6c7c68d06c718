"""Keys of cases that were never born: their data was not committed, so nothing can need them.

Whoever opens a case writes its keys first. If that is all they managed to, the keys go after a day,
under the case's lock. Keys from before the data store was put back from a backup stay: their case
may be in a newer backup. Must never take what has a row, or had one.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from casevault.domain.staff.granting import ObjectKind
from casevault.errors import Conflict
from casevault.store.case import case_keys
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine import milestones
from casevault.store.engine import tables as data_tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants
from casevault.store.keys.grants import Object
from casevault.store.log.ledger import SERVICE, Act

AFTER_SECONDS = 24 * 3600


def sweep(stores: Stores) -> int:
    """Delete the keys of cases that were never born a day ago; return of how many."""
    # First the keyring: what is born in between has its row when the data is read.
    with stores.keyring.reading() as tx:
        keyed = tx.values(tables.case_key, "case_id", compartment="facts", version=1)
    gone = sum(_take(stores, case) for case in sorted(keyed - _born(stores)))
    if gone:
        stores.ledger.record(Act("key.orphan", SERVICE, rule="permit:orphan", count=gone))
    return gone


def _born(stores: Stores) -> set[UUID]:
    with stores.data.reading() as connection:
        return set(connection.execute(select(data_tables.case_file.c.id)).scalars())


def _take(stores: Stores, case: UUID) -> bool:
    before = stores.now() - AFTER_SECONDS
    with stores.keyring.writing() as tx:
        try:
            case_keys.locked(tx, case)
        except Conflict:
            return False
        if not _is_orphan(tx, case, before) or _has_row(stores, case):
            return False
        grants.take_object(tx, ObjectKind.CASE, [case])
        tx.remove(tables.case_key, case_id=case)
    return True


def _is_orphan(tx: KeyringTransaction, case: UUID, before: int) -> bool:
    """Say whether every grant is old enough, and younger than the last restored backup."""
    if milestones.last(tx, milestones.UNSETTLED) is not None:
        return False
    after = milestones.last(tx, milestones.SETTLED) or 0
    issued = [one.terms.issued_at for one in grants.of_object(tx, Object(ObjectKind.CASE, case))]
    return bool(issued) and after < min(issued) and max(issued) < before


def _has_row(stores: Stores, case: UUID) -> bool:
    table = data_tables.case_file
    with stores.data.reading() as connection:
        found = connection.execute(select(table.c.id).where(table.c.id == case)).first()
    return found is not None
