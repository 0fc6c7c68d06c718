"""Recovery shares, typed by their custodians one after the other.

Only by prompt and without echo: a share is never an argument, never in the environment and never
on the screen. A fault is said in a sentence that shows no word of it, and may be corrected.
"""

from __future__ import annotations

import typer

from casevault.cli.output import say
from casevault.crypto.recovery import Share, read_share
from casevault.errors import Invalid

_TRIES = 5


def prompted() -> list[Share]:
    """Return as many shares as the first one says are needed.

    :raises Invalid: one of them was wrong too often.
    """
    say("Each custodian types the 33 words of their share, with spaces between them. They do not")
    say("appear on the screen. Nobody else should look at the paper.")
    found: list[Share] = []
    while not found or len(found) < found[0].threshold:
        needed = f" of {found[0].threshold}" if found else ""
        found.append(_one(f"Share {len(found) + 1}{needed}", found))
    return found


def _one(title: str, before: list[Share]) -> Share:
    for _ in range(_TRIES - 1):
        try:
            return read_share(_typed(title), before)
        except Invalid as error:
            say(f"{error.detail} Try again.")
    return read_share(_typed(title), before)


def _typed(title: str) -> str:
    typed: str = typer.prompt(title, hide_input=True, err=True)
    return typed
