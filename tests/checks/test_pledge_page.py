"""docs/pledge.md names only what there is: routes, commands, tests, kinds, tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import typer

from casevault.cli.app import app
from casevault.disclosure import catalogue
from casevault.domain import vocabulary
from casevault.domain.counting.programme import Kind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pledge.md").read_text("utf-8")


def _commands() -> set[str]:
    group = typer.main.get_command(app)
    found = set()
    for noun, command in group.commands.items():
        verbs = getattr(command, "commands", {})
        found |= {f"{noun} {verb}" for verb in verbs} | {noun}
    return found


def unknown(page: str) -> list[str]:
    """Return everything in backquotes that looks like a name and names nothing."""
    operations = json.loads((ROOT / "openapi.json").read_text("utf-8"))["paths"]
    routes = {f"{m.upper()} {path}" for path, found in operations.items() for m in found}
    words = {code for name in vocabulary.list_names() for code in vocabulary.code_list(name)}
    words |= {kind.value for kind in Kind} | set(catalogue.shipped().tables) | {"context"}
    words |= set(catalogue.shipped().register) | {"categories"}
    missing = []
    for name in re.findall(r"`([^`]+)`", page):
        if name.startswith(("GET ", "POST ", "PUT ")):
            known = name in routes
        elif name.startswith("casevault "):
            known = name.removeprefix("casevault ") in _commands()
        elif name.startswith("tests/"):
            known = (ROOT / name).is_file()
        elif re.fullmatch(r"[a-z][a-z0-9_-]+", name):
            known = name in words or name == "simulate"
        else:
            known = re.fullmatch(r"\d{4}(-[HQ]\d)?", name) is not None
        missing += [] if known else [name]
    return missing


def test_the_page_names_only_what_there_is():
    """A route, command, test, code or table that goes takes its line along."""
    assert unknown(PAGE) == []


def test_the_twelve_actions_each_have_route_command_and_test():
    """Numbered continuously, with an indicator each; what software cannot do is said."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if re.match(r"\| \d+ \|", line)
    ]
    actions, indicators = rows[:12], rows[12:]
    assert [row[0] for row in actions] == [str(n) for n in range(1, 13)]
    assert [row[0] for row in indicators] == ["1", "2", "3", "4"]
    for _no, _action, indicator, route, command, test in actions:
        assert indicator == "beside them" or set(indicator) & set("1234")
        assert "/v1/" in route or "every route" in route
        assert command.startswith("`casevault ")
        assert test.startswith("`tests/")


def test_a_name_of_nothing_is_found():
    """The check can fail, for every sort of name."""
    wrong = "`GET /v1/nothing` `casevault nothing` `tests/nothing.py` `no_such_code` `?`"
    assert len(unknown(wrong)) == 5


def test_twelve_actions_and_four_indicators():
    """Numbered without a gap."""
    numbers = [int(n) for n in re.findall(r"(?m)^\| (\d+) \|", PAGE)]
    assert numbers == [*range(1, 13), *range(1, 5)]


def test_every_kind_of_the_register_serves_an_action():
    """No record is kept for nothing."""
    assert all(f"`{kind}`" in PAGE for kind in Kind)
