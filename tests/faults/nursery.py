"""Acts in processes of their own without a start each: a process that has loaded the program forks.

    python -m tests.faults.nursery

Reads one JSON line for each act (plan, act, number, moment), and writes one: what the act said and
how its process ended. Holds no connection and no thread. Nothing is tested here.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.faults import child

ROOT = Path(__file__).parents[2]
# An act that takes longer hangs: its process ends with a signal that no test expects.
_SECONDS = 60


class Nursery:
    """The process from which acts are forked, as long as this one lives."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        atexit.register(self.close)

    def close(self) -> None:
        """Let the process end: it has nothing more to read."""
        with self._process:
            pass

    def run(self, *act: str) -> tuple[str, int]:
        """Return what an act said, and its exit code (below 0: the signal that killed it)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(act).encode() + b"\n")
        self._process.stdin.flush()
        said, code = json.loads(self._process.stdout.readline())
        return said, code


@functools.cache
def nursery() -> Nursery:
    """Return the nursery of this process."""
    return Nursery()


def run(plan: dict, act: str, number: int = 99, moment: str = "before") -> tuple[bool, bool]:
    """Run one act; return whether it was acknowledged and whether it was killed."""
    said, code = nursery().run(plan["file"], act, str(number), moment)
    assert code in (0, -signal.SIGKILL), (said, code)
    return "ACK" in said, code == -signal.SIGKILL


def _forked(act: list[str]) -> tuple[str, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        os.dup2(write, sys.stdout.fileno())
        signal.alarm(_SECONDS)
        try:
            child.main(*act)
            code = 0
        except BaseException as error:
            sys.stderr.write(f"{act[1]}: {type(error).__name__} {getattr(error, 'code', '')}\n")
            code = 1
        sys.stdout.flush()
        os._exit(code)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    return said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_forked(json.loads(line))) + "\n")
        sys.stdout.flush()
