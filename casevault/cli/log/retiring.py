"""``casevault ledger retire``: what of the log is past its time goes, in its stages."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault import bootstrap
from casevault.cli import unlocking
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.store.audit.log_retention import Due, LogRetention

_WORD = "retire"


def add_to(app: typer.Typer) -> None:
    """Add the command to ``casevault ledger``."""
    app.command()(retire)


def retire(
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what is due, change nothing."),
    yes: bool = typer.Option(False, "--yes", help="For timers: do not ask."),
    config: Path | None = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger retire --dry-run

    Destroy what entries say after audit_years, and the leaves after leaf_years; the tree still
    verifies. On PostgreSQL as the migrator: the application cannot delete entries. (operator)
    """
    settings = settings_from(config)
    stores = unlocking.open_stores(settings)
    owner, _ = bootstrap.databases(settings, migrator=True)
    try:
        work = LogRetention(stores, owner, settings.audit_years, settings.leaf_years)
        due = work.due()
        if not dry_run and (due.months or due.leaves):
            if not yes:
                _show(due, False, "is due")
                typer.confirm(f"This cannot be undone. {_WORD.capitalize()}?", abort=True, err=True)
            bootstrap.settle(stores)
            due = work.run()
            bootstrap.settle(stores)
            bootstrap.checkpoints(settings, stores).sign()
    finally:
        owner.close()
        stores.close()
    _show(due, as_json, "is due" if dry_run else "was removed")


def _show(due: Due, as_json: bool, what: str) -> None:
    if as_json:
        emit({"months": list(due.months), "leaves": due.leaves})
        return
    months = ", ".join(due.months) or "no month"
    say(f"Bodies of {months}, and {due.leaves} leaves: this {what}.")
