"""The real service in a process of its own, over the databases of a world. Nothing is tested here.

with running(world, folder) as served:
    served.get("/v1/me", "cara")      # over loopback HTTP
    served.output.read_bytes()        # all that the process wrote
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

import httpx2

from casevault.host import BOOT_SECRET
from tests.api.world import World
from tests.cli.processes import workers_of

_KEPT = (
    "organisation_id",
    "organisation_name",
    "root_fingerprint",
    "country",
    "kdf_profile",
    "ledger_origin",
    "data_url",
    "keyring_url",
    "keys_dir",
)
_START_SECONDS = 120.0


@dataclass
class Served(World):
    """A world whose requests go to a process of its own."""

    output: Path = Path()
    runtime: Path = Path()
    port: int = 0
    pid: int = 0

    @property
    def config(self) -> Path:
        """The configuration file that it was started with."""
        return self.output.with_name("casevault.toml")

    @property
    def workers(self) -> list[int]:
        """Return the processes that answer, where there are several."""
        return workers_of(self.pid)

    @contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Let one worker answer alone: the others are stopped until the end of the block."""
        others = [pid for pid in self.workers if pid != worker]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                # The parent replaces a worker that was silent for five seconds.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @property
    def served_boot_secret(self) -> bytes:
        """Without this, no session of that process opens."""
        return (self.runtime / str(self.settings.organisation_id) / BOOT_SECRET).read_bytes()


@contextmanager
def running(world: World, folder: Path, workers: int = 1) -> Iterator[Served]:
    """Serve a world by `casevault serve`, logging at debug level, until the end of the block."""
    # Sessions are sealed with a secret that may lie in memory only.
    runtime = Path(tempfile.mkdtemp(prefix="casevault-test-", dir="/dev/shm"))
    port = _free_port()
    served = _world(world, folder, runtime, port)
    command = [sys.executable, "-m", "casevault", "serve", "--workers", str(workers)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CASEVAULT_")}
    with served.output.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--config", str(_configured(served))],
            stdout=output,
            stderr=output,
            env=environment,
        )
        try:
            _wait(process, served)
            served.pid = process.pid
            yield served
        finally:
            served.client.close()
            process.terminate()
            process.wait(timeout=20)
            shutil.rmtree(runtime, ignore_errors=True)


def _world(world: World, folder: Path, runtime: Path, port: int) -> Served:
    values = {one.name: getattr(world, one.name) for one in fields(World)}
    url = f"http://127.0.0.1:{port}"
    values |= {"client": httpx2.Client(base_url=url, timeout=20), "_tokens": {}, "_shared": None}
    return Served(**values, output=folder / "server.log", runtime=runtime, port=port)


def _configured(served: Served) -> Path:
    path = served.config
    lines = [f'{name} = "{getattr(served.settings, name)}"' for name in _KEPT]
    lines += [
        f'runtime_dir = "{served.runtime}"',
        f"port = {served.port}",
        'log_level = "debug"',
        "declared_people = 20_000",
        "exchange_plain_loopback = true",
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


def _wait(process: subprocess.Popen[bytes], served: Served) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if served.client.get("/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise AssertionError("the service did not start: " + served.output.read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
