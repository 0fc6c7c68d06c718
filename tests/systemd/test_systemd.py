"""The units of `deploy/` under a real systemd: start, timers' commands, unlocking, a crash.

Systemd is process 1 of namespaces of its own (`machine.sh`), where this machine's files are
read-only. Needs root, `unshare` and a Python that any account may run; else skipped by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GROUPS = Path("/sys/fs/cgroup")
EXPECTED = """
plain keys folder: ready
casevault-roll success
casevault-retention success
casevault-backup success
casevault-doctor success
casevault-exchange success
sealed: 0
sealed, nothing unlocks it: failed
by an encrypted credential: ready
casevault-roll success
casevault-doctor success
killed, started by systemd: ready
by hand: ready
casevault-roll success
killed, and nobody there: failed
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """Give a control group for the processes of the drill."""
    place = GROUPS / "unified" if (GROUPS / "unified").is_dir() else GROUPS
    made = place / f"casevault-drill-{os.getpid()}"
    try:
        made.mkdir()
    except OSError:
        pytest.skip("control groups: none can be made here")
    yield made
    for folder in sorted((p for p in made.rglob("*") if p.is_dir()), reverse=True):
        folder.rmdir()
    made.rmdir()


@pytest.fixture
def python() -> str:
    """Give an interpreter of our version that any account may run."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = Path(f"/usr/bin/{version}")
    if not found.exists():
        pytest.skip(f"Debian package: {version}")
    return str(found)


def missing() -> str | None:
    """Say what the drill lacks here."""
    if os.geteuid() != 0:
        return "root: namespaces need it"
    for program in ("unshare", "setpriv", "systemd-creds", "ip"):
        if shutil.which(program) is None:
            return f"program: {program}"
    if not Path("/lib/systemd/systemd").exists():
        return "Debian package: systemd"
    tried = ["unshare", "--fork", "--pid", "--mount", "--cgroup", "--mount-proc", "true"]
    if subprocess.run(tried, check=False, capture_output=True).returncode:
        return "unshare: namespaces are not allowed here"
    return None


@pytest.mark.slow
def test_the_units_do_what_they_promise(group, python, tmp_path_factory):
    """Service, timers' commands, unlocking by credential and by hand, and what a crash leaves."""
    if (what := missing()) is not None:
        pytest.skip(what)
    # Not in memory, where systemd makes no key to encrypt credentials with.
    out = Path(f"/var/tmp/casevault-drill-{os.getpid()}")  # noqa: S108 - root's own, mode 0700
    out.mkdir(mode=0o700)
    try:
        done = subprocess.run(
            [
                *("unshare", "--fork", "--kill-child", "--pid", "--mount", "--cgroup", "--ipc"),
                *("--uts", "--net", "/bin/bash", str(ROOT / "tests/systemd/machine.sh")),
            ],
            env={
                "PATH": os.environ["PATH"],
                "ROOT": str(ROOT),
                "OUT": str(out),
                "PYTHON": python,
                "SITE": sysconfig.get_path("purelib"),
            },
            preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())),
            capture_output=True,
            text=True,
            check=False,
            timeout=590,
        )
        log = (out / "drill.log").read_text() if (out / "drill.log").exists() else done.stderr
    finally:
        shutil.rmtree(out, ignore_errors=True)
    found = [line.removeprefix("= ") for line in log.splitlines() if line.startswith("= ")]
    assert found == EXPECTED.strip().splitlines(), log[-3000:]
