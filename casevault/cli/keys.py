"""``casevault keys``: rows by epoch, expired grants."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault import bootstrap
from casevault.cli.output import ConfigOption, JsonOption, emit, settings_from, table
from casevault.store import sweeping

app = typer.Typer(help="Example: casevault keys status", no_args_is_help=True)


@app.command()
def status(config: Path | None = ConfigOption, as_json: bool = JsonOption) -> None:
    """Example: casevault keys status

    Rows of the keyring by table and epoch; opens no content. (operator)
    """
    stores = bootstrap.open_stores(settings_from(config))
    try:
        with stores.keyring.reading() as tx:
            counts = tx.rows_by_epoch()
    finally:
        stores.close()
    rows = [(name, str(epoch), str(count)) for (name, epoch), count in sorted(counts.items())]
    if as_json:
        emit([{"table": name, "epoch": int(e), "rows": int(c)} for name, e, c in rows])
    else:
        table("Keyring rows", ("table", "epoch", "rows"), rows)


@app.command()
def sweep(config: Path | None = ConfigOption, as_json: bool = JsonOption) -> None:
    """Example: casevault keys sweep

    Delete grants that have expired, and mark their cases for new keys. (operator)

    Expired grants open nothing even before this; the running service sweeps every minute.
    """
    stores = bootstrap.open_stores(settings_from(config))
    try:
        removed, marked = sweeping.sweep(stores)
    finally:
        stores.close()
    if as_json:
        emit({"grants_removed": removed, "cases_due_for_new_keys": marked})
    else:
        print(f"{removed} expired grants removed; {marked} cases get new keys at their next write.")
