"""Tombstones: what must never come back, whatever backup is restored."""

from __future__ import annotations

from uuid import UUID

from casevault.store import keyring_tables as tables
from casevault.store.keyring import KeyringTransaction


def cases(tx: KeyringTransaction) -> set[UUID]:
    """Return the ids of all cases that were erased."""
    return {row["object_id"] for row in tx.lookups(tables.tombstone)}
