"""Files that pages name are there (links: tests/cli/test_documents.py); locks name no place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(
        part.startswith(".") or part == "node_modules" for part in page.parts[len(ROOT.parts) :]
    )
)
# A module or a test by its path, as tables and sentences name them; of other projects none.
FILE = re.compile(r"`(?!zxcvbn/)((?:[a-z_]+/)+[a-z_]+\.(?:py|md|sh))`")


def lost(page: Path, text: str) -> list[str]:
    """Return the files that a page names and that are not there."""
    below = (ROOT, ROOT / "casevault", ROOT / "tests", ROOT / "docs", page.parent)
    return [one for one in FILE.findall(text) if not any((at / one).exists() for at in below)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_files_that_a_page_names_are_there(page: Path):
    """Modules, tests and pages by their paths."""
    assert lost(page, page.read_text()) == []


def test_a_lost_page_is_found():
    """The test above is about many pages, and can fail."""
    assert len(PAGES) > 30
    text = "See `store/gone.py` beside `store/case/cases.py`."
    assert lost(ROOT / "README.md", text) == ["store/gone.py"]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-oracle.lock"])
def test_a_lock_file_names_no_place(name: str):
    """No index, no folder of some machine: what is taken is known by its digest, wherever it is."""
    lines = (ROOT / name).read_text().splitlines()
    said = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert [line for line in said if line.startswith("-") or "://" in line] == []
    packages = [line for line in said if not line.startswith(" ")]
    assert all(re.fullmatch(r"[A-Za-z0-9._\[\]-]+==[^ ]+( ; [^\\]+)? \\", one) for one in packages)
    assert sum("--hash=sha256:" in line for line in said) >= len(packages) > 0
