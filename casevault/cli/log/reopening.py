"""``casevault ledger reopen``: after a restore that lost signed entries."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault import bootstrap, host
from casevault.cli import unlocking
from casevault.cli.output import ConfigOption, say, settings_from
from casevault.store.audit import reopening


def add_to(app: typer.Typer) -> None:
    """Add the command to ``casevault ledger``."""
    app.command()(reopen)


def reopen(config: Path | None = ConfigOption) -> None:
    """Example: casevault ledger reopen

    Close an origin that lost entries and begin the next one, while the service is stopped. First
    two people settle the restored store (casevault db settle), then ledger_origin gets its next
    name (2026b after 2026a). Prints the incident note for everybody who verifies. (operator)
    """
    settings = settings_from(config)
    with host.sole_service(settings):
        stores = unlocking.open_stores(settings)
        try:
            note = reopening.reopen(stores, bootstrap.checkpoints(settings, stores))
        finally:
            stores.close()
    say(f"{settings.ledger_origin} begins. Its entry 0 names what was closed; give this note and")
    say("the key of the new origin (casevault ledger export prints it) to everybody who verifies.")
    print(note.decode())
