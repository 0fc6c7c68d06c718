"""``casevault serve``: the HTTP service, one parent and several workers."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import typer
import uvicorn

from casevault import bootstrap, logs
from casevault.cli.output import ConfigOption, say, settings_from
from casevault.config import CONFIG_VARIABLE, DEFAULT_FILE


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
    _no_core_dumps()
    bootstrap.begin_service(settings)
    # The workers are fresh processes and read the same file.
    os.environ[CONFIG_VARIABLE] = str(
        (config or Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_FILE))).resolve()
    )
    chosen = port or settings.port
    say(f"CaseVault on http://{settings.host}:{chosen}, documentation under /docs")
    uvicorn.run(
        "casevault.api.app:from_environment",
        factory=True,
        host=settings.host,
        port=chosen,
        workers=workers or settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
        limit_concurrency=512,
        h11_max_incomplete_event_size=16_384,
    )


def _no_core_dumps() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
