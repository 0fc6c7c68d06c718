"""``casevault serve``: the HTTP service, one parent and several workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import typer
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.importer import import_from_string
from uvicorn.supervisors import Multiprocess

from casevault import bootstrap, host, logs
from casevault.cli import operator_socket
from casevault.cli import workers as forks
from casevault.cli.operating import dispatch
from casevault.cli.output import ConfigOption, say, settings_from
from casevault.cli.unlocking import UnlockFdOption, key_of
from casevault.cli.verbs import VERBS
from casevault.config import CONFIG_VARIABLE, DEFAULT_FILE
from casevault.crypto.roots import RootsKey
from casevault.errors import Busy, Misconfigured

_REQUESTS_PER_WORKER = 100_000
_WAIT_SECONDS = 1.0
_PATIENCE_SECONDS = 120


def serve(
    config: Path | None = ConfigOption,
    workers: int | None = typer.Option(None, "--workers", min=1, max=64, help="Processes."),
    port: int | None = typer.Option(None, "--port", min=1, max=65_535, help="TCP port."),
    unlock_fd: int | None = UnlockFdOption,
) -> None:
    """Example: casevault serve --workers 4

    Serve the API until stopped. Sessions end when it stops: that is intended. Where the root
    material is sealed it asks once for what opens it. (operator)
    """
    settings = settings_from(config)
    logs.configure(settings.log_level)
    logs.silence_crashes()
    host.harden_process()
    # Whatever ends this process, what stands below in `finally` is done.
    signal.signal(signal.SIGTERM, _end)
    chosen, count = port or settings.port, workers or settings.workers
    with host.sole_service(settings), closing(listen(settings.host, chosen)) as listening:
        try:
            key = key_of(settings, unlock_fd)
            bootstrap.begin_service(settings, key)
            # The workers are processes of their own and read the same file.
            file = (config or Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_FILE))).resolve()
            with operator_socket.serving(settings, dispatch(settings, key, VERBS)):
                address = f"http://{_shown(settings.host)}:{chosen}"
                say(f"CaseVault on {address}, documentation under /docs")
                run(
                    _Worker(key, file),
                    listening,
                    count,
                    # Memory cannot be wiped in CPython; a worker that ends gives it back.
                    limit_max_requests=_REQUESTS_PER_WORKER if count > 1 else None,
                    limit_max_requests_jitter=_REQUESTS_PER_WORKER // 10,
                )
        finally:
            host.drop_boot_secret(settings)


@dataclass(frozen=True, slots=True)
class _Worker:
    """Makes a worker's application. What it holds goes through a pipe, not through arguments,
    environment or disk."""

    key: RootsKey
    config: Path

    def __call__(self) -> object:
        try:
            return import_from_string("casevault.api.app:of_worker")(self.key, self.config)
        except Busy as error:
            if multiprocessing.parent_process() is None:
                raise
            # A worker that is replaced while a database or the hardware token is away: its parent
            # would end the service if it failed to begin, and tries again if it dies.
            logs.get_logger().error("worker waits", slug=error.slug, code=error.code)
            time.sleep(_WAIT_SECONDS)
            os._exit(os.EX_TEMPFAIL)


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def listen(host: str, port: int) -> socket.socket:
    """Bind the address, before anything else happens that another service would notice.

    One socket for one worker and for many. Nagle's algorithm is off on it: asyncio turns it off
    only on sockets that name their protocol, and a socket handed from a parent to its workers does
    not, which costs every answer 40 ms.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise Misconfigured(
            "The address cannot be taken: another program may use the port. Choose another with"
            " --port, and check host.",
            code="serve.address",
        ) from None
    listening.set_inheritable(True)
    return listening


def run(
    factory: Callable[[], object] | str,
    listening: socket.socket,
    workers: int,
    **options: Any,  # noqa: ANN401 - uvicorn's own
) -> None:
    """Serve the application that `factory` (or "module:function") makes, until a signal ends it.

    A worker gets the factory pickled through a pipe, and is forked from `cli.workers`' process.

    :raises Misconfigured: a worker could not begin; it has logged why.
    """
    config = uvicorn.Config(
        factory,
        factory=True,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
        # A worker that is still importing answers no ping: on a busy machine five seconds, which
        # is the default, would kill and begin it again for ever.
        timeout_worker_healthcheck=_PATIENCE_SECONDS,
        limit_concurrency=512,
        h11_max_incomplete_event_size=16_384,
        **options,
    )
    if workers == 1:
        forks.drop()
        server = uvicorn.Server(config)
        server.run(sockets=[listening])
        began = server.started
    else:
        # Its default is a fresh interpreter for each worker, which loads everything anew.
        uvicorn._subprocess.spawn = forks.context()  # type: ignore[assignment]
        parent = Multiprocess(config, sockets=[listening])
        parent.run()
        began = all(process.exitcode != STARTUP_FAILURE for process in parent.processes)
    if not began:
        raise Misconfigured("The service could not begin; the log says why.", code="serve.start")
