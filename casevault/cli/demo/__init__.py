"""``casevault demo``: one story through the real HTTP API, then attacks on itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer

from casevault.cli.demo import attacks, story
from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.world import World

STEPS = ("ceremony", "staff", "case", "stranger", "assign", "audit", "attack", "answer")


def demo(
    step: str | None = typer.Option(None, "--step", help=f"Show the detail of: {', '.join(STEPS)}"),
    serve: bool = typer.Option(
        False, "--serve", help="Leave the server up and print made-up logins."
    ),
) -> None:
    """Example: casevault demo --step attack

    Make a vault in a temporary folder, tell one case's story over HTTP, then attack it. All people
    are made up. (offline)
    """
    if step is not None and step not in STEPS:
        raise typer.BadParameter(f"choose one of {', '.join(STEPS)}", param_hint="--step")
    narrator = Narrator(step)
    with tempfile.TemporaryDirectory(prefix="casevault-demo-") as folder:
        with World(Path(folder)) as world:
            told = story.tell(world, narrator)
            failed = attacks.run(world, told, narrator)
            story.answer(world, told, narrator)
            if serve:
                _leave_open(world, narrator)
        if failed:
            raise typer.Exit(1)


def _leave_open(world: World, narrator: Narrator) -> None:
    narrator.line(f"The server stays up: {world.url}/docs (Ctrl-C ends it and removes everything)")
    for login, passphrase in world.passphrases.items():
        narrator.line(f"  {login:<8} {passphrase}")
    world.wait()
