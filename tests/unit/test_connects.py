"""What leaves this machine during a test is refused and fails the run; the rest is let through."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.connects import sitecustomize as connects

ROOT = Path(__file__).parents[2]
# Addresses of documentation (RFC 5737): nobody answers there.
AWAY = "192.0.2.1"
TRIES = f"""
import socket
for act in (lambda: socket.create_connection(("{AWAY}", 9), 1),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("{AWAY}", 9)),
            lambda: socket.getaddrinfo("example.invalid", 443)):
    try:
        act()
    except ConnectionRefusedError as error:
        print(error)
"""


def test_a_process_that_a_test_starts_is_watched_too(tmp_path):
    """Connecting, sending and looking up a name: each refused and noted, though nobody raised."""
    trace = tmp_path / "trace"
    env = os.environ | {connects.TRACE: str(trace)}
    done = subprocess.run(
        [sys.executable, "-c", TRIES], env=env, cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout.decode().count("tests connect to this machine only") == 3
    assert trace.read_text().count("192.0.2.1") == 2
    assert "example.invalid" in trace.read_text()


def test_a_run_in_which_something_leaves_fails(tmp_path):
    """Also where the test itself swallowed the refusal and passed."""
    (tmp_path / "test_leaves.py").write_text(
        f"import os, subprocess, sys\n\ndef test_it():\n"
        f"    subprocess.run([sys.executable, '-c', {TRIES!r}], check=True)\n"
    )
    env = {name: value for name, value in os.environ.items() if name != connects.TRACE}
    command = ["-m", "pytest", "-q", "-n", "0", "-p", "tests.conftest", str(tmp_path)]
    more = ["--rootdir", str(tmp_path), "-c", os.devnull, "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, *command, *more], cwd=ROOT, env=env, capture_output=True, check=False
    )
    assert done.returncode == 1, done.stdout.decode()[-500:]
    assert b"1 passed" in done.stdout
    assert b"Connections that left this machine" in done.stderr


def test_this_process_is_watched(monkeypatch, tmp_path):
    """By the interpreter itself, below whatever a library puts in the place of a socket."""
    monkeypatch.setenv(connects.TRACE, str(tmp_path / "trace"))
    with pytest.raises(ConnectionRefusedError):
        sys.audit("socket.connect", None, (AWAY, 443))
    assert AWAY in (tmp_path / "trace").read_text()


@pytest.mark.parametrize(
    "address",
    [("127.0.0.1", 5), ("::1", 5, 0, 0), ("localhost", 5), "/run/made-up", b"\0made-up", None],
)
def test_what_stays_here_is_let_through(address):
    """Loopback, Unix sockets, and addresses that are nobody's."""
    assert connects.is_here(address)


@pytest.mark.parametrize("address", [(AWAY, 443), ("example.invalid", 443), ("10.0.0.1", 1)])
def test_what_leaves_is_seen(address):
    """Numbers and names, in the next room or beyond it."""
    assert not connects.is_here(address)
    assert socket.AF_UNIX == 1
