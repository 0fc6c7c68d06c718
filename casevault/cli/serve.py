"""``casevault serve``: the HTTP service, one parent and several workers."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from casevault import bootstrap, logs
from casevault.cli.output import ConfigOption, say, settings_from
from casevault.config import CONFIG_VARIABLE, DEFAULT_FILE

_REQUESTS_PER_WORKER = 100_000


def serve(
    config: Path | None = ConfigOption,
    workers: int | None = typer.Option(None, "--workers", min=1, max=64, help="Processes."),
    port: int | None = typer.Option(None, "--port", min=1, max=65_535, help="TCP port."),
) -> None:
    """Example: casevault serve --workers 4

    Serve the API until stopped. Sessions end when it stops: that is intended. (operator)
    """
    settings = settings_from(config)
    logs.configure(settings.log_level)
    logs.silence_crashes()
    bootstrap.harden_process()
    bootstrap.begin_service(settings)
    # The workers are fresh processes and read the same file.
    os.environ[CONFIG_VARIABLE] = str(
        (config or Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_FILE))).resolve()
    )
    chosen, count = port or settings.port, workers or settings.workers
    say(f"CaseVault on http://{settings.host}:{chosen}, documentation under /docs")
    try:
        run(
            "casevault.api.app:from_environment",
            settings.host,
            chosen,
            count,
            # Memory cannot be wiped in CPython; a worker that ends gives it back.
            limit_max_requests=_REQUESTS_PER_WORKER if count > 1 else None,
            limit_max_requests_jitter=_REQUESTS_PER_WORKER // 10,
        )
    finally:
        bootstrap.drop_boot_secret(settings)


def run(factory: str, host: str, port: int, workers: int, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
    """Serve the application that `factory` ("module:function") makes, until a signal ends it.

    One socket is bound here for one worker and for many. Nagle's algorithm is off on it: asyncio
    turns it off only on sockets that name their protocol, and a socket handed from a parent to its
    workers does not, which costs every answer 40 ms.
    """
    config = uvicorn.Config(
        factory,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
        limit_concurrency=512,
        h11_max_incomplete_event_size=16_384,
        **options,
    )
    listening = config.bind_socket()
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listening])
    else:
        Multiprocess(config, sockets=[listening]).run()
