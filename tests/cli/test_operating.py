"""Operators and the running service: a socket that hears its own account and root, and bounds all.

The verbs here are made up where the socket itself is looked at, and real where a service runs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from casevault import errors, host
from casevault.cli import operating, operator_socket, unlocking
from casevault.cli.operating import At, Verb, dispatch, operate
from casevault.cli.verbs import VERBS
from casevault.config import Settings
from casevault.crypto.roots import NO_KEY
from casevault.errors import Busy, CaseVaultError, Invalid, MediumFault, Misconfigured, Refused
from tests.cli.processes import casevault, here, init, serving

SECRET = "made up words that open the roots"
NOBODY = 65_534


@pytest.fixture
def memory() -> Iterator[Path]:
    """Give a folder in memory."""
    folder = Path(tempfile.mkdtemp(prefix="casevault-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(memory: Path) -> Settings:
    """Give the settings of a vault that nobody opens."""
    return Settings(organisation_id=UUID(int=7), runtime_dir=memory, root_fingerprint="0" * 64)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the made-up verb is told."""

    text: str = ""
    number: int = 0
    sure: bool = False


def _echo(at: At, wish: Wish) -> operating.Result:
    at.say(f"doing {wish.text}")
    return {"text": wish.text, "number": wish.number, "sure": wish.sure}


def _fails(_at: At, _wish: Wish) -> operating.Result:
    raise MediumFault("The medium is full.", code="medium.full", hint="Take another.")


def _crashes(_at: At, _wish: Wish) -> operating.Result:
    raise RuntimeError("a word of a case")


ECHO, FAILS, CRASHES = (Verb(act.__name__, Wish, act) for act in (_echo, _fails, _crashes))
MADE_UP = {verb.name: verb for verb in (ECHO, FAILS, CRASHES)}


