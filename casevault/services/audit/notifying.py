"""Calling people by a command of the programme: a kind and a count, and nothing else.

The command is run without a shell, in a thread of its own and with a time limit, so that neither a
request nor the caretaker waits for it. Must never be given an id, a name or a reason.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from enum import StrEnum

from casevault.logs import get_logger

TIMEOUT_SECONDS = 20.0


class Notifier:
    """Runs `command` with a kind and a count; with an empty one, does nothing."""

    def __init__(self, command: Sequence[str], timeout: float = TIMEOUT_SECONDS) -> None:
        self._command = tuple(command)
        self._timeout = timeout

    def tell(self, notice: StrEnum, count: int) -> None:
        """Begin to call people; return at once."""
        self.say(notice.value, count)

    def alert(self, rule: str, count: int) -> None:
        """Begin to call people about alerts of one rule."""
        self.say("alert-" + rule, count)

    def say(self, kind: str, count: int) -> None:
        """Begin to call people with a kind of our own list and a count; return at once."""
        if self._command:
            words = (*self._command, kind, str(count))
            threading.Thread(target=self._run, args=(words,), name="notify", daemon=True).start()

    def _run(self, words: Sequence[str]) -> None:
        try:
            done = subprocess.run(  # noqa: S603 - from the configuration file only, and no shell
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self._timeout,
                check=False,
                # Settings in the environment may hold a password of a database.
                env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            )
        except (OSError, subprocess.SubprocessError):
            get_logger().error("notify command failed", slug="notify", code="notify.failed")
            return
        if done.returncode != 0:
            get_logger().error("notify command failed", slug="notify", code="notify.status")
