"""The demo's vault: a temporary folder, a real ceremony, a real server, a plain HTTP client."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import uuid4

from casevault import founding
from casevault.config import load_settings
from casevault.crypto import totp
from casevault.crypto.macs import words
from casevault.domain import vocabulary
from casevault.domain.staff.access import Role
from casevault.errors import Busy, Refused
from casevault.services.recovery.ceremony import FirstPerson, Outcome, Plan

TEAM = "Riverside team (made up)"
FIRST = (
    ("sam", "Sam Samphire-Madeup", Role.SUPERVISOR, TEAM),
    ("dora", "Dora Dragonfruit-Madeup", Role.DPO, None),
    ("ada", "Ada Allspice-Madeup", Role.AUDITOR, None),
    ("adi", "Adi Aubergine-Madeup", Role.ADMINISTRATOR, None),
)
# Much more than a start takes: a busy machine is no reason to give up.
_START_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: Any = field(repr=False)


class World:
    """A vault that lives as long as the demo."""

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        """`settings`: further lines of its configuration."""
        self.folder, self._more = folder, settings
        self.passphrases = {login: self.new_passphrase() for login, *_ in FIRST}
        self.printed: dict[str, list[str]] = {}
        # What was shown to people once and must be in no file.
        self.shown: set[str] = set()
        self.log = folder / "server.log"
        self._config = folder / "casevault.toml"
        self._server: subprocess.Popen[bytes] | None = None
        self.outcome = self._hold_ceremony()
        self.settings = load_settings(self._config, {})
        self.url = f"http://127.0.0.1:{self.settings.port}"

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(timeout=15)

    @property
    def server_pid(self) -> int:
        """Give the process id of the running server.

        :raises RuntimeError: none runs.
        """
        if self._server is None:
            raise RuntimeError("the server is not running")
        return self._server.pid

    @staticmethod
    def new_passphrase() -> str:
        """Return six random words."""
        return words(vocabulary.passphrase_words(), 6)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request over loopback HTTP; every status is an answer. Bytes are a file."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = None
        if isinstance(body, bytes):
            data = body
        elif body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        # The address is our own: loopback, and made by us.
        request = Request(self.url + path, data, sent, method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=20) as answer:  # noqa: S310
                return _answer(answer.status, dict(answer.headers), answer.read())
        except HTTPError as error:
            with error:
                return _answer(error.code, dict(error.headers), error.read())

    def ok(self, method: str, path: str, body: object, token: str | None = None) -> Any:  # noqa: ANN401
        """Send a request that must succeed; return its body."""
        answer = self.call(method, path, body, token)
        if answer.status >= 400:
            raise Refused(f"{method} {path}: {answer.status}", code=answer.body["code"])
        return answer.body

    def sign_in(self, login: str) -> str:
        """Return a token for one of the made-up people, who sets up a phone the first time."""
        if login not in self.printed:
            return self._set_up_phone(login)
        return self._begin(login, self.code(login))

    def code(self, login: str) -> str:
        """Return a printed code: each works once, and the demo is faster than a phone's steps."""
        return self.printed[login].pop()

    def _begin(self, login: str, code: str | None = None) -> str:
        body = {"login": login, "passphrase": self.passphrases[login], "code": code}
        return str(self.ok("POST", "/v1/auth/sessions", body)["token"])

    def personal(self, login: str, *command: str) -> subprocess.CompletedProcess[bytes]:
        """Run a personal command as one of the made-up people; their words go through a pipe."""
        reading, writing = os.pipe()
        os.write(writing, f"{self.passphrases[login]}\n{self.code(login)}\n".encode())
        os.close(writing)
        try:
            return subprocess.run(  # noqa: S603 - our own interpreter and module
                [
                    *(sys.executable, "-m", "casevault", *command),
                    *("--login", login, "--passphrase-fd", str(reading)),
                    *("--config", str(self._config)),
                ],
                check=False,
                capture_output=True,
                pass_fds=(reading,),
                env=self._environment(),
                timeout=600,
            )
        finally:
            os.close(reading)

    def operator(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        """Run an operator's command on the vault that is being served."""
        return subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "casevault", *command, "--config", str(self._config)],
            check=False,
            capture_output=True,
            env=self._environment(),
            timeout=600,
        )

    def _set_up_phone(self, login: str) -> str:
        token, path = self._begin(login), "/v1/me/second-factor"
        secret = str(self.ok("POST", path, {}, token)["secret"])
        code = totp.code_of(base64.b32decode(secret), totp.step_at(int(time.time())))
        printed = self.ok("POST", path + "/confirmation", {"code": code}, token)["codes"]
        self.printed[login] = list(printed)
        self.shown |= {secret, *printed}
        return token

    def wait(self) -> None:
        """Return when the server ends or somebody presses Ctrl-C."""
        if self._server is not None:
            try:
                self._server.wait()
            except KeyboardInterrupt:
                return

    def _hold_ceremony(self) -> Outcome:
        lines = [
            'organisation_name = "Example Red Cross (made up)"',
            'ledger_origin = "example.org/casevault/demo"',
            'kdf_profile = "small"',
            "declared_people = 80",
            'country = "ZZ"',
            f"port = {_free_port()}",
            f'second_medium = "{self.folder / "medium"}"',
            *self._more,
        ]
        self._write(lines)
        organisation = uuid4()
        first = tuple(
            FirstPerson(name, login, frozenset({role}), team, self.passphrases[login])
            for login, name, role, team in FIRST
        )
        settings = load_settings(self._config, {})
        outcome = founding.hold_ceremony(settings, organisation, Plan(first))
        pinned = [
            f'organisation_id = "{organisation}"',
            f'root_fingerprint = "{outcome.root_pin}"',
        ]
        self._write(pinned + lines)
        return outcome

    def _write(self, lines: list[str]) -> None:
        self._config.write_text("\n".join(lines) + "\n")
        self._config.chmod(0o600)

    @staticmethod
    def _environment() -> dict[str, str]:
        return {k: v for k, v in os.environ.items() if not k.startswith("CASEVAULT_")}

    def _start(self) -> None:
        command = [sys.executable, "-m", "casevault", "serve", "--workers", "2"]
        with self.log.open("wb") as log:
            self._server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*command, "--config", str(self._config)],
                stdout=log,
                stderr=log,
                env=self._environment(),
            )
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._server.poll() is None:
            try:
                if self.call("GET", "/readyz").status == 200:
                    return
            except (URLError, ConnectionError):
                pass
            time.sleep(0.02)
        # Nobody else will: what failed to begin must not go on trying behind our back.
        self._server.terminate()
        raise Busy("The demo's server did not start.", code="demo.server")


def _answer(status: int, headers: dict[str, str], raw: bytes) -> Answer:
    lowered = {name.lower(): value for name, value in headers.items()}
    # Pages are for people; everything else is JSON.
    if "html" in lowered.get("content-type", ""):
        return Answer(status, lowered, raw.decode())
    if "content-disposition" in lowered:
        return Answer(status, lowered, raw)
    return Answer(status, lowered, json.loads(raw) if raw else None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
