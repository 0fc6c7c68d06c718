"""The written formats: what the code reads, an independent verifier reads too."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from casevault.crypto.grants import Grant, check_signature, open_link, open_row
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key, Place, unseal
from casevault.crypto.vouches import Vouch
from casevault.crypto.vouches import check_signature as check_vouch

FOLDER = Path(__file__).parents[2] / "vectors"
VECTORS = json.loads((FOLDER / "sealed.json").read_text())


def verified(path, tmp_path):
    """Run the independent verifier elsewhere, without our package in reach."""
    command = [sys.executable, "-I", str(FOLDER / "verify_sealed.py"), str(path)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode


VERIFIERS = sorted(one.name for one in FOLDER.glob("verify_*.py"))


@pytest.mark.parametrize("name", VERIFIERS)
def test_a_verifier_imports_nothing_of_ours(name):
    """Otherwise it would prove nothing."""
    tree = ast.parse((FOLDER / name).read_text())
    names = {
        found
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for found in [getattr(node, "module", None) or "", *(a.name for a in node.names)]
    }
    assert names
    assert not any(one.split(".")[0] in ("casevault", "tests") for one in names)


def test_the_verifier_reads_the_vectors(tmp_path):
    """Every vector opens, every altered byte is refused."""
    assert verified(FOLDER / "sealed.json", tmp_path) == 0


@pytest.mark.parametrize("name", ["sealed", "grant", "vouch"])
def test_a_changed_vector_is_found(tmp_path, name):
    """The verifier can fail."""
    changed = json.loads(json.dumps(VECTORS))
    target = changed["sealed"][0] if name == "sealed" else changed[name]
    text = target[name]
    target[name] = text[:-1] + ("0" if text[-1] != "0" else "1")
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(changed))
    assert verified(path, tmp_path) == 1


@pytest.mark.parametrize("vector", VECTORS["sealed"])
def test_sealed_vectors_open(vector):
    """What was written down stays readable."""
    case = None if vector["case"] is None else UUID(vector["case"])
    place = Place(
        UUID(vector["organisation"]), vector["kind"], UUID(vector["row"]), case, "identity"
    )
    key = Key(bytes.fromhex(vector["key"]), vector["version"])
    opened = unseal(key, place, bytes.fromhex(vector["sealed"]), vector["revision"])
    assert opened.content.decode() == vector["content"]


def test_the_grant_vector_opens():
    """Signature, link, rows."""
    vector = VECTORS["grant"]
    grant = Grant.decode(bytes.fromhex(vector["grant"]))
    granter = PrincipalSecret(bytes(range(64)))
    check_signature(grant, granter.public)
    link = open_link(grant, PrincipalSecret(bytes.fromhex(vector["grantee_seed"])))
    for name, row in vector["rows"].items():
        key = open_row(grant, link, name, bytes.fromhex(row))
        assert key.material.hex() == vector["keys"][name]


def test_the_vouch_vector_holds():
    """The issuer's signature is over exactly these bytes."""
    vouch = Vouch.decode(bytes.fromhex(VECTORS["vouch"]["vouch"]))
    check_vouch(vouch, PrincipalSecret(bytes(range(64))).public)
