"""The guide for caseworkers works as it stands: its shell blocks, and its client."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.security.server import running

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = DOCS / "api-guide.md"
CLIENT = DOCS / "examples" / "caseworker.py"


@pytest.fixture(scope="module")
def served(worlds, tmp_path_factory):
    """Give a real server."""
    with running(worlds("sqlite"), tmp_path_factory.mktemp("guide")) as found:
        yield found


def blocks(text):
    """Return the shell blocks of a guide, in their order."""
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def run(served, text, login):
    """Run a caseworker's blocks."""
    given = {
        "URL": str(served.client.base_url),
        "LOGIN": login,
        "PASSPHRASE": served.passphrases[login],
        "CODE": served.code(login),
    }
    return in_shell(text, given)


def in_shell(text, given):
    """Run all shell blocks in one shell, as somebody who reads from top to bottom."""
    script = "set -euo pipefail\n" + "\n".join(blocks(text))
    environment = {**os.environ, **given}
    return subprocess.run(
        ["/bin/bash", "-c", script], env=environment, capture_output=True, check=False, timeout=60
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="Debian package: curl")
@pytest.mark.skipif(shutil.which("jq") is None, reason="Debian package: jq")
def test_the_first_colleague_is_let_in_as_the_page_says(served):
    """By administrator and supervisor, in the blocks of the page on organisations."""
    given = {"URL": str(served.client.base_url)}
    for who, login in (("ADMIN", "adi"), ("SUPERVISOR", "sue")):
        given |= {
            f"{who}_LOGIN": login,
            f"{who}_PASSPHRASE": served.passphrases[login],
            f"{who}_CODE": served.code(login),
        }
    done = in_shell((DOCS / "organisation.md").read_text(), given)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    assert done.stdout.decode().endswith("true\n")


@pytest.mark.skipif(shutil.which("curl") is None, reason="Debian package: curl")
@pytest.mark.skipif(shutil.which("jq") is None, reason="Debian package: jq")
def test_the_requests_of_the_first_page_are_answered(served):
    """Caseworker, auditor, reporter and reception desk: each gets what the page promises."""
    text = (DOCS.parent / "README.md").read_text().replace("curl -s", "curl -s --fail-with-body")
    given = {"URL": str(served.client.base_url), "TOKEN": served.token("cara")}
    given |= {"AUDITOR_TOKEN": served.token("ada"), "REPORTER_TOKEN": served.token("rita")}
    done = in_shell(text, given)
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode() + said
    assert len(blocks(text)) == 4
    for part in ("Zaziwe Testperson", '"code":"case.read"', '"period":"2026-H1"', "name_alike"):
        assert part in said


def client_module():
    """Import the client as somebody who copied it."""
    spec = importlib.util.spec_from_file_location("caseworker", CLIENT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(shutil.which("curl") is None, reason="Debian package: curl")
@pytest.mark.skipif(shutil.which("jq") is None, reason="Debian package: jq")
def test_the_guide_runs_from_top_to_bottom(served):
    """Every block succeeds, and one that does not is noticed."""
    text = GUIDE.read_text()
    assert len(blocks(text)) >= 8
    login = served.person()
    done = run(served, text, login)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    broken = text.replace('"type": "hearing"', '"type": "heering"')
    assert run(served, broken, login).returncode != 0


def test_the_client_works_a_day(served, capsys):
    """What it wrote is there for the person who wrote it; a refusal carries its code."""
    module = client_module()
    vault = module.Vault(str(served.client.base_url))
    login = served.person()
    vault.sign_in(login=login, passphrase=served.passphrases[login], code=served.code(login))
    case = module.day(vault)
    known, _ = vault.get(f"/v1/cases/{case}/identity")
    assert known["languages"] == ["fr"]
    assert "waits: task" in capsys.readouterr().out
    with pytest.raises(module.Refused) as refused:
        vault.get(f"/v1/cases/{served.staff['cara']}/identity")
    assert refused.value.code == "not-found"
    vault.sign_out()
    with pytest.raises(module.Refused):
        vault.get("/v1/me")


def test_the_client_is_small():
    """Somebody reads it in five minutes."""
    assert len(CLIENT.read_text().splitlines()) <= 100
