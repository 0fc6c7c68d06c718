"""The process from which the workers of a service are forked: it has loaded the program already.

Started before the service's own process has loaded what it needs, so that both load at the same
time. It holds no secret, no connection and no thread: a worker gets what it needs through a pipe.
Loads nothing but the standard library.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

APPLICATION = "casevault.api.app"


def prepare(module: str = APPLICATION) -> None:
    """Start it, unless it runs, and let it load a module."""
    context().set_forkserver_preload([module])
    forkserver.ensure_running()


def context() -> ForkServerContext:
    """Return what starts processes there."""
    return multiprocessing.get_context("forkserver")


def drop() -> None:
    """End it: a service of one process needs no other. Does nothing if it does not run."""
    # Python has no public way; without one it would live as long as this process.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
