"""Worlds of the structural tests: one per module and kind of database, made when asked for.

They walk the whole interface, and search or digest all that a world holds: in a world that other
tests have filled that takes several times as long, and finds nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.api.shared import (
    MakeDatabases,
    made_when_asked_for,
    make_databases,
    sqlite_world,
    world,
)
from tests.api.world import World

__all__ = ["make_databases", "sqlite_world", "world", "worlds"]


@pytest.fixture(scope="module")
def worlds(
    make_databases: MakeDatabases,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], World]]:
    """Give this module's world of a kind of database."""
    yield from made_when_asked_for(make_databases, tmp_path_factory, {})
