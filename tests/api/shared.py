"""Fixtures that the API tests and the structural tests share: one world per database and process.

Two conftest files import them, so the worlds are kept per process; whoever made them closes them,
before the PostgreSQL server that they stand on is stopped.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.api.copies import a_world
from tests.api.world import World
from tests.conftest import Databases

KINDS = ("sqlite", "postgresql")
MakeDatabases = Callable[[str], Databases]
_made: dict[str, World] = {}


@pytest.fixture(scope="session")
def make_databases(pg_url: str, tmp_path_factory: pytest.TempPathFactory) -> MakeDatabases:
    """Make a fresh pair of databases of a kind; they go with the server or the folder."""

    def make(kind: str) -> Databases:
        if kind == "sqlite":
            folder = tmp_path_factory.mktemp("sqlite")
            return Databases(
                kind,
                f"sqlite:///{folder / 'var' / 'casevault.db'}",
                f"sqlite:///{folder / 'keyring' / 'keyring.db'}",
            )
        mark = secrets.token_hex(8)
        urls = []
        for name in (f"cv_data_{mark}", f"cv_keyring_{mark}"):
            postgres.create(postgres.administrator(pg_url), name)
            urls.append(postgres.for_database(pg_url, name))
        return Databases(kind, *urls)

    return make


def made_when_asked_for(
    make_databases: MakeDatabases, folders: pytest.TempPathFactory, made: dict[str, World]
) -> Iterator[Callable[[str], World]]:
    """Give a world per kind of database, kept in `made`; at the end close those made here."""
    mine: list[str] = []

    def get(kind: str) -> World:
        if kind not in made:
            folder = Path(folders.mktemp("vault"))
            made[kind] = a_world(make_databases(kind), folder)
            mine.append(kind)
        return made[kind]

    yield get
    for kind in mine:
        made.pop(kind).close()


@pytest.fixture(scope="session")
def worlds(
    make_databases: MakeDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], World]]:
    """Give the shared world of a kind of database, made when first asked for."""
    yield from made_when_asked_for(make_databases, tmp_path_factory, _made)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> World:
    """Give the shared world, first on SQLite and then on PostgreSQL."""
    return _ready(worlds(request.param))


@pytest.fixture
def sqlite_world(worlds: Callable[[str], World]) -> World:
    """Give the shared world on SQLite, for what does not depend on the database."""
    return _ready(worlds("sqlite"))


def _ready(world: World) -> World:
    # Tests run in any order: what one of them ended, another must not be told of.
    world.forget_ended_sessions()
    return world
