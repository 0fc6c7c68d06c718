"""``casevault keys reissue``: new recovery shares in place of the old, with the old quorum present.

The new sheets are confirmed on paper before anything changes, and the configuration file pins the
new root afterwards. Until the roll at the end the old sheets still open old copies.
"""

from __future__ import annotations

import os
from pathlib import Path

import typer

from casevault import bootstrap
from casevault.cli import unlocking
from casevault.cli.ceremony import shares, sheets
from casevault.cli.ceremony.resuming import confirm_on_paper, page_of
from casevault.cli.output import EXIT_PARTIAL, ConfigOption, fail, say, settings_from
from casevault.config import CONFIG_VARIABLE, DEFAULT_FILE, Settings
from casevault.crypto.roots import write_private
from casevault.errors import MediumFault
from casevault.host import harden_process
from casevault.services.recovery.reissues import NewShares, Reissues
from casevault.store.context.stores import Stores

_PIN = "root_fingerprint = "


def reissue(
    config: Path | None = ConfigOption,
    threshold: int = typer.Option(3, min=2, max=16, help="Shares that recover."),
    count: int = typer.Option(5, "--shares", min=2, max=16, help="Shares that are made."),
) -> None:
    """Example: casevault keys reissue

    Replace the recovery shares: new root, new recovery key, everything moved to it. (operator)

    Needs as many old shares as recover, paper and a printer, and the second medium: a roll without
    older epochs ends it. Run it again if it was cut off; then both sets are asked for. Afterwards
    the old sheets open nothing of this vault: destroy them.
    """
    harden_process()
    settings = settings_from(config)
    stores = unlocking.open_stores(settings)
    try:
        bootstrap.rolls(settings, stores).check_medium()
        moved = _moved(settings, bootstrap.reissues(stores), threshold, count)
        _pin(_file_of(config), bootstrap.reissues(stores).root_pin())
        say("The configuration file pins the new root. Restart the service when it suits you.")
        _roll(settings, stores)
    except MediumFault as fault:
        fail(fault)
        raise typer.Exit(EXIT_PARTIAL) from None
    finally:
        stores.close()
    print(f"The new shares hold: {moved} keys moved to them. Destroy the old sheets.")


def _moved(settings: Settings, reissues: Reissues, threshold: int, count: int) -> int:
    if reissues.is_underway():
        say("An earlier run was cut off. First the old shares, the ones that are replaced.")
        old = shares.prompted()
        say("Now the new ones.")
        return reissues.resume(old, shares.prompted())
    say("First the old shares, the ones that hold now.")
    page = page_of(settings)

    def hand_out(new: NewShares) -> None:
        text = sheets.page(settings.organisation_name, new.shares, new.threshold)
        write_private(page, text.encode())
        say(f"Fingerprint of the new root, for the minutes: {new.root_pin}")
        say("If this is cut off before the sheets are confirmed, they are void: the old ones hold.")
        try:
            confirm_on_paper(page)
        finally:
            page.unlink(missing_ok=True)

    return reissues.reissue(shares.prompted(), threshold, count, hand_out)


def _roll(settings: Settings, stores: Stores) -> None:
    say("Rolling, so that old copies of the keyring do not open with the old shares.")
    bootstrap.rolls(settings, stores).roll(erase_now=True)


def _file_of(config: Path | None) -> Path:
    return config or Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_FILE))


def _pin(path: Path, pin: str) -> None:
    lines = path.read_text().splitlines()
    pinned = [f'{_PIN}"{pin}"' if line.startswith(_PIN) else line for line in lines]
    if pinned != lines:
        write_private(path, ("\n".join(pinned) + "\n").encode())
