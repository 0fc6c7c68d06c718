"""At which revision a store stands, and at which this version of the program expects it.

Reads the scripts' own names for themselves and never runs one: what serves need not load what
migrates (`store.engine.migrate`), which takes a second and eleven megabytes.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from sqlalchemy import inspect, text

from casevault.errors import Misconfigured
from casevault.store.engine.database import Database

VERSIONS = "alembic_version_"
_REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
_AFTER = re.compile(r'^down_revision = (?:"(\w+)"|None)$', re.MULTILINE)


def scripts(branch: str) -> Path:
    """Return the folder of a branch's scripts: of the wheel, or of the repository."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "_migrations", package.parent / "alembic"):
        if (folder / branch / "env.py").is_file():
            return folder / branch
    raise Misconfigured("The migrations are not part of this installation.", code="store.scripts")


def current(database: Database, branch: str) -> str | None:
    """Return the revision at which a store stands; None when it is empty."""
    with database.reading() as connection:
        if not inspect(connection).has_table(VERSIONS + branch):
            return None
        # A constant and one of two names.
        query = text(f"SELECT version_num FROM {VERSIONS}{branch}")  # noqa: S608
        found: str | None = connection.execute(query).scalar_one_or_none()
        return found


def head(branch: str) -> str:
    """Return the revision that this version of the program expects."""
    after = _after(branch)
    (newest,) = after.keys() - set(after.values())
    return newest


def is_known(branch: str, revision: str) -> bool:
    """Say whether this version of the program can bring a store on from a revision."""
    return revision in _after(branch)


def at_head(database: Database, branch: str) -> bool:
    """Say whether a store stands where this version expects it."""
    return current(database, branch) == head(branch)


def require_head(database: Database, branch: str) -> None:
    """Refuse a store that stands elsewhere."""
    if not at_head(database, branch):
        raise Misconfigured(
            f"The {branch} store is not at this version's schema. Run `casevault db upgrade`.",
            code="store.schema",
        )


@functools.cache
def _after(branch: str) -> dict[str, str | None]:
    """Return every revision with the one before it."""
    found: dict[str, str | None] = {}
    for script in (scripts(branch) / "versions").glob("*.py"):
        text_ = script.read_text(encoding="utf-8")
        revision, after = _REVISION.search(text_), _AFTER.search(text_)
        if revision is None or after is None:
            raise Misconfigured("A migration does not say what it is.", code="store.scripts")
        found[revision.group(1)] = after.group(1)
    return found
