"""What a roll costs, part by part, and how long requests wait while one runs, on both databases.

    PYTHONPATH=. python benchmarks/rolls.py [rows] [sqlite|postgresql]

The rows are those of whole cases: keys, grants and their key rows. First the parts, one after the
other, for 100,000 rows: seconds, and processor seconds of this process (a server's are not in it);
beside them opening and sealing the same contents alone. Then a real service of two workers, whose
clients read, amend, write notes and open cases, and three rolls of so many rows beside them.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path

from benchmarks.client import Client, Send
from benchmarks.ledger import postgresql
from benchmarks.retention import _LATELY, made, say, whole
from casevault import bootstrap
from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.story import IDENTITY, Told, enrol_staff
from casevault.cli.demo.world import World
from casevault.crypto.sealing import Place, seal, unseal
from casevault.ids import new_id
from casevault.services.recovery import rolls
from casevault.services.recovery.rolls import Rolls
from casevault.store.recovery import capsules, media, rolling
from casevault.store.recovery.media import Medium
from tests.builders import AVault, a_clock, a_vault
from tests.conftest import Databases
from tests.integration.test_rolls import filled

_ROWS_OF_A_CASE = 15
_AT_ONCE = 500
CLIENTS, CALM_SECONDS = 4, 15
NOTE = {"type": "visit", "date": "2026-11-20", "text": "A made-up visit. " * 20}
# When a request began, and how long it took.
Wait = tuple[float, float]


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[Databases]:
    """Give two empty databases."""
    if kind == "postgresql":
        with postgresql() as found:
            yield found
    else:
        urls = (f"sqlite:///{folder / one}.db" for one in ("data", "keyring"))
        yield Databases("sqlite", *urls)


class Parts:
    """Seconds of each part of a roll, on the wall and of this process, for 100,000 rows."""

    def __init__(self, kind: str, rows: int) -> None:
        self._kind, self._by = kind, rows / 100_000

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Print how long the block took."""
        wall, own = time.perf_counter(), time.process_time()
        yield
        wall, own = time.perf_counter() - wall, time.process_time() - own
        say(self._kind, what, f"{wall / self._by:8.2f} s, of it processor {own / self._by:.2f}")


