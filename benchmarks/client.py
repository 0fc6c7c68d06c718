"""Requests of the bench: kept connections, blocks of requests shared among threads."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
KEPT_SECONDS = 2.0
TWIN = (
    "from casevault.cli import workers; workers.prepare('benchmarks.twin');"
    " from benchmarks import twin; twin.main()"
)
# Much more than a start takes, so that a busy machine costs time and not the run.
START_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Send:
    """One request of a block."""

    method: str
    path: str
    body: object = None
    etag: str | None = None


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Client:
    """One person at one server, on a kept connection."""

    def __init__(self, port: int, token: str = "") -> None:
        self.port, self.token = port, token
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._used = 0.0

    def send(self, one: Send) -> Any:  # noqa: ANN401 - JSON
        """Send one request; return the JSON."""
        if time.monotonic() - self._used > KEPT_SECONDS:
            # The server may have closed it.
            self._connection.close()
        self._used = time.monotonic()
        if self._connection.sock is None:
            self._connection.connect()
            # Header and body are two sends; without this the kernel waits 40 ms between them.
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if one.etag is not None:
            headers["If-Match"] = one.etag
        body = None if one.body is None else json.dumps(one.body)
        self._connection.request(one.method, one.path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status < 300, (answer.status, one.path, content[:300])
        return json.loads(content) if content else None

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Send a POST."""
        return self.send(Send("POST", path, body))

    def rate(self, block: list[Send], threads: int) -> float:
        """Return requests per second of `threads` clients that share the block."""

        def work(mine: list[Send]) -> None:
            client = Client(self.port, self.token)
            for one in mine:
                client.send(one)
            client.close()

        workers = [threading.Thread(target=work, args=(block[n::threads],)) for n in range(threads)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return len(block) / (time.perf_counter() - began)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def start_twin(folder: Path) -> tuple[subprocess.Popen[bytes], int, float]:
    """Start the twin with the same server settings; return it, its port and its cold start."""
    port = free_port()
    environment = {**os.environ, "TWIN_URL": f"sqlite:///{folder}/twin.db", "PYTHONPATH": str(ROOT)}
    # As `casevault serve` does it: what the workers need is loaded while the rest is.
    command = [sys.executable, "-c", TWIN, str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603
    try:
        return process, port, wait_for(port, began)
    except BaseException:
        process.terminate()
        raise


def wait_for(port: int, began: float) -> float:
    """Return the seconds from `began` until /readyz answers."""
    while time.perf_counter() - began < START_SECONDS:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return time.perf_counter() - began
        except OSError:
            time.sleep(0.02)
    raise SystemExit("a server did not start")
