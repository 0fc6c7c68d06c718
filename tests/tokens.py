"""A hardware token in software (SoftHSM 2): one of its own for each test that asks."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from casevault.crypto.roots import token as token_module

PIN = "made-up pin 4711"
_OFFICER_PIN = "made-up officer pin"
_MODULES = tuple(
    Path("/usr/lib") / path
    for path in ("softhsm/libsofthsm2.so", "x86_64-linux-gnu/softhsm/libsofthsm2.so")
)


@dataclass
class SoftToken:
    """A token whose plug can be pulled."""

    folder: Path
    label: str = "casevault made up"

    @property
    def module(self) -> Path:
        """The library that talks to it."""
        return next(path for path in _MODULES if path.exists())

    @property
    def configuration(self) -> Path:
        """The file that SoftHSM finds its tokens by."""
        return self.folder / "softhsm2.conf"

    def make(self) -> SoftToken:
        """Set the token up."""
        self.folder.mkdir(parents=True)
        self.configuration.write_text(
            f"directories.tokendir = {self.folder}/tokens\nlog.level = ERROR\n"
        )
        shutil.copytree(_template(self.label), self.folder / "tokens")
        return self

    def pull(self) -> None:
        """Take the token away."""
        (self.folder / "tokens").rename(self.folder / "pulled")

    def put_back(self) -> None:
        """Bring it back."""
        (self.folder / "pulled").rename(self.folder / "tokens")


@functools.cache
def _template(label: str) -> Path:
    """Return a set-up token to be copied: setting one up costs half a second."""
    folder = Path(tempfile.mkdtemp(prefix="casevault-token-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    command = ["softhsm2-util", "--init-token", "--free", "--label", label]
    command += ["--so-pin", _OFFICER_PIN, "--pin", PIN]
    environment = {"SOFTHSM2_CONF": str(configuration), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return folder / "tokens"


def a_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    """Return a fresh token that this process finds; skip where there is no SoftHSM."""
    if shutil.which("softhsm2-util") is None:
        pytest.skip("Debian package: softhsm2")
    token = SoftToken(folder / "token").make()
    monkeypatch.setenv("SOFTHSM2_CONF", str(token.configuration))
    # What this process remembers is another test's token.
    token_module._forget()
    return token