class NoStores:
    """Stores of a vault that is not opened."""

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def listening(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Answer operators with the made-up verbs; give the socket."""
    monkeypatch.setattr(operating.bootstrap, "open_stores", lambda *_a, **_k: NoStores())
    with operator_socket.serving(settings, dispatch(settings, NO_KEY, MADE_UP)) as path:
        yield path


def raw(path: Path, sent: bytes) -> list[dict]:
    """Send bytes as they are; return the lines that come back."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        data = b""
        try:
            while part := connection.recv(65_536):
                data += part
        except ConnectionResetError:
            pass
    return [json.loads(line) for line in data.splitlines()]


# --- the socket ----------------------------------------------------------------------------------


def test_the_socket_is_private_and_goes_with_the_service(settings, listening, memory):
    """0600 in a 0700 folder in memory."""
    assert listening.stat().st_mode & 0o777 == 0o600
    assert listening.parent.stat().st_mode & 0o777 == 0o700
    assert listening.parent == memory / str(settings.organisation_id)


def test_nothing_is_left_when_it_ends(settings, monkeypatch):
    """No file, and whoever asks then is told that no service runs."""
    with operator_socket.serving(settings, dispatch(settings, NO_KEY, MADE_UP)) as path:
        assert path.exists()
    assert not path.exists()
    assert operator_socket.connect(settings) is None


def test_what_a_killed_service_left_is_no_service(settings):
    """A stale socket is passed over, and the next service takes its place."""
    host.open_runtime_folder(settings)
    path = host.runtime_folder(settings) / operator_socket.NAME
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    assert path.exists()
    assert operator_socket.connect(settings) is None
    with operator_socket.serving(settings, dispatch(settings, NO_KEY, MADE_UP)):
        connection = operator_socket.connect(settings)
        assert connection is not None
        connection.close()


def test_a_folder_whose_path_is_too_long_is_a_sentence(settings, memory):
    """A Unix socket's path has at most 107 bytes."""
    far = settings.model_copy(update={"runtime_dir": memory / ("x" * 90)})
    with (
        pytest.raises(Misconfigured) as caught,
        operator_socket.serving(far, dispatch(far, NO_KEY, MADE_UP)),
    ):
        pass
    assert caught.value.code == "operator.socket"


def _as_another_account(path: Path) -> int:
    """Connect from a child with another uid; 1: refused unheard, 2: answered, 3: not let in."""
    child = os.fork()
    if child == 0:
        code = 4
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            try:
                lines = raw(path, b'{"verb": "_echo", "arguments": {}}\n')
                code = 2 if lines else 1
            except PermissionError:
                code = 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another account")
def test_another_account_is_not_heard(listening, memory):
    """The folder and the mode keep it out; were they open, the kernel's word would."""
    assert _as_another_account(listening) == 3
    for place in (memory, listening.parent):
        place.chmod(0o755)
    listening.chmod(0o666)
    assert _as_another_account(listening) == 1
    assert raw(listening, b'{"verb": "no", "arguments": {}}\n')


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another account")
def test_a_strangers_socket_is_not_believed(listening, settings, memory, monkeypatch):
    """Whoever is not root asks a service of the own account only."""
    monkeypatch.setattr(operator_socket.os, "getuid", lambda: NOBODY)
    with pytest.raises(Refused) as caught:
        operator_socket.connect(settings)
    assert caught.value.code == "operator.peer"


GOOD = {"text": "", "number": 0, "sure": False}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'{"verb": "_echo"}\n',
        b'{"verb": 7, "arguments": {}}\n',
        b'{"verb": "_echo", "arguments": []}\n',
        b'{"verb": "_echo", "arguments": {}, "more": 1}\n',
        b'{"verb": "unknown", "arguments": {}}\n',
        b'{"verb": "_echo", "arguments": {}}',
        b'{"verb": "_echo", "verb": "_echo", "arguments": {}}\n',
        b'{"verb": "_echo", "arguments": {"number": NaN}}\n',
        b"\xff\xfe\n",
        b"[" * 5000 + b"\n",
        b"x" * 100_000,
        *(
            json.dumps({"verb": "_echo", "arguments": told}).encode() + b"\n"
            for told in (
                {},
                GOOD | {"other": 1},
                GOOD | {"number": True},
                GOOD | {"number": 1.5},
                GOOD | {"sure": 1},
                GOOD | {"text": None},
                GOOD | {"text": ["x"]},
            )
        ),
    ],
)
def test_whatever_is_no_request_is_one_error(listening, sent):
    """And the next request is heard."""
    (answer,) = raw(listening, sent)
    assert answer["error"]["class"] == "Invalid"
    assert answer["error"]["code"].startswith(("operator.request", "json."))
    good = json.dumps({"verb": "_echo", "arguments": GOOD}).encode() + b"\n"
    assert raw(listening, good)[-1] == {"done": GOOD}


