"""The shared worlds; see tests/api/shared.py."""

from tests.api.shared import make_databases, sqlite_world, world, worlds

__all__ = ["make_databases", "sqlite_world", "world", "worlds"]
