"""The helper processes of one worker: started at the first large search, ended with the worker.

One search at a time. When the client is gone the helpers are ended, whatever they were reading,
and started anew for the next search.
"""

from __future__ import annotations

import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import cycle
from typing import BinaryIO

from casevault.errors import Busy
from casevault.matching.people import Person
from casevault.store.search import helper
from casevault.store.search.card_reading import Stack
from casevault.store.search.helper import Answer, Begin, End

_WAIT_SECONDS = 10.0
_SEARCH_SECONDS = 60.0
_LOOK_SECONDS = 0.05
Gone = Callable[[], bool]


class Helpers:
    """The processes that search for one worker."""

    def __init__(self, data_url: str, count: int) -> None:
        self._url = data_url
        self._count = count
        self._lock = threading.Lock()
        self._running: list[_Helper] = []

    def search(
        self, asked: Person, limit: int, stacks: Iterable[Stack], is_gone: Gone
    ) -> list[Answer]:
        """Let all helpers read these stacks; return what each found.

        :raises Busy: another search does not end, the database does not answer, or nobody waits.
        """
        self._wait(is_gone)
        try:
            return self._search(asked, limit, stacks, is_gone)
        except BaseException:
            # Whatever they are in the middle of, nobody wants it any more.
            self._end()
            raise
        finally:
            self._lock.release()

    def pids(self) -> list[int]:
        """Return the ids of the processes that are running: the bench weighs them."""
        return [one.pid for one in self._running if one.is_alive()]

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._end()

    def _search(
        self, asked: Person, limit: int, stacks: Iterable[Stack], is_gone: Gone
    ) -> list[Answer]:
        self._start()
        for one in self._running:
            one.send(Begin(asked, limit))
        for one, stack in zip(cycle(self._running), stacks, strict=False):
            if is_gone():
                raise _nobody()
            one.send(stack)
        for one in self._running:
            one.send(End())
        until = time.monotonic() + _SEARCH_SECONDS
        answers = [one.answer(until, is_gone) for one in self._running]
        if any(answer.failed for answer in answers):
            raise Busy("The database does not answer.", code="store.unavailable")
        return answers

    def _wait(self, is_gone: Gone) -> None:
        until = time.monotonic() + _WAIT_SECONDS
        while not self._lock.acquire(timeout=_LOOK_SECONDS):
            if is_gone():
                raise _nobody()
            if time.monotonic() > until:
                raise Busy("Others are searching. Try again in a moment.", code="search.busy")

    def _start(self) -> None:
        self._running = [one for one in self._running if one.is_alive()]
        while len(self._running) < self._count:
            self._running.append(_Helper(self._url))

    def _end(self) -> None:
        for one in self._running:
            one.end()
        self._running = []


class _Helper:
    """One process and its two pipes."""

    def __init__(self, data_url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "casevault.store.search.helper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.send(data_url)

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, message: helper.Message) -> None:
        try:
            helper.send(self._pipe(self._process.stdin), message)
        except (BrokenPipeError, ValueError):
            raise _failed() from None

    def answer(self, until: float, is_gone: Gone) -> Answer:
        pipe = self._pipe(self._process.stdout)
        while not select.select([pipe], [], [], _LOOK_SECONDS)[0]:
            if is_gone():
                raise _nobody()
            if time.monotonic() > until:
                raise Busy("The search takes too long.", code="search.slow")
        answer = helper.receive(pipe)
        if not isinstance(answer, Answer):
            raise _failed()
        return answer

    def end(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                self._pipe(pipe).close()
        self._process.wait()

    @staticmethod
    def _pipe(pipe: object) -> BinaryIO:
        if pipe is None:
            raise _failed()
        return pipe  # type: ignore[return-value]


def _nobody() -> Busy:
    return Busy("Nobody waits for this search any more.", code="search.gone")


def _failed() -> Busy:
    return Busy("The search was cut off. Try again.", code="search.cut-off")
