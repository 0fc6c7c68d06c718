"""What operators have done to the data store, and how the vault stands. Opens no content."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from casevault.cli.operating import At, Result, Verb
from casevault.domain.recovery.doctor import Standing
from casevault.errors import Invalid
from casevault.services.recovery.backups import Backups, Source
from casevault.store.log import checkpoints
from casevault.store.recovery import data_backups
from casevault.store.recovery.data_backups import Manifest
from casevault.store.recovery.standing import standing


@dataclass(frozen=True, slots=True)
class Nothing:
    """A verb that is told nothing."""


@dataclass(frozen=True, slots=True)
class BackupWish:
    """Into which folder (backup_dir by default); absolute, since the service stands elsewhere."""

    folder: str = ""


def shown(manifest: Manifest) -> dict[str, Any]:
    """Return what a backup says about itself, for people and programs."""
    return {
        "id": str(manifest.id),
        "organisation": str(manifest.organisation),
        "made_at": data_backups.moment(manifest.made_at),
        "form": manifest.form.value,
        "schema": manifest.schema,
        "program": manifest.program,
        "epoch": manifest.epoch,
        "generation": manifest.generation,
        "ledger_size": manifest.ledger_size,
        "bytes": manifest.length,
        "sha256": manifest.digest.hex(),
        "rows": dict(manifest.rows),
    }


def standing_of(told: Result) -> Standing:
    """Return what the verb `STANDING` told."""
    ending = tuple((str(what), int(until)) for what, until in told["ending"])
    return Standing(**told | {"held_alone": tuple(told["held_alone"]), "ending": ending})


def _backup(at: At, wish: BackupWish) -> Result:
    settings = at.settings
    folder = Path(wish.folder) if wish.folder else settings.backup_dir
    if folder is None:
        raise Invalid("Name a folder, or set backup_dir.", code="backup.folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The owner of the tables alone can create a database for the trial.
    scratch = settings.scratch_url or settings.data_migrator_url
    source = Source(settings.data_url, settings.postgres_programs, scratch)
    made = Backups(at.stores).make(source, folder, at.say)
    return {"path": str(made.path), **shown(made.manifest)}


def _standing(at: At, _wish: Nothing) -> Result:
    settings, stores = at.settings, at.stores
    with stores.data.reading() as connection:
        cut = checkpoints.is_cut(
            connection, settings.keys_dir, settings.ledger_origin, stores.roots
        )
    return asdict(replace(standing(stores, settings.epochs_kept), log_cut=cut))


BACKUP = Verb("db.backup", BackupWish, _backup)
STANDING = Verb("doctor.standing", Nothing, _standing)
