"""The demo's voice: a line each step, and the detail of one step for who asks."""

from __future__ import annotations

import sys


class Narrator:
    """Prints plain lines to stdout."""

    def __init__(self, detailed: str | None) -> None:
        self._detailed = detailed

    def line(self, text: str) -> None:
        """Print a line of the story."""
        print(text)
        sys.stdout.flush()

    def detail(self, step: str, text: str) -> None:
        """Print a line only for who asked for this step's detail."""
        if step == self._detailed:
            self.line(f"      · {text}")

    def verdict(self, passed: bool, text: str) -> bool:
        """Print PASS or FAIL; return whether it passed."""
        self.line(f"  {'PASS' if passed else 'FAIL'}  {text}")
        return passed
