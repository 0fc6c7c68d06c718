"""docs/examples/ledger: still what its target makes, and every command of its page works on it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.processes import here

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "ledger"
VECTORS = ROOT / "tests" / "vectors"
KEY = (EXAMPLE / "key.vkey").read_text().strip()


def files(folder):
    """Return the bytes of every file of a folder."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def independent(folder):
    """Run the verifier that shares no code with us."""
    command = [sys.executable, VECTORS / "verify_tiles.py", folder, KEY]
    return subprocess.run(command, check=False, capture_output=True).returncode


def test_the_example_is_what_its_target_makes(tmp_path):
    """Byte for byte; the page is the only file that people wrote."""
    command = [sys.executable, VECTORS / "make_example.py", tmp_path]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0
    kept = files(EXAMPLE)
    del kept[Path("README.md")]
    assert files(tmp_path) == kept


def commands():
    """Return the commands of the page."""
    block = (EXAMPLE / "README.md").read_text().split("```")[1].replace("\\\n", " ")
    return [line for line in block.splitlines() if line.startswith("casevault")]


@pytest.mark.parametrize("line", commands())
def test_the_commands_of_its_page_work(line, capsys, monkeypatch, tmp_path):
    """As they stand there, with the witness's memory in a folder of this test."""
    monkeypatch.chdir(EXAMPLE)
    salt = (EXAMPLE / "proofs" / "299.salt").read_text().strip()
    line = line.replace("$KEY", KEY).replace("$(cat proofs/299.salt)", salt)
    line = line.replace("/tmp/witness", str(tmp_path / "state"))  # noqa: S108 - text of a page
    _, *arguments = shlex.split(line)
    done = here(capsys, *arguments)
    assert done.code == 0, done.err


def test_a_verifier_that_shares_no_code_holds_it(tmp_path):
    """And finds one changed byte in any file, a missing file, and one too many."""
    copy = tmp_path / "tiles"
    shutil.copytree(EXAMPLE / "tiles", copy)
    assert independent(copy) == 0
    for path in [p for p in copy.rglob("*") if p.is_file()]:
        good = path.read_bytes()
        path.write_bytes(good[:-2] + bytes([good[-2] ^ 1]) + good[-1:])
        assert independent(copy) == 1, path
        path.unlink()
        assert independent(copy) == 1, path
        path.write_bytes(good)
    (copy / "tile" / "0" / "007").write_bytes(b"")
    assert independent(copy) == 1


@pytest.mark.parametrize("name", ["proofs/299.tlog-proof", "proofs/299.body", "proofs/299.salt"])
def test_a_changed_byte_of_a_shown_entry_is_found(name, tmp_path, capsys):
    """Proof, body and salt belong together."""
    shutil.copytree(EXAMPLE / "proofs", tmp_path / "proofs")
    path = tmp_path / name
    good = path.read_bytes()
    for at in range(0, len(good) - 1, 13):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        salt = (tmp_path / "proofs/299.salt").read_bytes().decode("latin-1").strip()
        done = here(
            capsys,
            *("ledger", "verify-proof", tmp_path / "proofs/299.tlog-proof", "--key", KEY),
            *("--body", tmp_path / "proofs/299.body", "--salt", salt),
        )
        assert done.code == 4, at
