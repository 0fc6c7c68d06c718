"""How the command line speaks: data to stdout, messages to stderr, progress on terminals only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from casevault.config import Settings, load_settings
from casevault.errors import CaseVaultError

ConfigOption = typer.Option(
    None,
    "--config",
    "-c",
    help="Configuration file (default: $CASEVAULT_CONFIG, else ./casevault.toml).",
)
JsonOption = typer.Option(False, "--json", help="Print data as JSON.")
EXIT_PARTIAL = 3
messages = Console(stderr=True, highlight=False)


def settings_from(path: Path | None) -> Settings:
    """Load the settings that a command works with."""
    return load_settings(path)


def say(text: str) -> None:
    """Write a message for people."""
    messages.print(text, markup=False, soft_wrap=True)


def fail(error: CaseVaultError) -> None:
    """Write what went wrong and what to do next."""
    say(f"{error.title}: {error.detail}" if error.detail else error.title)
    if error.hint:
        say(error.hint)


def emit(data: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Write data as one JSON document to stdout."""
    print(json.dumps(data, ensure_ascii=False, indent=2))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table to stdout; plain tab-separated lines when it is not a terminal."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    grid = Table(title=title, title_justify="left")
    for column in columns:
        grid.add_column(column)
    for row in rows:
        grid.add_row(*row)
    Console(highlight=False, markup=False).print(grid)
