"""``casevault ledger inspect``: the log as it lies in the database, while it is in use."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault import bootstrap
from casevault.cli import unlocking
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.errors import Tampered
from casevault.ledger.counters import Gap
from casevault.store.audit.inspection import Findings, Inspection


def add_to(app: typer.Typer) -> None:
    """Add the command to ``casevault ledger``."""
    app.command()(inspect)


def inspect(
    older: list[Path] = typer.Option(  # noqa: B008 - typer's way
        [], "--older", exists=True, dir_okay=False, help="A checkpoint that somebody kept."
    ),
    config: Path | None = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger inspect --older minutes/2026-11-20.checkpoint

    Check every row of the log in the database: what is signed, what is staged, what auditors search
    by, and every writer's counter. Exit code 4 if anything was changed or is missing. (operator)
    """
    settings = settings_from(config)
    stores = unlocking.open_stores(settings)
    try:
        checkpoints = bootstrap.checkpoints(settings, stores)
        heads = [checkpoints.opened(path.read_bytes()) for path in older]
        with stores.data.reading() as connection:
            found = Inspection(stores, connection, checkpoints).run(*heads)
    finally:
        stores.close()
    _show(found, as_json)
    if found.gaps:
        raise Tampered("Entries are missing that nobody explained.", code="ledger-gap")


def _show(found: Findings, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "size": found.size,
                "staged": found.staged,
                "retired": found.retired,
                "unopened": found.unopened,
                "gaps": [_gap(gap) for gap in found.gaps],
                "lost_in_crashes": [_gap(gap) for gap in found.lost],
            }
        )
        return
    say(f"{found.size} entries in the tree, {found.staged} staged: every row as it was written.")
    if found.unopened:
        say(f"{found.unopened} are of months that only an auditor opens; counters not judged.")
    for name, gaps in (("lost in a crash", found.lost), ("MISSING", found.gaps)):
        for gap in gaps:
            say(f"{name}: writer {gap.writer}, entries {gap.first} to {gap.last}")


def _gap(gap: Gap) -> dict[str, object]:
    return {"writer": gap.writer, "first": gap.first, "last": gap.last}
