"""``casevault db backup``, ``inspect``, ``restore``, ``rebuild``, ``drill``."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault import host, rebuilding, restoring
from casevault.cli import unlocking
from casevault.cli.ceremony import shares
from casevault.cli.operating import operate
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.cli.recovery.data_verbs import BACKUP, BackupWish, shown
from casevault.config import Settings
from casevault.errors import CaseVaultError, Invalid
from casevault.rebuilding import Proven, Rebuild
from casevault.restoring import Restore
from casevault.store.recovery import data_backups, media
from casevault.store.recovery.data_backups import moment
from casevault.store.recovery.rebuilding import Copies

_SENTENCE = "take the older keyring"
_FILE = typer.Argument(..., help="A backup of the data store (casevault-data-….cv).")
_MediumOption = typer.Option(
    ..., "--medium", help="The folder of the second medium, with capsule and keyring backup."
)


def backup(
    folder: Path | None = typer.Argument(None, help="Where to (default: backup_dir)."),  # noqa: B008
    config: Path | None = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault db backup /mnt/backups

    Back up the data store while it is in use: a copy of one moment, restored for a trial and looked
    through, then sealed to the backup key and read back. Keep as many as you like, for as long as
    you like. The keyring is not in it: `casevault keys roll` copies that. (operator)
    """
    wish = BackupWish() if folder is None else BackupWish(str(folder.resolve()))
    made = operate(settings_from(config), BACKUP, wish)
    if as_json:
        emit(made)
    else:
        print(made["path"])
    say("Verified by a restore. Copy it, with backup-key.cv beside it, to another place.")


def inspect(file: Path = _FILE, as_json: bool = JsonOption) -> None:
    """Example: casevault db inspect casevault-data-20261126T030000Z-1a2b3c4d.cv

    Say what a backup of the data store says about itself; nothing is opened. (offline)
    """
    with file.open("rb") as source:
        said = shown(data_backups.read_manifest(source))
    if as_json:
        emit(said)
        return
    for name, value in said.items():
        if name != "rows":
            print(f"{name}\t{value}")


def restore(
    file: Path = _FILE,
    backup_key: Path | None = typer.Option(  # noqa: B008
        None, "--backup-key-file", help="The sealed backup key (default: backup-key.cv beside it)."
    ),
    set_aside: bool = typer.Option(
        False, "--set-aside", help="SQLite: move the store that is there to another name."
    ),
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault db restore casevault-data-20261126T030000Z-1a2b3c4d.cv

    Make an empty data store from a backup, beside the keyring of this machine. Needs the custodians
    with their shares, who open the backup key. Stop the service before; nothing is served before
    `casevault db settle`. (operator)
    """
    settings = settings_from(config)
    host.harden_process()
    key = backup_key or file.with_name(media.BACKUP_KEY)
    with host.sole_service(settings):
        wanted = Restore(file, key, shares.prompted(), set_aside)
        made = restoring.restore(settings, wanted, say, unlocking.key_of(settings))
    say(f"Restored: the data of {moment(made.made_at)}. Next: casevault db settle.")


def rebuild(
    medium: Path = _MediumOption,
    data: Path = _FILE,
    older_keyring: bool = typer.Option(
        False, "--older-keyring", help="The newest medium is lost too; asks for a sentence."
    ),
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault db rebuild --medium /mnt/medium /mnt/backups/casevault-data-….cv

    The machine is gone: make the vault again on this one, from the newest capsule and keyring
    backup, a data backup and the shares. Everything is opened and proven before a byte is written.
    Then: casevault db settle, casevault keys roll, casevault serve. (operator)
    """
    settings = settings_from(config)
    host.harden_process()
    if older_keyring:
        _confirm_older()
    with host.sole_service(settings):
        wanted = Rebuild(_copies(medium, data), shares.prompted(), older_keyring)
        proven = rebuilding.rebuild(settings, wanted, say)
    _report(proven)
    say("The vault is here again. Next: casevault db settle.")


def drill(
    medium: Path = _MediumOption,
    data: Path = _FILE,
    config: Path | None = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault db drill --medium /mnt/medium /mnt/backups/casevault-data-….cv

    Prove that this vault would come back: open capsule, keyring backup and data backup with the
    shares, look through them and keep nothing. Opens no case. Once a year; best on another machine,
    with a copy of the configuration file. (operator)
    """
    settings = settings_from(config)
    host.harden_process()
    wanted = Rebuild(_copies(medium, data), shares.prompted())
    proven = rebuilding.prove(settings, wanted, say)
    _note_drill(settings, len(wanted.shares))
    if as_json:
        emit(
            {
                "keyring_rows": proven.keyring_rows,
                "keyring_made_at": moment(proven.keyring_made_at),
                "epochs": list(proven.epochs),
                "data": shown(proven.data),
            }
        )
    else:
        _report(proven)


def _note_drill(settings: Settings, count: int) -> None:
    try:
        stores = unlocking.open_stores(settings)
    except CaseVaultError:
        say("Not noted: this is not the machine of the vault. Say there that it was held.")
        return
    try:
        rebuilding.note_drill(stores, count)
    finally:
        stores.close()


def _copies(medium: Path, data: Path) -> Copies:
    return Copies(medium / media.CAPSULE, medium / media.KEYRING, data)


def _report(proven: Proven) -> None:
    epochs = ", ".join(map(str, proven.epochs))
    print(f"capsule: opens with these shares; epochs {epochs}")
    print(f"keyring backup: of {moment(proven.keyring_made_at)}, {proven.keyring_rows} rows open")
    rows = dict(proven.data.rows)
    print(
        f"data backup: of {moment(proven.data.made_at)}, {rows.get('case_file', 0)} cases,"
        f" {proven.data.ledger_size} entries of the log; whole"
    )


def _confirm_older() -> None:
    say(
        "What was erased, revoked or used up after that keyring backup comes back. Only if there is"
    )
    say("no newer one anywhere, and with the DPO's knowledge.")
    typed: str = typer.prompt(f"Type: {_SENTENCE}", err=True)
    if typed.strip() != _SENTENCE:
        raise Invalid("Not confirmed; nothing was done.", code="rebuild.unconfirmed")
