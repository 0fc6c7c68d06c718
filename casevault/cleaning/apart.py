"""Cleaning in a process apart: what the product calls.

Nothing of the parent goes over but the bytes and their kind: no environment, no file, no key.
"""

from __future__ import annotations

import subprocess
import sys
import threading

from casevault.cleaning import MAX_BYTES
from casevault.cleaning.child import REFUSED
from casevault.cleaning.faults import SENTENCES
from casevault.errors import Busy, FieldError, Invalid

_WAIT_SECONDS = 30.0
# Of the clock; `child` limits the processor's time.
_MOST_SECONDS = 90.0


class Cleaner:
    """Cleans files, no more than `at_once` at a time."""

    def __init__(self, at_once: int = 2) -> None:
        self._slots = threading.BoundedSemaphore(at_once)

    def cleaned(self, content: bytes, media_type: str) -> bytes:
        """Return the content as its kind shows it, and nothing else.

        :raises Invalid: it cannot be taken, and why.
        :raises Busy: too many wait already.
        """
        if not self._slots.acquire(timeout=_WAIT_SECONDS):
            raise Busy("Others are sending files. Try again in a moment.", code="file.busy")
        try:
            return _run(content, media_type)
        finally:
            self._slots.release()


def refusal(code: str) -> Invalid:
    """Return why a file is not taken."""
    known = code if code in SENTENCES else "file.broken"
    return Invalid(SENTENCES[known], code=known, errors=(FieldError("", known),))


def _run(content: bytes, media_type: str) -> bytes:
    command = [sys.executable, "-I", "-m", "casevault.cleaning.child", media_type]
    with subprocess.Popen(  # noqa: S603 - our own interpreter, and a kind from a closed list
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    ) as process:
        try:
            out, _ = process.communicate(content, timeout=_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise refusal("file.broken") from None
    if process.returncode == REFUSED:
        raise refusal(out.decode("ascii", "replace"))
    if process.returncode != 0 or not 0 < len(out) <= MAX_BYTES:
        raise refusal("file.broken")
    return out
