"""A sealed root file as it is written down: an independent reader opens it, and so do we."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from casevault.crypto.roots import RootsPlace, files, open_roots, roots_key

FOLDER = Path(__file__).parents[2] / "vectors"
VECTOR = json.loads((FOLDER / "roots.json").read_text())


def verified(path: Path, tmp_path: Path) -> int:
    """Run the independent reader elsewhere, without our package in reach."""
    command = [sys.executable, "-I", str(FOLDER / "verify_roots.py"), str(path)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode


def test_the_reader_imports_nothing_of_ours():
    """Otherwise it would prove nothing."""
    for node in ast.walk(ast.parse((FOLDER / "verify_roots.py").read_text())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [getattr(node, "module", None) or "", *(a.name for a in node.names)]
            assert not any("casevault" in name for name in names)


def test_the_reader_opens_the_vector(tmp_path):
    """From the page of the format alone."""
    assert verified(FOLDER / "roots.json", tmp_path) == 0


@pytest.mark.parametrize("name", ["envelope", "body", "passphrase"])
def test_a_changed_vector_is_found(tmp_path, name):
    """The reader can fail."""
    changed = json.loads(json.dumps(VECTOR))
    where = changed if name == "passphrase" else changed["file"]
    text = where[name]
    where[name] = text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:]
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(changed))
    assert verified(path, tmp_path) == 1


def test_we_open_the_vector(tmp_path, monkeypatch):
    """What is written today is read by every later version."""
    monkeypatch.setattr(files, "host_id", lambda: VECTOR["material"]["host_id"])
    place = RootsPlace(tmp_path)
    files.write_private(place.file, json.dumps(VECTOR["file"]).encode())
    roots = open_roots(place, roots_key(place, VECTOR["passphrase"]))
    assert json.loads(roots.export()) == VECTOR["material"]
