"""A headless Chromium, driven through two pipes by the DevTools protocol. Nothing is tested here.

with Browser(folder) as browser:
    browser.visit("http://127.0.0.1:8000/v1/collect/…")
    browser.run("document.title")
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

_SECONDS = 60.0


class Browser:
    """One page in one browser, without scripts of pages, profile or network but loopback."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium")
        if program is None:
            pytest.skip("Debian package: chromium")
        self._number = 0
        reads, self._write = os.pipe()
        self._read, writes = os.pipe()
        # Chromium reads from 3 and writes to 4.
        shell = f'exec "$@" 3<&{reads} 4>&{writes}'
        self._process = subprocess.Popen(
            [
                *("/bin/bash", "-c", shell, "browser", program),
                *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
                *("--no-first-run", "--disable-background-networking", "--disable-sync"),
                *("--no-proxy-server", f"--user-data-dir={folder / 'profile'}", "about:blank"),
            ],
            pass_fds=(reads, writes),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._buffer = b""
        targets = self._ask("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._ask("Page.enable", here=True)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._write)
        os.close(self._read)

    def visit(self, url: str) -> None:
        """Open an address and wait until it is there."""
        self._ask("Page.navigate", here=True, url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def run(self, words: str) -> Any:
        """Return what an expression of the tester's is worth in the page."""
        found = self._ask("Runtime.evaluate", here=True, expression=words, returnByValue=True)
        return found["result"].get("value")

    def wait(self, words: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            if self.run(words) is True:
                return
            time.sleep(0.05)
        raise AssertionError(f"the browser never saw: {words}")

    def press(self, until: str) -> None:
        """Press the page's button and wait for what it leads to."""
        self.run("document.querySelector('button').click()")
        self.wait(until)

    def picture(self, file: Path) -> None:
        """Keep a picture of the page."""
        found = self._ask("Page.captureScreenshot", here=True, captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def paper(self) -> bytes:
        """Return the page as it is printed (PDF)."""
        return base64.b64decode(self._ask("Page.printToPDF", here=True)["data"])

    def _ask(self, method: str, *, here: bool = False, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if here:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                # While a page goes to the next one, there is nothing to ask.
                return answer.get("result", {"result": {}})

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            found = os.read(self._read, 1 << 16)
            if not found:
                raise AssertionError("the browser is gone")
            self._buffer += found
        line, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(line))