def test_who_says_nothing_is_not_waited_for(listening, monkeypatch):
    """A request that does not come ends the conversation."""
    monkeypatch.setattr(operator_socket, "_REQUEST_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(listening))
        assert b"operator.request" in connection.recv(4096)
        assert connection.recv(4096) == b""


# --- verbs ---------------------------------------------------------------------------------------


def test_a_verb_is_done_by_the_service(settings, listening, monkeypatch):
    """What it says comes back as it goes, and then what came of it."""
    said: list[str] = []
    monkeypatch.setattr(operating, "say", said.append)
    monkeypatch.setattr(unlocking, "open_stores", None)
    wish = Wish("ünïcode\n", -3, sure=True)
    assert operate(settings, ECHO, wish) == {"text": "ünïcode\n", "number": -3, "sure": True}
    assert said == ["doing ünïcode\n"]


def test_what_a_verb_raises_is_raised_where_it_was_asked_for(settings, listening):
    """With class, code and hint, so that exit codes are the same either way."""
    with pytest.raises(MediumFault) as caught:
        operate(settings, FAILS, Wish())
    error = caught.value
    assert (error.detail, error.code, error.hint) == (
        "The medium is full.",
        "medium.full",
        "Take another.",
    )


def test_a_crash_gives_no_text_away(settings, listening, capsys):
    """Its words may be anybody's."""
    with pytest.raises(CaseVaultError) as caught:
        operate(settings, CRASHES, Wish())
    assert "case" not in caught.value.detail.replace("CaseVault", "")
    printed = capsys.readouterr()
    assert "a word of a case" not in printed.out + printed.err


def test_every_error_of_ours_comes_back_as_itself():
    """The closed tree, whole."""
    kinds = [k for k in vars(errors).values() if isinstance(k, type)]
    for kind in (k for k in kinds if issubclass(k, CaseVaultError)):
        again = operator_socket._error(operator_socket._told(kind("d", code="c", hint="h")))
        assert (type(again), again.detail, again.code, again.hint) == (kind, "d", "c", "h")


def test_what_is_said_arrives_before_the_end(settings, monkeypatch):
    """And some wait when several things are done at once; one too many is told so."""
    heard, go = threading.Semaphore(0), threading.Event()

    def waits(_name, _told, tell):
        tell("half")
        assert go.wait(20)
        return {}

    with operator_socket.serving(settings, waits) as path:
        line = b'{"verb": "x", "arguments": {}}\n'

        def ask():
            connection = operator_socket.connect(settings)
            assert connection is not None
            with connection:
                operator_socket.ask(connection, "x", {}, lambda _text: heard.release())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert heard.acquire(timeout=20)
        assert raw(path, line)[0]["error"]["code"] == "operator.busy"
        go.set()
        for thread in threads:
            thread.join(20)
        until = time.monotonic() + 20
        while "done" not in raw(path, line)[-1]:
            assert time.monotonic() < until


def test_a_service_that_ends_in_between_says_to_run_it_again(settings):
    """The work is gone on with: every verb can be repeated."""
    with pytest.raises(Busy) as caught, socket.socket(socket.AF_UNIX) as listening:
        path = host.open_runtime_folder(settings) / operator_socket.NAME
        listening.bind(str(path))
        listening.listen()
        connection = operator_socket.connect(settings)
        assert connection is not None
        other, _ = listening.accept()
        other.close()
        with connection:
            operator_socket.ask(connection, "x", {}, print)
    assert caught.value.code == "operator.ended"


def test_verbs_have_names_of_their_own_and_simple_wishes():
    """What stands in the table can be asked for."""
    for name, verb in VERBS.items():
        assert name == verb.name
        told = {f.name: operating._TYPES[str(f.type)]() for f in dataclasses.fields(verb.wish)}
        assert operating._wish(verb.wish, told) == verb.wish(**told)
        with pytest.raises(Invalid):
            operating._wish(verb.wish, {"no such": 1})


# --- a service whose roots are sealed ------------------------------------------------------------


def test_a_timer_works_through_the_service_without_any_key(tmp_path, memory, capsys, monkeypatch):
    """`keys roll` in a process that cannot open the roots: the service does it, and goes on."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert init(tmp_path, memory).code == 0
    config, medium = tmp_path / "casevault.toml", tmp_path / "medium"
    medium.mkdir()
    config.write_text(config.read_text() + f'second_medium = "{medium}"\n')
    reading, writing = os.pipe()
    os.write(writing, SECRET.encode())
    os.close(writing)
    assert here(capsys, "keys", "seal", "-c", config, "--new-fd", reading).code == 0
    reading, writing = os.pipe()
    os.write(writing, SECRET.encode())
    os.close(writing)
    options = ("--workers", "2", "--unlock-fd", reading)
    with serving(config, tmp_path, *options, pass_fds=(reading,)) as service:
        os.close(reading)
        for pid in (service.process.pid, *service.workers()):
            for name in ("cmdline", "environ"):
                assert SECRET.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
        rolled = casevault("keys", "roll", "-c", config, "--new-medium", "--json")
        assert rolled.code == 0, rolled.err
        assert rolled.data["epoch"] == 2
        assert rolled.data["moved"] > 0
        assert "Rolling" in rolled.err
        counted = here(capsys, "keys", "status", "-c", config, "--json")
        uses = counted.data["uses"]
        assert {row["version"] for row in uses if row["key"] == "epoch"} == {2}
        assert here(capsys, "keys", "sweep", "-c", config).code == 0
        until = time.monotonic() + 30
        while not all(service.ready() for _ in range(4)):
            assert time.monotonic() < until, service.log.read_text()
    after = here(capsys, "keys", "status", "-c", config)
    assert (after.code, after.out) == (1, "")
    assert "nobody to ask" in after.err