def parts(kind: str, rows: int) -> None:
    """Print what a roll costs, part by part."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casevault-bench-")))
        found = stack.enter_context(databases(kind, folder))
        vault = a_vault(found, folder, a_clock())
        stack.callback(vault.close)
        for at in range(0, rows // _ROWS_OF_A_CASE, _AT_ONCE):
            count = min(_AT_ONCE, rows // _ROWS_OF_A_CASE - at)
            whole(vault, made(vault, count, _LATELY, set()))
        medium = Medium(folder / "medium", vault.stores.roots.keyring_id)
        medium.take()
        bare(Parts(kind, rows), vault)
        part_by_part(kind, vault, medium)
        rolls.READERS_SECONDS = 0
        since = time.perf_counter()
        moved = Rolls(vault.stores, medium, 1).roll(erase_now=True).moved
        took = (time.perf_counter() - since) / moved * 100_000
        say(kind, "whole roll", f"{took:8.2f} s")


def bare(at: Parts, vault: AVault) -> None:
    """Print what opening and sealing cost without a database."""
    keyring = vault.stores.keyring
    with keyring.reading() as tx:
        found = [row.content for one in rolling.sealed_tables() for row in tx.find(one)]
    old, new = keyring.roots.epoch(1), keyring.roots.epoch(1)
    place = Place(keyring.organisation, "keyring/x", new_id())
    sealed = [seal(old, place, content) for content in found]
    with at.timed("open and seal alone"):
        for one in sealed:
            seal(new, place, unseal(old, place, one).content)


def part_by_part(kind: str, vault: AVault, medium: Medium) -> None:
    """Print what the parts of a roll cost; the second one, when files have grown."""
    stores, keyring = vault.stores, vault.stores.keyring
    to = Rolls(stores, medium, 1)._recipients()
    moved = rolling.move(keyring, rolling.switch(keyring))
    at = Parts(kind, moved)
    epoch = rolling.switch(keyring)
    with at.timed(f"move {moved:,} rows"):
        rolling.move(keyring, epoch)
    with at.timed("capsule, read back"):
        capsules.write_capsule(stores, medium, to, 1)
    with at.timed("keyring backup, read back"):
        written = capsules.write_keyring(stores, medium, to)
    with at.timed(f"  of it read back ({written.length / 1e6:.0f} MB)"):
        media._read_back(medium.folder / media.KEYRING, written)
    with at.timed("count and destroy"):
        rolling.destroy(keyring, epoch)


class Worker(threading.Thread):
    """A person at work: reads, amends, writes notes and opens cases, one after the other."""

    def __init__(self, port: int, token: str, seed: int, waits: dict[str, list[Wait]]) -> None:
        super().__init__(daemon=True)
        self._client, self._waits = Client(port, token), waits
        self._chance = random.Random(seed)  # noqa: S311 - a schedule
        self._case = self._client.post("/v1/cases", {"identity": IDENTITY})["id"]
        self._version, self.ended = 1, threading.Event()

    def run(self) -> None:
        """Work until the end."""
        acts: dict[str, Callable[[], Send]] = {
            "read": lambda: Send("GET", f"/v1/cases/{self._case}/identity"),
            "amend": self._amend,
            "note": lambda: Send("POST", f"/v1/cases/{self._case}/notes", {"content": NOTE}),
            "open": lambda: Send("POST", "/v1/cases", {"identity": IDENTITY}),
        }
        while not self.ended.is_set():
            name = self._chance.choice(("read", "read", *acts))
            one, began = acts[name](), time.perf_counter()
            self._client.send(one)
            self._waits[name].append((began, time.perf_counter() - began))
            time.sleep(0.02)

    def _amend(self) -> Send:
        self._version += 1
        return Send("PUT", f"/v1/cases/{self._case}/identity", IDENTITY, f'"v{self._version - 1}"')


def waiting(kind: str, rows: int) -> None:
    """Print how long requests to a real service wait before and during rolls."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casevault-bench-")))
        more: list[str] = []
        if kind == "postgresql":
            found = stack.enter_context(postgresql())
            more = [f'data_url = "{found.data_url}"', f'keyring_url = "{found.keyring_url}"']
        world = stack.enter_context(World(folder, more))
        told = Told()
        with redirect_stdout(io.StringIO()):
            enrol_staff(world, Narrator(None), told)
        world.operator("keys", "roll", "--new-medium")
        stores = bootstrap.open_stores(world.settings)
        filled(stores.keyring, rows)
        with stores.keyring.reading() as tx:
            rows = sum(tx.rows_by_epoch().values())
        stores.close()
        waits: dict[str, list[Wait]] = {name: [] for name in ("read", "amend", "note", "open")}
        port, token = world.settings.port, told.tokens["cara"]
        workers = [Worker(port, token, seed, waits) for seed in range(CLIENTS)]
        for one in workers:
            one.start()
        time.sleep(CALM_SECONDS)
        begun = time.perf_counter()
        for how in ([], ["--erase-now"], []):
            done = world.operator("keys", "roll", *how)
            assert done.returncode == 0, done.stderr.decode()[-300:]
        took = time.perf_counter() - begun
        assert all(one.is_alive() for one in workers)
        for one in workers:
            one.ended.set()
            one.join()
        say(kind, f"three rolls of {rows:,} rows, commands", f"{took:8.2f} s, of it 1 s of waiting")
        for name, found_waits in waits.items():
            told_of(kind, name, found_waits, begun, begun + took)


def told_of(kind: str, name: str, waits: list[Wait], begun: float, ended: float) -> None:
    """Print the waits of one act before rolls and during them."""
    before = [took for at, took in waits if at + took < begun]
    during = [took for at, took in waits if at + took >= begun and at < ended]
    for when, found in (("before", before), ("during", during)):
        found.sort()
        half, most = found[len(found) // 2], found[-1]
        p99 = found[int(len(found) * 0.99)]
        figures = f"{half * 1000:6.0f} ms median, {p99 * 1000:.0f} p99, {most * 1000:.0f} longest"
        goal = "  goal 500" if when == "during" else ""
        say(kind, f"{name}: {when} rolls, {len(found)}", figures + goal)


def main(rows: int, kinds: list[str]) -> None:
    """Run everything once on each database."""
    for kind in kinds:
        parts(kind, rows)
        waiting(kind, rows)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 100_000, given[1:] or ["sqlite", "postgresql"])
