"""The machine is gone: a vault from capsule, keyring backup, data backup and the shares.

Beside `restoring`, for when the keyring and the keys folder are gone too. Everything is opened and
proven before anything is written; what was written by a run that was cut off is gone on with. The
same proof without the writing is the yearly drill.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from casevault import bootstrap, host, restoring
from casevault.clock import SystemClock, unix_seconds
from casevault.config import Settings
from casevault.crypto.recovery import Share
from casevault.crypto.roots import RootProvider, adopt_roots, open_roots
from casevault.errors import Misconfigured, Refused
from casevault.restoring import Progress
from casevault.store.context.stores import Stores
from casevault.store.engine import migrate, milestones
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.log import signing
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.recovery import dumps, identity, rebuilding
from casevault.store.recovery import restoring as placing
from casevault.store.recovery.data_backups import Manifest
from casevault.store.recovery.rebuilding import Copies, Opened


@dataclass(frozen=True, slots=True)
class Proven:
    """What the copies hold: numbers only."""

    keyring_rows: int
    keyring_made_at: int
    epochs: tuple[int, ...]
    data: Manifest


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Copies and shares, and whether a keyring that is not the newest is taken knowingly."""

    copies: Copies
    shares: Sequence[Share] = field(repr=False)
    older_keyring: bool = False


def prove(settings: Settings, wanted: Rebuild, progress: Progress) -> Proven:
    """Open all three copies and look through them, in memory and a scratch place; keep nothing.

    Opens no case: a case takes the key of a person.
    """
    found = _opened(settings, wanted, progress)
    rows = _proven_keyring(settings, found, wanted.copies, progress)
    with dumps.working_folder(settings.data_url) as working:
        progress("opening the data backup")
        manifest = _extracted(found, wanted.copies, working / "data")
    return Proven(rows, found.keyring.made_at, found.roots.epochs(), manifest)


def note_drill(stores: Stores, shares: int) -> None:
    """Remember a drill that ended well."""
    stores.ledger.record(Act("key.drill", SERVICE, rule="permit:quorum", count=shares))
    with stores.keyring.writing() as tx:
        milestones.note(tx, milestones.DRILL, stores.now())
        milestones.note(tx, milestones.REHEARSED, stores.now())


def rebuild(settings: Settings, wanted: Rebuild, progress: Progress) -> Proven:
    """Make the vault again on this machine; it is to be settled before it is served.

    :raises Misconfigured: something is there already, or the copies do not belong together.
    :raises Refused: the data has seen a newer keyring, and nobody said that there is none.
    """
    found = _opened(settings, wanted, progress)
    if found.is_older and not wanted.older_keyring:
        raise Refused(
            "A roll came after this capsule and keyring backup and before the data backup: they are"
            " not the newest. What was erased or revoked since would come back.",
            code="rebuild.older",
            hint="Look for the other medium first. If there is none: --older-keyring.",
        )
    url, now = restoring.place_of(settings), unix_seconds(SystemClock().now())
    dumps.require_empty(url)
    rows = _proven_keyring(settings, found, wanted.copies, progress)
    with dumps.working_folder(url) as working:
        progress("opening the data backup")
        manifest = _extracted(found, wanted.copies, working / "data")
        placing.require_known(manifest)
        progress("root material and keyring")
        roots = _adopted(settings, found)
        if found.capsule.checkpoint is not None:
            signing.remember(settings.keys_dir, found.capsule.checkpoint)
        database = Database(settings.keyring_url, 1)
        try:
            keyring = _loaded(settings, found, wanted.copies, database, roots)
            placing.raise_generation(keyring, max(found.keyring.generation, manifest.generation))
            progress("restoring the data store")
            programs = settings.postgres_programs
            placing.place(keyring, working / "data", manifest, url, programs, now)
        finally:
            database.close()
    restoring.finish(settings, manifest, progress)
    return Proven(rows, found.keyring.made_at, roots.epochs(), manifest)


def _opened(settings: Settings, wanted: Rebuild, progress: Progress) -> Opened:
    organisation, _ = host.ids_of(settings)
    progress("opening the capsule")
    found = rebuilding.opened(wanted.copies, wanted.shares)
    if found.capsule.header.organisation != organisation:
        raise Misconfigured(
            "These copies are of another vault than the configuration file names: organisation_id"
            " is another.",
            code="rebuild.foreign",
        )
    return found


def _proven_keyring(settings: Settings, found: Opened, copies: Copies, progress: Progress) -> int:
    progress("opening every row of the keyring backup")
    # In memory: the keyring's rows leave no copy on a disk where there was none.
    memory, (_, pinned) = host.open_runtime_folder(settings), host.ids_of(settings)
    with tempfile.TemporaryDirectory(prefix="proof-", dir=memory) as folder:
        url = f"sqlite:///{Path(folder) / 'keyring.db'}"
        try:
            return rebuilding.prove_keyring(found, copies, url, pinned)
        except Misconfigured as error:
            raise Misconfigured(
                f"{error.detail} The shares give the root {found.pin}: compare it with the"
                " minutes of the ceremony.",
                code=error.code,
            ) from None


def _extracted(found: Opened, copies: Copies, target: Path) -> Manifest:
    with copies.data.open("rb") as file:
        return placing.open_backup(file, found.backup, found.roots, target)


def _adopted(settings: Settings, found: Opened) -> RootProvider:
    place = bootstrap.roots_place(settings)
    if not place.file.exists():
        return adopt_roots(place.folder, found.capsule.roots)
    roots = open_roots(place)
    if roots.keyring_id != found.capsule.header.keyring_id:
        raise Misconfigured(
            "The keys folder holds the root material of another vault. Name another folder.",
            code="roots.exist",
        )
    return roots


def _loaded(
    settings: Settings, found: Opened, copies: Copies, database: Database, roots: RootProvider
) -> Keyring:
    owner = Database(settings.keyring_migrator_url or settings.keyring_url, 1)
    try:
        migrate.upgrade(owner, "keyring", settings.keyring_url)
    finally:
        owner.close()
    present = identity.keyring_id(database)
    if present is None:
        rebuilding.load_keyring(found, copies, database)
    elif present != roots.keyring_id:
        raise Misconfigured(
            "The keyring store holds another vault. Name an empty one.", code="identity.in-use"
        )
    return Keyring(database, roots, found.capsule.header.organisation)
