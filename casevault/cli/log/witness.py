"""``casevault ledger remember`` and ``print``: memories of the log that are not ours."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import segno
import typer

from casevault import bootstrap
from casevault.cli import unlocking
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.errors import Tampered
from casevault.ledger.note import VerifierKey, unverified_checkpoint
from casevault.store.log import witness


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``casevault ledger``."""
    app.command()(remember)
    app.command(name="print")(print_line)


def remember(
    folder: Path = typer.Argument(..., exists=True, file_okay=False),  # noqa: B008 - typer's way
    state: Path = typer.Option(  # noqa: B008 - typer's way
        ..., "--state", help="This witness's memory, a folder of its own."
    ),
    key: str | None = typer.Option(None, "--key", help="The log's key; only the first time."),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger remember public/ --state ~/witness --key 'example.org/…+…+…'

    On a second machine: check that the log only grew since the last time, and remember it. Exit
    code 4, and the memory as it was, if it did not. (offline)
    """
    try:
        found = witness.remember(state, folder, None if key is None else verifier_key(key))
    except Tampered:
        say("This log does not extend what is remembered here. Keep both as they are; tell others.")
        raise
    head = found.checkpoint
    root = base64.b64encode(head.root).decode()
    if as_json:
        emit({"origin": head.origin, "size": head.size, "root": root, "before": found.before})
    elif found.before is None:
        say(f"Remembered for the first time: {head.size} entries of {head.origin}. Root {root}.")
    else:
        say(f"{head.size} entries, and the {found.before} remembered ones unchanged. Root {root}.")


def print_line(
    qr: bool = typer.Option(False, "--qr", help="Add the line as a QR code."),
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault ledger print --qr

    One line for the minutes book: origin, size, root, date. (operator)
    """
    settings = settings_from(config)
    stores = unlocking.open_stores(settings)
    try:
        bootstrap.settle(stores)
        head = unverified_checkpoint(bootstrap.checkpoints(settings, stores).sign())
        root = base64.b64encode(head.root).decode()
        line = f"{head.origin} {head.size} {root} {stores.clock.now():%Y-%m-%d}"
        print(line)
        if qr:
            print(_qr(line))
    except Tampered:
        say(
            "The log does not extend its last checkpoint. After a restore that is so: go on with"
            " 'The log lost entries' in docs/runbook.md. Otherwise keep everything as it is, and"
            " call for help."
        )
        raise
    finally:
        stores.close()


def verifier_key(text: str) -> VerifierKey:
    """Read a verifier key as it was typed."""
    try:
        return VerifierKey.parse(text)
    except Tampered:
        # What was typed is wrong, not the log.
        raise typer.BadParameter(
            "not a verifier key; copy it whole, as `casevault ledger export` printed it",
            param_hint="--key",
        ) from None


def _qr(text: str) -> str:
    out = io.StringIO()
    segno.make_qr(text, error="m").terminal(out=out, compact=True)
    return out.getvalue()
