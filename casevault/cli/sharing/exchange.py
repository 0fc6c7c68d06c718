"""``casevault exchange``: letters to and from the vaults of partners, by a timer."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault.cli.operating import operate
from casevault.cli.output import EXIT_PARTIAL, ConfigOption, JsonOption, emit, say, settings_from
from casevault.cli.sharing import exchange_verbs as verbs
from casevault.host import harden_process

app = typer.Typer(help="Example: casevault exchange run", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    """Keep the verb a verb, although there is one only."""


@app.command()
def run(config: Path | None = ConfigOption, as_json: bool = JsonOption) -> None:
    """Example: casevault exchange run

    Deliver letters that wait, ask partners' vaults about those that are open, tell them of recalls;
    from a timer, every quarter of an hour. Connects to pinned vaults only. (operator)

    Sent twice, a letter arrives once. Exit code 3: a vault did not answer, or said no; the referral
    says which code it gave, and the next run tries again.
    """
    harden_process()
    done = operate(settings_from(config), verbs.RUN, verbs.RunWish())
    if as_json:
        emit(done)
    else:
        print(f"{done['answered']} answered, {done['news']} with something new.")
    if done["failed"]:
        say(f"{done['failed']} were not answered. They are tried again at the next run.")
        raise typer.Exit(EXIT_PARTIAL)
