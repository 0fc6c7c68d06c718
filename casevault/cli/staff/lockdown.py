"""``casevault lockdown``: shut the vault, or open it again."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault.cli.output import ConfigOption, say, settings_from
from casevault.cli.personal import LoginOption, PassphraseFdOption, also, signed_in


def lockdown(
    end: bool = typer.Option(False, "--end", help="Open the vault again; asks two people."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    second_login: str | None = typer.Option(
        None, "--second-login", help="With --end: login of the second person."
    ),
    second_passphrase_fd: int | None = typer.Option(
        None, "--second-passphrase-fd", help="With --end: as --passphrase-fd, of the second person."
    ),
    yes: bool = typer.Option(False, "--yes", help="Do not ask for the organisation's name."),
) -> None:
    """Example: casevault lockdown

    One supervisor, DPO or administrator shuts the vault: every session ends at once, and nothing
    serves it any more, after a reboot either. With --end, two of them open it again: both sign
    that, here on the server. (personal)
    """
    name = settings_from(config).organisation_name
    if end:
        with (
            signed_in(config, login, passphrase_fd, shut_too=True) as first,
            also(first.vault, second_login, second_passphrase_fd) as second,
        ):
            first.vault.lockdowns.end(first.caller, second.caller)
        say("The vault is open again. Next: casevault serve, and everybody signs in anew.")
        return
    typed = name if yes else typer.prompt(f"Type the organisation's name ({name})", err=True)
    with signed_in(config, login, passphrase_fd, shut_too=True) as person:
        person.vault.lockdowns.begin(person.caller, typed)
    say("Locked down. Every session has ended; stop the service. Two people open the vault again:")
    say("casevault lockdown --end")
