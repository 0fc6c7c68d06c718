"""``casevault keys``: how many rows lie under which epoch."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault import bootstrap
from casevault.cli.output import ConfigOption, JsonOption, emit, settings_from, table

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
