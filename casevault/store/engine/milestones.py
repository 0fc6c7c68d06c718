"""When something last happened that people are to be reminded of. Says nothing about anybody."""

from __future__ import annotations

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction

DRILL = "drill"
# When the copies on the second medium were last replaced; the lowest epoch of the capsule there.
CAPSULE, KEYRING_BACKUP, CAPSULE_FLOOR = "capsule", "keyring-backup", "capsule-floor"
# The epoch to which the last roll that came to its end has rolled.
ROLLED = "rolled"
# A backup of the data store was made, and restored for a trial.
BACKUP = "backup"
# The data store was replaced by a backup, and nobody has settled it yet.
UNSETTLED = "unsettled"
SETTLED = "settled"
# How long the log was signed that two people have said is lost: nobody is told of it again.
LOG_LOST = "log-lost"
# Capsule, keyring backup and a data backup were opened with the shares, and nothing kept.
REHEARSED = "rehearsed"

# Who is counted in which year was decided: a release reserved, or an import let count.
COUNTED = "counted"

# What was due was erased.
RETENTION = "retention"

# A daily entry was written, so that a quiet log gets a checkpoint.
DAY = "day"


def note(tx: KeyringTransaction, kind: str, at: int) -> None:
    """Remember when (Unix seconds) something happened, or up to which number, instead of before."""
    tx.remove(tables.milestone, kind=kind)
    tx.add(tables.milestone, canonical.encode(at), kind=kind)


def forget(tx: KeyringTransaction, kind: str) -> None:
    """Remember no longer that something happened."""
    tx.remove(tables.milestone, kind=kind)


def last(tx: KeyringTransaction, kind: str) -> int | None:
    """Return when something last happened (Unix seconds), or which number was noted, or None."""
    row = tx.one(tables.milestone, kind=kind)
    return None if row is None else Reader.of(row.content).number()
