"""Logs: JSON lines with allow-listed keys; what is not on the list does not come out.

No raw path, no address, no exception text, no local variable. An exception is named by its class.
Everything that libraries log through `logging` comes out as logger name and level only.
"""

from __future__ import annotations

import logging
import re
import sys
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
_SAFE = re.compile(r"[A-Za-z0-9_.:/{}+\- ]{0,200}")
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
        logger_factory=structlog.WriteLoggerFactory(cast("Any", stream or sys.stderr)),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "sqlalchemy"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.captureWarnings(True)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return a logger; events are constants such as ``request``."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger())


def allow_listed(
    _logger: object, _method: str, event_dict: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """Keep what is on the list and looks harmless; count the rest."""
    kept = {key: _safe(value) for key, value in event_dict.items() if key in ALLOWED}
    event = kept.get("event")
    if not isinstance(event, str) or not _EVENT.fullmatch(event):
        kept["event"] = _REDACTED
    dropped = len(event_dict) - len(kept)
    return kept | ({"dropped": dropped} if dropped else {})


def _safe(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and _SAFE.fullmatch(value):
        return value
    return _REDACTED


class _Bridge(logging.Handler):
    """Lets other people's log records through as name and level, never as text."""

    def emit(self, record: logging.LogRecord) -> None:
        exception = record.exc_info[0] if record.exc_info else None
        get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            exception_type=None if exception is None else exception.__name__,
        )
