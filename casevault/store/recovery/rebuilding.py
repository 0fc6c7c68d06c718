"""The three copies from which a dead machine comes back, and whether they belong together.

Root material and keyring prove each other: rows of the keyring open under the capsule's epochs
alone, and its root is the one whose shares opened the capsule. Which copy is the newest no copy can
say of itself; two of different rolls, or data that has seen a later epoch, tell that one is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from casevault.clock import SystemClock
from casevault.crypto import recovery
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.recovery import Share
from casevault.crypto.roots import RootProvider, loaded_roots
from casevault.crypto.sealed_files import FileHeader
from casevault.errors import Invalid, KeyUnavailable, Misconfigured, Tampered
from casevault.store.engine import migrate
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring, sealed_tables
from casevault.store.keys.trust import Trust
from casevault.store.recovery import capsules, data_backups, keyring_backup
from casevault.store.recovery.capsules import Capsule
from casevault.store.recovery.data_backups import Manifest


@dataclass(frozen=True, slots=True)
class Copies:
    """Where the copies are."""

    capsule: Path
    keyring: Path
    data: Path


@dataclass(frozen=True, slots=True)
class Opened:
    """The capsule, opened by the shares, and what the other copies say about themselves."""

    pin: str
    capsule: Capsule = field(repr=False)
    backup: PrincipalSecret = field(repr=False)
    keyring: FileHeader
    data: Manifest

    @property
    def roots(self) -> RootProvider:
        """The root material, in memory."""
        return loaded_roots(self.capsule.roots)

    @property
    def is_older(self) -> bool:
        """Whether the data has seen a roll that came after these copies of the keyring."""
        return self.data.epoch > max(self.roots.epochs())


def opened(copies: Copies, shares: Iterable[Share]) -> Opened:
    """Open the capsule and read what the others say; refuse what does not belong together.

    :raises Invalid: the shares do not fit, or are not those of the vault that made the capsule.
    :raises Misconfigured: the copies are of different vaults or of different rolls.
    """
    seed = recovery.combine([share.text for share in shares])
    secret, root = recovery.recovery_principal(seed), recovery.root_principal(seed).public
    with copies.capsule.open("rb") as file:
        capsule = _capsule(file, secret)
    with copies.keyring.open("rb") as file:
        backup = capsule.backup_key.secret(secret)
        header, _ = capsules.open_keyring(file, backup)
    with copies.data.open("rb") as file:
        manifest = data_backups.read_manifest(file)
    of = (capsule.header.organisation, capsule.header.keyring_id)
    if of != (header.organisation, header.keyring_id):
        raise _foreign("The keyring backup")
    if of != (manifest.organisation, manifest.keyring_id):
        raise _foreign("The data backup")
    if header.generation != capsule.header.generation:
        raise Misconfigured(
            "Capsule and keyring backup were made by different rolls. Take both from one medium,"
            " the one that was written last.",
            code="rebuild.pair",
        )
    return Opened(root.pin, capsule, backup, header, manifest)


def prove_keyring(found: Opened, copies: Copies, url: str, pinned: str) -> int:
    """Load the keyring backup into an empty database and open every row; return how many.

    :raises Misconfigured: its root is neither the pinned one nor one that it signed for.
    :raises Tampered: a row is not whole, lies under an epoch that the capsule does not hold, or
        the root in it is not that of the shares.
    """
    database = Database(url, 1)
    try:
        migrate.upgrade(database, "keyring")
        load_keyring(found, copies, database)
        keyring = Keyring(database, found.roots, found.capsule.header.organisation)
        with keyring.reading() as tx:
            if Trust(pinned, SystemClock()).present_root(tx) != found.pin:
                raise Tampered(code="rebuild.root")
            return sum(len(tx.find(table)) for table in sealed_tables())
    except KeyUnavailable:
        raise Tampered(code="rebuild.epochs") from None
    finally:
        database.close()


def load_keyring(found: Opened, copies: Copies, database: Database) -> None:
    """Put the keyring backup into an empty, migrated database."""
    with copies.keyring.open("rb") as file:
        _, content = capsules.open_keyring(file, found.backup)
        keyring_backup.load(database, content)


def _capsule(file: BinaryIO, secret: PrincipalSecret) -> Capsule:
    try:
        return capsules.open_capsule(file, secret)
    except Tampered:
        raise Invalid(
            "These shares do not open this capsule: they are of another vault or of a set that was"
            " replaced, or the file is damaged. Try the capsule of the other medium.",
            code="rebuild.capsule",
        ) from None


def _foreign(what: str) -> Misconfigured:
    return Misconfigured(f"{what} is of another vault than the capsule.", code="rebuild.foreign")
