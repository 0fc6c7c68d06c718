"""Logs: JSON lines with allow-listed keys; what is not on the list does not come out.

No raw path, no address, no exception text, no local variable. An exception is named by its class.
Everything that libraries log through `logging` comes out as logger name and level only.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

ALLOWED = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "request_id",
        "route",
        "method",
        "status",
        "duration_ms",
        "actor",
        "slug",
        "code",
        "worker",
        "count",
        "phase",
        "port",
        "workers",
        "version",
        "dialect",
        "exception_type",
        "logger",
        "dropped",
    }
)
# Templates, slugs, pseudonyms and dates; no space, so that no name or sentence fits.
_SAFE = re.compile(r"[A-Za-z0-9_.:/{}+\-]{0,120}")
_EVENT = re.compile(r"[a-z0-9_. -]{1,80}")
_REDACTED = "[redacted]"


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send our events and those of libraries through the allow-list to `stream` (stderr)."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            allow_listed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("Any", _Lossy(stream or sys.stderr))),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "sqlalchemy"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.captureWarnings(True)
    # A handler that fails would print the record with its arguments.
    logging.raiseExceptions = False


def silence_crashes() -> None:
    """Name what nobody caught by its class, where Python would print the text of it.

    For processes that serve: whoever reads their log must not read what people wrote.
    """
    sys.excepthook = lambda kind, _error, _trace: _crashed(kind)
    threading.excepthook = lambda crash: _crashed(crash.exc_type)
    sys.unraisablehook = lambda crash: _crashed(crash.exc_type)


def _crashed(kind: type[BaseException]) -> None:
    get_logger().error("crash", exception_type=kind.__name__)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return a logger; events are constants such as ``request``."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger())


def allow_listed(
    _logger: object, _method: str, event_dict: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """Keep what is on the list and looks harmless; count the rest."""
    kept = {key: _safe(value) for key, value in event_dict.items() if key in ALLOWED}
    # Our events are constants of several words; a value of several words is a sentence.
    event = event_dict.get("event")
    fits = isinstance(event, str) and _EVENT.fullmatch(event)
    kept["event"] = event if fits else _REDACTED
    dropped = len(event_dict) - len(kept)
    return kept | ({"dropped": dropped} if dropped else {})


def _safe(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and _SAFE.fullmatch(value):
        return value
    return _REDACTED


class _Lossy:
    """A stream that may fail: a full disk costs lines of the log, never a request.

    What must not be lost is on the ledger.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _Bridge(logging.Handler):
    """Lets other people's log records through as name and level, never as text."""

    def emit(self, record: logging.LogRecord) -> None:
        exception = record.exc_info[0] if record.exc_info else None
        # Libraries have levels of their own between and below the five that everybody has.
        level = max(logging.DEBUG, min(record.levelno // 10 * 10, logging.CRITICAL))
        get_logger().log(
            level,
            "library",
            logger=record.name,
            exception_type=None if exception is None else exception.__name__,
        )
