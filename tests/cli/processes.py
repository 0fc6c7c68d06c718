"""The command line as people run it: a process of its own, its output, its exit code."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from casevault.cli import app as command_line

PEOPLE = {
    "sue": ("Sue Supervisor-Madeup", "supervisor"),
    "dora": ("Dora Protection-Madeup", "dpo"),
    "ada": ("Ada Auditor-Madeup", "auditor"),
    "adi": ("Adi Administrator-Madeup", "administrator"),
}
PASSPHRASES = {login: f"made up words of {login} for this test only" for login in PEOPLE}


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str = field(repr=False)

    @property
    def data(self):
        """Its output as JSON."""
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a command: ours without settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CASEVAULT_")}
    return kept | {"COLUMNS": "200"} | more


def here(capsys: pytest.CaptureFixture[str], *arguments: object) -> Done:
    """Run a command in this process, with the way out that the real one has."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["casevault", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
            raise SystemExit(0)
    printed = capsys.readouterr()
    return Done(int(ended.value.code or 0), printed.out, printed.err)


def casevault(
    *arguments: object, cwd: Path | None = None, pass_fds: tuple[int, ...] = (), **more: str
) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "casevault", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        pass_fds=pass_fds,
        capture_output=True,
        text=True,
        # Much more than any of them takes: a busy machine is no failure.
        timeout=180,
        env=environment(**more),
        cwd=cwd,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def answers(folder: Path, runtime: Path, **more: object) -> Path:
    """Write the answers of a ceremony."""
    values = {
        "organisation": "Example Red Cross (made up)",
        "ledger_origin": "example.org/casevault/test",
        "kdf_profile": "small",
        "runtime_dir": str(runtime),
        **more,
    }
    lines = [f"{name} = {_toml(value)}" for name, value in values.items()]
    for login, (name, role) in PEOPLE.items():
        lines += ["[[people]]", f'login = "{login}"', f'name = "{name}"', f'roles = ["{role}"]']
        lines += ['team = "North (made up)"'] if role == "supervisor" else []
    path = folder / "answers.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _ceremony(
    folder: Path, runtime: Path, arguments: tuple[object, ...], more: dict[str, object]
) -> tuple[list[object], int]:
    """Return the command of a ceremony and the descriptor that it reads passphrases from."""
    reading, writing = os.pipe()
    os.write(writing, json.dumps(PASSPHRASES).encode())
    os.close(writing)
    command = ["init", "-c", folder / "casevault.toml", "--passphrases-fd", reading]
    return [
        *command,
        "--plan",
        answers(folder, runtime, **more),
        *(() if "--confirm" in arguments else ("--rehearsal",)),
        *(word for word in arguments if word != "--confirm"),
    ], reading


def init(folder: Path, runtime: Path, *arguments: object, **more: object) -> Done:
    """Hold a ceremony in a folder: answers from a file, passphrases through a pipe."""
    command, reading = _ceremony(folder, runtime, arguments, more)
    try:
        return casevault(*command, pass_fds=(reading,))
    finally:
        os.close(reading)


def init_here(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    runtime: Path,
    *arguments: object,
    **more: object,
) -> Done:
    """Hold a ceremony in this process, which closes what it was given."""
    command, _ = _ceremony(folder, runtime, arguments, more)
    return here(capsys, *command)


def heeds_interrupts() -> None:
    """Undo, in a new process, what a shell does for what it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Service:
    """A service that runs."""

    process: subprocess.Popen
    log: Path
    port: int

    def client(self) -> httpx2.Client:
        """Return a client with connections of its own."""
        url = f"http://127.0.0.1:{self.port}"
        # Reading the authorities of the Web for each costs more than all the rest of it.
        return httpx2.Client(base_url=url, timeout=20, verify=False)

    def ready(self) -> bool:
        """Say whether it can serve."""
        with self.client() as client:
            try:
                return client.get("/readyz").status_code == 200
            except httpx2.TransportError:
                return False

    def workers(self) -> set[int]:
        """Return the processes that serve."""
        return set(workers_of(self.process.pid))


def workers_of(service: int) -> list[int]:
    """Return the workers of a service: they are forked from a child of its process."""
    forks = [pid for pid in _children(service) if b"forkserver" in _command(pid)]
    return sorted(pid for fork in forks for pid in _children(fork))


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def serving(
    config: Path, folder: Path, *arguments: object, pass_fds: tuple[int, ...] = ()
) -> Iterator[Service]:
    """Run `casevault serve` until the end of the block."""
    port, log = free_port(), folder / f"serve-{time.monotonic_ns()}.log"
    command = ["serve", "-c", config, "--port", port, *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "casevault", *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(),
            pass_fds=pass_fds,
            # Whoever runs the tests in the background may ignore it, and children inherit that.
            preexec_fn=heeds_interrupts,
        )
    service = Service(process, log, port)
    try:
        until = time.monotonic() + 90
        while not service.ready():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
