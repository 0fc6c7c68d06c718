"""``casevault config``: what is set, and whether it is safe."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from, table
from casevault.config import describe, warnings
from casevault.domain.case.dictionary import Dictionary
from casevault.services.audit.watching import limits_of

app = typer.Typer(help="Example: casevault config check", no_args_is_help=True)


@app.command()
def check(config: Path | None = ConfigOption, as_json: bool = JsonOption) -> None:
    """Example: casevault config check --json

    Print every setting, or refuse with what to change. (offline)
    """
    settings = settings_from(config)
    Dictionary.of(settings.purposes)
    limits_of(settings.alert_limits)
    rows = describe(settings)
    for warning in warnings(settings):
        say(f"Warning: {warning}")
    if as_json:
        emit(dict(rows))
    else:
        table("Settings", ("setting", "value"), rows)
