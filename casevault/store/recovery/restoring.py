"""Bringing a backup back: which one may be, what is noted first, and where the old store goes.

The keyring may not be older than the data, so a backup that saw a newer one is refused. Must never
write over a data store, and never let a restored one be served before it is settled: that it must
be is noted in the keyring before the first byte of it is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from sqlalchemy import update

from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.roots import RootProvider
from casevault.errors import Misconfigured
from casevault.store.engine import keyring_tables, milestones, schema
from casevault.store.engine.keyring import Keyring
from casevault.store.recovery import data_backups, dumps
from casevault.store.recovery.data_backups import Manifest


def require_own(manifest: Manifest, keyring: Keyring) -> None:
    """Refuse the backup of another vault, and one that has seen a newer keyring than this."""
    with keyring.reading() as tx:
        generation = tx.identity().generation
    if (manifest.organisation, manifest.keyring_id) != (
        keyring.organisation,
        keyring.roots.keyring_id,
    ):
        raise Misconfigured(
            "This backup is of another vault than the keyring and the keys folder.",
            code="restore.foreign",
        )
    require_known(manifest)
    if generation < manifest.generation:
        raise Misconfigured(
            "This backup was made beside a newer keyring than the one that is here: keys destroyed"
            " since would come back. Restore the newest keyring backup.",
            code="identity.older",
        )


def require_known(manifest: Manifest) -> None:
    """Refuse a backup that a newer version of the program made."""
    if not schema.is_known("data", manifest.schema):
        raise Misconfigured(
            f"This backup was made by CaseVault {manifest.program}, which is newer than this one."
            " Install that version and restore with it.",
            code="restore.schema",
        )


def open_backup(
    source: BinaryIO, backup: PrincipalSecret, roots: RootProvider, target: Path
) -> Manifest:
    """Open a backup into a new file; what this vault did not make is `Tampered`."""
    manifest = data_backups.extract(source, backup, target)
    manifest.check(roots)
    return manifest


def place(
    keyring: Keyring, plain: Path, manifest: Manifest, url: str, programs: Path | None, now: int
) -> None:
    """Make the empty data store from an opened backup; it is to be settled from now on."""
    dumps.require_empty(url)
    mark(keyring, now)
    dumps.load(plain, manifest.form, url, programs)


def mark(keyring: Keyring, now: int) -> None:
    """Note that the data store is one that came back: nothing serves it before it is settled."""
    with keyring.writing() as tx:
        milestones.note(tx, milestones.UNSETTLED, now)


def raise_generation(keyring: Keyring, above: int) -> None:
    """Let the keyring be newer than anything that was seen: other copies of it are refused."""
    table = keyring_tables.keyring_identity
    with keyring.database.writing() as connection:
        connection.execute(
            update(table).where(table.c.generation <= above).values(generation=above + 1)
        )
