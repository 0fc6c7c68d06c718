"""The pages people follow: every command that is printed exists, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import typer

from casevault.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for place in (".", "docs", "deploy", "keys")
    for path in (ROOT / place).glob("*.md" if place == "." else "**/*.md")
)
TREE = typer.main.get_command(app)
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"(?:^|[\s/(\"$])casevault ([a-z][^|;&)\n]*)", re.MULTILINE)


def printed(text: str) -> list[str]:
    """Return the commands of a page: of its blocks, and of what stands between backticks."""
    spans = [" ".join(span.split()) for span in SPAN.findall(BLOCK.sub("", text))]
    blocks = [re.sub(r"\\\n\s*", " ", block) for block in BLOCK.findall(text)]
    return [found for part in (*spans, *blocks) for found in COMMAND.findall(part)]


def fault(command: str) -> str | None:
    """Return what is wrong with a command, None if it exists with these options."""
    found: click.Command = TREE
    words = command.replace("'", " ").split()
    while hasattr(found, "commands") and words and not words[0].startswith("-"):
        if words[0] not in found.commands:
            return f"no command {words[0]}"
        found = found.commands[words.pop(0)]
    known = {name for one in found.params for name in (*one.opts, *one.secondary_opts)}
    known |= {"--help"}
    given = [word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)]
    return next((f"no option {word}" for word in given if word not in known), None)


def slugs(page: Path) -> set[str]:
    """Return the anchors of a page, as its readers' programs make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def lost(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if ":" in name:
            continue
        if not target.exists() or (anchor and anchor not in slugs(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_links_of_a_page_lead_somewhere(page: Path):
    """Word by word is how people follow them on a bad night."""
    if page.name != "CHANGELOG.md":
        wrong = {one: fault(one) for one in printed(page.read_text())}
        assert {one: said for one, said in wrong.items() if said} == {}
    assert lost(page) == []


def test_a_wrong_page_would_be_found(tmp_path):
    """In a sentence, over a line's end and in a block."""
    page = tmp_path / "page.md"
    block = "```\ncasevault serve \\\n  --wrkers 4\n```\n"
    page.write_text("`casevault keys\nrol`, [x](no.md), [y](#nowhere)\n\n" + block)
    assert [fault(one) for one in printed(page.read_text())] == [
        "no command rol",
        "no option --wrkers",
    ]
    assert lost(page) == ["no.md", "#nowhere"]
    assert len(PAGES) > 30
