"""CaseVault beside its plaintext twin, in one run: ratios, because machines differ.

    python benchmarks/bench.py [--quick] [--out FOLDER]

Both are real servers with two workers on loopback, on SQLite; blocks of requests alternate.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from casevault.cli.demo.story import IDENTITY
from casevault.cli.demo.world import World
from casevault.crypto.principals import PrincipalSecret, wrap
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.ids import new_id

ROOT = Path(__file__).parent.parent
BLOCKS = 5


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def request(
    connection: http.client.HTTPConnection, method: str, path: str, token: str, body: object = None
) -> Any:  # noqa: ANN401 - JSON
    """Send one request on a kept connection; return the JSON."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status < 300, (answer.status, path)
    return json.loads(content) if content else None


def rate(port: int, token: str, method: str, paths: list[str], body: object, threads: int) -> float:
    """Return requests per second of `threads` clients that share the list of paths."""

    def work(mine: list[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.connect()
        # Header and body are two sends; without this the kernel waits 40 ms between them.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for path in mine:
            request(connection, method, path, token, body)
        connection.close()

    workers = [threading.Thread(target=work, args=(paths[n::threads],)) for n in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(paths) / (time.perf_counter() - began)


def resident(pid: int) -> float:
    """Return the largest resident size (MiB) among a process's children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    sizes = []
    for child in children:
        for line in Path(f"/proc/{child}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                sizes.append(int(line.split()[1]) / 1024)
    return max(sizes, default=0.0)


def cryptography_ms() -> float:
    """Return the time to open a case of ten documents: one unwrap, keys, manifest, documents."""
    person, link = PrincipalSecret.generate(), Key.random()
    place = Place(new_id(), "document", new_id(), new_id(), "identity")
    wrapped = wrap(person.public, link.material, b"info")
    rows = [seal(link, place, b"k" * 32) for _ in range(3)]
    documents = [seal(link, place, b"d" * 800) for _ in range(11)]
    times = []
    for _ in range(60):
        began = time.perf_counter()
        key = Key(person.unwrap(wrapped, b"info"))
        for sealed in rows + documents:
            unseal(key, place, sealed)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def start_twin(folder: Path) -> tuple[subprocess.Popen[bytes], int, float]:
    """Start the twin with the same server settings; return it, its port and its cold start."""
    port = free_port()
    environment = {**os.environ, "TWIN_URL": f"sqlite:///{folder}/twin.db", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.twin", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603
    return process, port, wait_for(port, began)


def wait_for(port: int, began: float) -> float:
    """Return the seconds from `began` until /readyz answers."""
    while time.perf_counter() - began < 40:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return time.perf_counter() - began
        except OSError:
            time.sleep(0.02)
    raise SystemExit("a server did not start")


def supervisor(world: World) -> str:
    """Return the token of somebody who may open cases."""
    return world.sign_in("sam")


def measure(quick: bool) -> list[tuple[str, str, str, str]]:
    """Run everything; return rows of name, vault, twin, ratio or goal."""
    count = 60 if quick else 240
    rows: list[tuple[str, str, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="casevault-bench-") as name:
        folder = Path(name)
        vault_folder = folder / "vault"
        vault_folder.mkdir()
        twin, twin_port, _ = start_twin(folder)
        try:
            world = World(vault_folder)
            began = time.perf_counter()
            with world:
                cold = time.perf_counter() - began
                rows = compare(world, twin_port, count)
                memory = resident(world.server_pid)
        finally:
            twin.terminate()
            twin.wait(timeout=15)
    rows.append(
        ("crypto of a case of 10 documents", f"{cryptography_ms():.2f} ms", "", "goal 1.5 ms")
    )
    rows.append(("cold start of serve", f"{cold:.2f} s", "", "goal 2 s"))
    rows.append(("resident memory of a worker", f"{memory:.0f} MiB", "", "goal 150 MB"))
    return rows


def compare(world: World, twin_port: int, count: int) -> list[tuple[str, str, str, str]]:
    """Alternate blocks between the two servers."""
    port, token = world.settings.port, supervisor(world)
    twin = http.client.HTTPConnection("127.0.0.1", twin_port, timeout=30)
    credentials = {"login": "sam", "passphrase": "made up words for the twin"}
    twin_token = request(twin, "POST", "/v1/auth/sessions", "", credentials)["token"]
    body = {"identity": IDENTITY}
    own = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    ours = [request(own, "POST", "/v1/cases", token, body)["id"] for _ in range(20)]
    theirs = [request(twin, "POST", "/v1/cases", twin_token, body)["id"] for _ in range(20)]
    own.close()
    twin.close()
    rows = []
    for threads in (1, 8):
        for label, method, sent in (("record", "POST", body), ("read", "GET", None)):
            pairs = []
            for _ in range(BLOCKS):
                vault_paths, twin_paths = (
                    ["/v1/cases"] * count
                    if method == "POST"
                    else [f"/v1/cases/{ids[n % 20]}/identity" for n in range(count)]
                    for ids in (ours, theirs)
                )
                left = rate(port, token, method, vault_paths, sent, threads)
                right = rate(twin_port, twin_token, method, twin_paths, sent, threads)
                pairs.append((left, right))
            ratios = sorted(left / right for left, right in pairs)
            rows.append(
                (
                    f"{label} a case, {threads} at a time",
                    f"{statistics.median(p[0] for p in pairs):.0f}/s",
                    f"{statistics.median(p[1] for p in pairs):.0f}/s",
                    f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}),"
                    " goal 0.5",
                )
            )
    return rows


def chart(rows: list[tuple[str, str, str, str]]) -> str:
    """Return the ratios as bars (SVG); the table stands beside it in results.txt."""
    found = [(name, float(note.split()[1])) for name, _, _, note in rows if "ratio" in note]
    bars = "".join(
        f'<text x="0" y="{20 + 30 * n}">{name}</text>'
        f'<rect x="220" y="{8 + 30 * n}" width="{200 * min(value, 2):.0f}" height="16"/>'
        f'<text x="{225 + 200 * min(value, 2):.0f}" y="{20 + 30 * n}">{value:.2f}</text>'
        for n, (name, value) in enumerate(found)
    )
    height = 30 * len(found) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="700" height="{height}" font-size="13"'
        f' font-family="sans-serif"><title>CaseVault / plaintext twin</title>{bars}'
        f'<line x1="320" y1="0" x2="320" y2="{height}" stroke="black" stroke-dasharray="3"/></svg>'
    )


def main() -> None:
    """Print the table; with --out also write it with a chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows = measure(chosen.quick)
    lines = [f"{name:<36}{left:>10}{right:>10}  {note}" for name, left, right, note in rows]
    table = "\n".join([f"{'':<36}{'vault':>10}{'twin':>10}", *lines])
    print(table)
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "results.txt").write_text(table + "\n")
        (chosen.out / "ratios.svg").write_text(chart(rows))


if __name__ == "__main__":
    main()
