"""Fixtures of the command line's tests: the shared worlds, their configuration files, a runner."""

from __future__ import annotations

import functools
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer import testing
from typer.testing import CliRunner

from tests.api.shared import make_databases, sqlite_world, world, worlds
from tests.api.world import World
from tests.builders import ORIGIN, AVault, a_vault
from tests.conftest import Databases

__all__ = ["make_databases", "sqlite_world", "world", "worlds"]

_WRITTEN = (
    "organisation_id",
    "organisation_name",
    "root_fingerprint",
    "kdf_profile",
    "ledger_origin",
    "data_url",
    "keyring_url",
    "keys_dir",
    "runtime_dir",
)


@pytest.fixture
def config_of(tmp_path: Path) -> Callable[[World], Path]:
    """Write the configuration file of a world, as `casevault init` would have."""

    def write(world: World) -> Path:
        path = tmp_path / "casevault.toml"
        lines = [f'{name} = "{getattr(world.settings, name)}"\n' for name in _WRITTEN]
        path.write_text("".join(lines))
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def vault_with_config(sqlite_databases: Databases, tmp_path: Path) -> Iterator[AVault]:
    """Give a vault after its ceremony whose configuration lies in `tmp_path`, medium and all."""
    made = a_vault(sqlite_databases, tmp_path)
    runtime = Path(tempfile.mkdtemp(prefix="casevault-test-", dir="/dev/shm"))
    config = tmp_path / "casevault.toml"
    values = {
        "organisation_id": made.stores.organisation,
        "root_fingerprint": made.outcome.root_pin,
        "data_url": sqlite_databases.data_url,
        "keyring_url": sqlite_databases.keyring_url,
        "keys_dir": made.keys_dir,
        "ledger_origin": ORIGIN,
        "second_medium": tmp_path / "medium",
        "runtime_dir": runtime,
    }
    config.write_text("".join(f'{name} = "{value}"\n' for name, value in values.items()))
    config.chmod(0o600)
    yield made
    made.close()
    shutil.rmtree(runtime)


@pytest.fixture
def runner() -> CliRunner:
    """Run commands in this process."""
    return CliRunner()


@pytest.fixture(scope="session", autouse=True)
def commands_built_once() -> Iterator[None]:
    """Let the runner make the tree of commands once: it is the same for every call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "_get_command", functools.cache(testing._get_command))
        yield


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Put back what a command changes for its process: where logs go."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
