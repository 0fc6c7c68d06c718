"""Fixtures of the integration tests: an empty pair of stores, and a vault after its ceremony."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casevault.store.engine.database import Database
from tests.builders import AVault, a_vault, migrated
from tests.conftest import Databases


@pytest.fixture
def empty(reserved: Databases) -> Iterator[tuple[Database, Database]]:
    """Give data store and keyring store, empty and at head."""
    pair = migrated(reserved)
    yield pair
    for one in pair:
        one.close()


@pytest.fixture
def vault(reserved: Databases, tmp_path: Path) -> Iterator[AVault]:
    """Give a vault whose ceremony was just held."""
    made = a_vault(reserved, tmp_path)
    yield made
    made.close()
