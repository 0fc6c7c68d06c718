"""``casevault doctor``: what is not as it should be, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from casevault.cli.operating import operate
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from
from casevault.cli.recovery import machine
from casevault.cli.recovery.data_verbs import STANDING, Nothing, standing_of
from casevault.config import Settings
from casevault.config import warnings as config_warnings
from casevault.domain.recovery import doctor as rules
from casevault.domain.recovery.doctor import Finding, Level
from casevault.errors import CaseVaultError

_MARKS = {Level.RED: "RED    ", Level.WARNING: "warning"}


def doctor(config: Path | None = ConfigOption, as_json: bool = JsonOption) -> None:
    """Example: casevault doctor

    Look at everything that a bad day needs: rights of folders, what backups take along, swap and
    core dumps, epochs, age of capsule, keyring backup and data backup, roles that one person holds
    alone, vouches that end, free disk. Each finding says what to do. Exit codes: 0 nothing, 3
    warnings, 1 something is red. (operator)
    """
    settings = settings_from(config)
    found = [*rules.examine_machine(machine.machine(settings)), *_of_vault(settings)]
    found += [Finding("config.weak", Level.WARNING, one, "") for one in config_warnings(settings)]
    found.sort(key=lambda one: (one.level is not Level.RED, one.code, one.says))
    if as_json:
        emit({"findings": [asdict(one) for one in found]})
    else:
        for one in found:
            print(f"{_MARKS[one.level]}  {one.code}: {one.says}")
            if one.do:
                print(f"         {one.do}")
    if not found:
        say("Nothing found.")
    raise typer.Exit(rules.exit_code(found))


def _of_vault(settings: Settings) -> list[Finding]:
    try:
        told = operate(settings, STANDING, Nothing())
    except CaseVaultError as error:
        what_to_do = error.hint or "Mend this first; then run casevault doctor again."
        return [Finding("vault.closed", Level.RED, error.detail or error.title, what_to_do)]
    return list(rules.examine_standing(standing_of(told)))
