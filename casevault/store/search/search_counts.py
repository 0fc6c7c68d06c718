"""How often somebody searched this hour, on all workers together.

A person looks for people a few times an hour; whoever tries names one after the other is found by
the number alone, and stopped. Must never keep what was asked.
"""

from __future__ import annotations

from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.errors import Conflict
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables

_HOUR = 3600


def take(stores: Stores, staff: UUID) -> int:
    """Count one search, before it is made; return the how manieth of the hour it is."""
    try:
        return _add(stores, staff)
    except Conflict:
        # Two first ones at once: the row is there now.
        return _add(stores, staff)


def _add(stores: Stores, staff: UUID) -> int:
    hour = stores.now() // _HOUR
    with stores.keyring.writing() as tx:
        row = tx.one(tables.search_count, lock=True, staff_id=staff)
        if row is None:
            tx.add(tables.search_count, canonical.encode(hour, 1), staff_id=staff)
            return 1
        reader = Reader.of(row.content)
        before, count = reader.number(), reader.number()
        count = count + 1 if before == hour else 1
        tx.replace(tables.search_count, canonical.encode(hour, count), staff_id=staff)
        return count
