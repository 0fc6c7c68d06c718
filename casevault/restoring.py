"""A data store that comes from a backup: bringing it back beside the keyring that is there.

Beside `founding`: how a vault begins, and how it begins again. The keyring and the keys folder are
those of this machine; where they are gone too, see `rebuilding`. Decides nothing that the stores do
not; puts them together while there is no data store to open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from casevault import bootstrap, host
from casevault.clock import SystemClock, unix_seconds
from casevault.config import Settings
from casevault.crypto.recovery import Share
from casevault.crypto.roots import NO_KEY, RootsKey, open_roots
from casevault.services.recovery.settling import Settling
from casevault.store.context.caller import Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import migrate, schema
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.keys.trust import Trust
from casevault.store.log.checkpoints import signed_size
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.recovery import capsules, data_backups, dumps, recovering, restoring
from casevault.store.recovery.data_backups import Manifest

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restore:
    """A backup, the sealed copy of the backup key beside it, and the shares that open that."""

    backup: Path
    backup_key: Path
    shares: Sequence[Share] = field(repr=False)
    # Move a SQLite store that is there out of the way, instead of refusing.
    set_aside: bool = False


def settling(settings: Settings, stores: Stores) -> Settling:
    """Return the use cases of a restored data store, with what the log's signer remembers."""
    gate = Gate(stores, settings.minimum_assurance)
    signed = signed_size(settings.keys_dir, settings.ledger_origin, stores.roots)
    return Settling(stores, gate, signed)


def restore(
    settings: Settings, wanted: Restore, progress: Progress, key: RootsKey = NO_KEY
) -> Manifest:
    """Bring a backup back; what it is to be compared with is the keyring of this machine.

    :raises Misconfigured: another vault's, or made beside a newer keyring; the data store is not
        empty.
    :raises Tampered: the backup is not whole, or this vault did not make it.
    :raises Invalid: the shares are not those that hold now.
    """
    now = unix_seconds(SystemClock().now())
    with _keyring(settings, key) as (keyring, trust):
        with wanted.backup.open("rb") as file:
            restoring.require_own(data_backups.read_manifest(file), keyring)
        recovery = recovering.recovered(keyring, trust, list(wanted.shares)).holder.secret
        with wanted.backup_key.open("rb") as file:
            backup = capsules.open_backup_key(file, recovery)
        url = place_of(settings)
        with dumps.working_folder(url) as working:
            progress("opening the backup")
            plain = working / "data"
            with wanted.backup.open("rb") as file:
                manifest = restoring.open_backup(file, backup, keyring.roots, plain)
            if wanted.set_aside and (moved := dumps.set_aside(url, now)) is not None:
                progress(f"the data store that was there is now {moved}")
            progress("restoring")
            programs = settings.postgres_programs
            restoring.place(keyring, plain, manifest, url, programs, now)
    finish(settings, manifest, progress, key)
    return manifest


def finish(
    settings: Settings, manifest: Manifest, progress: Progress, key: RootsKey = NO_KEY
) -> None:
    """Bring a restored store to this version's schema, and say on its log where it came from."""
    progress("schema and access rights")
    database = Database(place_of(settings), 1)
    try:
        migrate.upgrade(database, "data", settings.data_url)
    finally:
        database.close()
    stores = bootstrap.open_stores(settings, key=key, unsettled=True)
    try:
        links = (("backup", manifest.id.hex), ("made", str(manifest.made_at)))
        stores.ledger.record(Act("system.restore", SERVICE, rule="permit:quorum", links=links))
    finally:
        stores.close()


def place_of(settings: Settings) -> str:
    """Return the address under which the data store is made: as the role that owns its tables."""
    return settings.data_migrator_url or settings.data_url


@contextmanager
def _keyring(settings: Settings, key: RootsKey) -> Iterator[tuple[Keyring, Trust]]:
    """Give the keyring of this machine, checked, without opening a data store."""
    organisation, root = host.ids_of(settings)
    database = Database(settings.keyring_url, settings.threads)
    try:
        schema.require_head(database, "keyring")
        keyring = Keyring(database, open_roots(bootstrap.roots_place(settings), key), organisation)
        trust = Trust(root, SystemClock())
        with keyring.reading() as tx:
            trust.check_root(tx)
        yield keyring, trust
    finally:
        database.close()
