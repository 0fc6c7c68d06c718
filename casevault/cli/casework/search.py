"""``casevault search``: cards made anew, and directories shared with other teams."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault.cli.output import ConfigOption, say
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in

EXIT_PARTIAL = 3
app = typer.Typer(help="Example: casevault search rebuild", no_args_is_help=True)


@app.command()
def rebuild(
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault search rebuild

    Write the search card of every case of your team that you can open: after an update that reads
    names differently, after a restore, after search_full_phones or search_papers was changed.
    A supervisor of the team reaches every case. Can be run again at any time. (personal)
    """
    stderr = typer.get_text_stream("stderr")
    with (
        signed_in(config, login, passphrase_fd) as person,
        typer.progressbar(length=1, label="cards", file=stderr) as bar,
    ):

        def progress(done: int, of: int) -> None:
            bar.length = max(1, of)
            bar.update(done - bar.pos)

        found = person.vault.search_cards.rebuild(lambda: person.caller, progress)
    say(f"Cards written: {found.listed}. Unlisted: {found.unlisted}. Dropped: {found.orphans}.")
    for case in found.skipped:
        print(case)
    if found.skipped:
        say("The cases above were not read. Run this as a supervisor of the team, or again.")
        raise typer.Exit(EXIT_PARTIAL)


@app.command()
def share(
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault search share

    Let all other teams search the cards of yours. Needs search_organisation_wide = true; see
    docs/search.md for what that means. Run it again after somebody left the team. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        me = person.caller
        done = [person.vault.search.share(me, team) for team in sorted(me.actor.teams)]
    for one in done:
        say(f"Shared with {one.directories} other teams.")
