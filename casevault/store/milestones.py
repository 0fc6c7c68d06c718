"""When something last happened that people are to be reminded of. Says nothing about anybody."""

from __future__ import annotations

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.store import keyring_tables as tables
from casevault.store.keyring import KeyringTransaction

DRILL = "drill"


def note(tx: KeyringTransaction, kind: str, at: int) -> None:
    """Remember when (Unix seconds) something happened, instead of the time before."""
    tx.remove(tables.milestone, kind=kind)
    tx.add(tables.milestone, canonical.encode(at), kind=kind)


def last(tx: KeyringTransaction, kind: str) -> int | None:
    """Return when something last happened (Unix seconds), or None."""
    row = tx.one(tables.milestone, kind=kind)
    return None if row is None else Reader.of(row.content).number()
