"""The builders themselves: a vault is a copy of the first, and of nothing that was done to it."""

from __future__ import annotations

from tests import builders
from tests.builders import a_vault
from tests.conftest import Databases


def test_nobody_who_joins_the_first_vault_is_in_a_copy(sqlite_databases, tmp_path, monkeypatch):
    """Who held the ceremony adds people to their own outcome; tests run in any order."""
    monkeypatch.setattr(builders, "_snapshots", {})
    first = a_vault(sqlite_databases, tmp_path / "first")
    first.enrolled("amal", team=first.team)
    first.close()
    folder = tmp_path / "second"
    urls = [f"sqlite:///{folder / name / 'store.db'}" for name in ("var", "keyring")]
    for name in ("var", "keyring"):
        (folder / name).mkdir(parents=True)
    second = a_vault(Databases("sqlite", *urls), folder)
    second.close()
    assert "amal" not in second.outcome.staff
    assert set(second.outcome.staff) < set(first.outcome.staff)
