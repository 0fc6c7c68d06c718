"""Making a backup of the data store: copy, trial restore, seal, and say so on the log.

Acts as the service and opens no content. Any number of backups, of any age: what was erased since
stays closed, because keys are elsewhere. Must never call a copy a backup that was not tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from casevault.errors import Tampered
from casevault.store.context.stores import Stores
from casevault.store.engine import milestones
from casevault.store.engine.database import Database
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.recovery import (
    anchoring,
    capsules,
    data_backups,
    dumps,
    examining,
    media,
    rolling,
)
from casevault.store.recovery.data_backups import Manifest

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the data store is: its address, PostgreSQL's programs, and a place for the trial."""

    url: str
    programs: Path | None = None
    scratch: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made: where it lies and what it says about itself."""

    path: Path
    manifest: Manifest


class Backups:
    """The use case of the operator's nightly backup."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def make(self, source: Source, folder: Path, progress: Progress = lambda _: None) -> Made:
        """Put a verified backup of the present moment into a folder.

        :raises Tampered: the store does not hold what this vault wrote: then there is no backup.
        """
        stores, now = self._stores, self._stores.now()
        with stores.keyring.reading() as tx:
            to = capsules.recipients(stores, tx)
            seen = tx.identity().generation, rolling.standing(tx).rolled
        with (
            stores.ledger.giving(Act("data.backup", SERVICE, rule="permit:operator")),
            dumps.working_folder(source.url) as working,
        ):
            plain = working / "data"
            progress("letting the keyring remember how far every case has come")
            anchoring.raise_all(stores)
            progress("copying the data store")
            dumps.dump(source.url, plain, source.programs)
            progress("restoring the copy for a trial, and looking through it")
            found = self._tried(source, plain)
            form = dumps.form_of(source.url)
            manifest = data_backups.describe(stores.roots, found, form, plain, seen, now)
            progress("sealing it and reading it back")
            path = data_backups.write(folder, manifest, plain, to.backup.public)
            # Whoever finds the backup finds beside it what its custodians can open it with.
            capsules.write_backup_key(stores, folder / media.BACKUP_KEY, to)
        with stores.keyring.writing() as tx:
            milestones.note(tx, milestones.BACKUP, now)
        return Made(path, manifest)

    def _tried(self, source: Source, plain: Path) -> examining.Examined:
        with dumps.scratch(source.url, source.scratch) as url:
            dumps.load(plain, dumps.form_of(url), url, source.programs)
            database = Database(url, 1)
            try:
                found = examining.examine(database, self._stores)
            finally:
                database.close()
        if found.organisation != self._stores.organisation:
            raise Tampered(code="backup")
        return found
