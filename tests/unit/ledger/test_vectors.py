"""The vectors: still what the code writes, and held by a verifier that shares no code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
FILE = VECTORS / "ledger.json"


def run(script: str, argument: Path) -> int:
    command = [sys.executable, str(VECTORS / script), str(argument)]
    return subprocess.run(command, check=False, capture_output=True).returncode


def test_the_vectors_are_what_the_code_writes(tmp_path):
    """A change of format shows up as a changed file."""
    assert run("make_ledger.py", tmp_path / "new.json") == 0
    assert (tmp_path / "new.json").read_bytes() == FILE.read_bytes()


def test_an_independent_verifier_holds_them():
    """The format document is enough to read the log."""
    assert run("verify_ledger.py", FILE) == 0


def test_the_independent_verifier_imports_nothing_of_ours():
    """Otherwise it would share our mistakes."""
    source = (VECTORS / "verify_ledger.py").read_text(encoding="utf-8")
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert not any("casevault" in line for line in imports)


CHANGES = {
    "leaf": lambda v: v["entries"][1].update(leaf=v["entries"][0]["leaf"]),
    "body": lambda v: v["entries"][1].update(body=v["entries"][0]["body"]),
    "salt": lambda v: v["entries"][1].update(salt=v["entries"][0]["salt"]),
    "tag": lambda v: v["entries"][1].update(tag=v["entries"][0]["tag"]),
    "sealed": lambda v: v["entries"][1].update(sealed="00"),
    "refused": lambda v: v["refused_leaves"].append(v["entries"][0]["leaf"]),
    "root": lambda v: v["tree"]["roots"].update({"5": v["tree"]["roots"]["4"]}),
    "frontier": lambda v: v["tree"]["frontiers"].update({"5": ""}),
    "tiles": lambda v: v["tree"]["tiles"].popitem(),
    "paths": lambda v: v["tree"]["paths"]["256"].reverse(),
    "inclusion": lambda v: v["tree"]["inclusion"][-1]["proof"].reverse(),
    "consistency": lambda v: v["tree"]["consistency"][1]["proof"].reverse(),
    "checkpoint": lambda v: v["log"]["checkpoints"].reverse(),
    "proof": lambda v: v["log"].update(proof=""),
    "export": lambda v: v["log"]["export"].popitem(),
    "retired": lambda v: v["log"].update(export_retired=v["log"]["export"]),
    "key": lambda v: v["log"].update(verifier_key="x"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_independent_verifier_can_fail(tmp_path, name):
    """A planted change in each part is found."""
    vectors = json.loads(FILE.read_text(encoding="utf-8"))
    CHANGES[name](vectors)
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(vectors), encoding="utf-8")
    assert run("verify_ledger.py", changed) == 1
