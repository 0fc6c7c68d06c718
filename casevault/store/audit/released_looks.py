"""The list of who looked at a case, as an auditor released it: erased with the case.

It is found by a keyed digest of what it is about, so that no column tells whose it is. Needs no key
of anybody. Must only be called for what the keyring has a tombstone of.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, delete

from casevault.crypto.roots import RootProvider
from casevault.domain.staff.granting import ObjectKind
from casevault.store.audit import audit_records
from casevault.store.audit.audit_records import LOOKS
from casevault.store.engine import tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants


def ids_of(roots: RootProvider, cases: Iterable[UUID]) -> list[UUID]:
    """Return every id that the lists of these cases may have: one for each service key there is."""
    versions = roots.service_versions()
    return [
        audit_records.id_of(roots, LOOKS, str(case), version=version)
        for case in cases
        for version in versions
    ]


def forget(tx: KeyringTransaction, cases: Iterable[UUID]) -> None:
    """Delete the keys of these cases' lists: the keyring's half of an erasure."""
    grants.take_object(tx, ObjectKind.EXTRACT, ids_of(tx.roots, cases))


def remove(connection: Connection, roots: RootProvider, cases: Iterable[UUID]) -> None:
    """Delete the lists themselves."""
    table, ids = tables.audit_record, ids_of(roots, cases)
    connection.execute(delete(table).where(table.c.kind == LOOKS, table.c.id.in_(ids)))
