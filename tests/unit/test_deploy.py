"""Unit files for systemd: what they start exists, what they promise is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from casevault.cli import unlocking
from casevault.cli.app import app

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
FILES = sorted(path for path in UNITS.rglob("*") if path.is_file())
HARDENED = {
    "LimitCORE": "0",
    "MemorySwapMax": "0",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "UMask": "0077",
    "User": "casevault",
    "RuntimeDirectoryMode": "0700",
}


def settings_of(path: Path) -> list[tuple[str, str]]:
    """Return names and values of a unit file."""
    found = []
    for line in path.read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found.append((name, value))
    return found


def command(words: list[str]):
    """Return what such words would run."""
    found = typer.main.get_command(app)
    for word in words:
        if word.startswith("-"):
            break
        found = found.commands[word]
    return found


def started() -> list[tuple[str, list[str]]]:
    """Return every command that a unit starts."""
    return [
        (path.name, value.split())
        for path in FILES
        for name, value in settings_of(path)
        if name.startswith("ExecStart")
    ]


def test_what_a_unit_starts_exists():
    """The program, the command and its options: a timer must not fail at night for a typo."""
    assert len(started()) >= 2
    for name, (program, *words) in started():
        assert program == "/opt/casevault/bin/casevault", name
        known = {o for p in command(words).params for o in p.opts}
        assert {w for w in words if w.startswith("-")} <= known, name


def test_a_command_that_does_not_exist_is_found():
    """The test above can fail."""
    with pytest.raises(KeyError):
        command(["keys", "rolll"])


def test_every_timer_has_what_it_starts():
    """`x.timer` starts `x.service`."""
    timers = [path for path in FILES if path.suffix == ".timer"]
    assert timers
    for path in timers:
        assert path.with_suffix(".service").exists()


def test_the_service_is_hardened():
    """No dump, no swap, no capability, nothing writable but its own."""
    found = dict(settings_of(UNITS / "casevault.service"))
    assert {name: found.get(name) for name in HARDENED} == HARDENED


def test_the_credential_has_the_name_that_the_program_reads():
    """Else the service would start and find nothing."""
    loaded = [
        value
        for path in FILES
        for name, value in settings_of(path)
        if name.startswith("LoadCredential")
    ]
    assert len(loaded) == 2
    assert {value.partition(":")[0] for value in loaded} == {unlocking.CREDENTIAL}


def test_every_file_is_explained():
    """In the table of the folder's README."""
    text = (UNITS.parent / "README.md").read_text()
    for path in FILES:
        name = path.relative_to(UNITS).as_posix()
        assert name in text or name.replace(".timer", "") + ".service" in text, name


def test_systemd_takes_the_units(tmp_path: Path):
    """Its own checker finds nothing to say."""
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("Debian package: systemd")
    for path in FILES:
        copy = tmp_path / path.relative_to(UNITS)
        copy.parent.mkdir(exist_ok=True)
        # The program is not installed where this is tested.
        copy.write_text(re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", path.read_text(), flags=re.M))
    units = [str(p) for p in tmp_path.iterdir() if p.is_file()]
    done = subprocess.run(
        [checker, "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "casevault" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", sorted(p.name for p in FILES if p.suffix == ".service"))
def test_systemd_finds_little_exposed(unit: str):
    """By its own measure, of 10: the service has the keys, the others only ask it."""
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("Debian package: systemd")
    most = "15" if unit == "casevault.service" else "55"
    command = [checker, "security", "--offline=true", "--no-pager", f"--threshold={most}"]
    done = subprocess.run(
        [*command, str(UNITS / unit)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout[-300:]
