"""deploy/postgres: a base backup that refuses a keyring, and WAL that is never written over."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.conftest import libpq_url

FOLDER = Path(__file__).parents[2] / "deploy" / "postgres"


def run(script, *arguments, **more):
    """Run a script as PostgreSQL or a timer would."""
    return subprocess.run(
        [str(FOLDER / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | more,
        check=False,
    )


def test_a_segment_is_archived_once(tmp_path):
    """Again is well, another one by its name is not, and nothing half-written stays."""
    source, folder = tmp_path / "seg", tmp_path / "wal"
    folder.mkdir()
    source.write_bytes(b"made up" * 1000)
    for _ in range(2):
        assert run("archive-wal.sh", source, "0001", folder).returncode == 0
    assert (folder / "0001").read_bytes() == source.read_bytes()
    assert (folder / "0001").stat().st_mode & 0o077 == 0
    source.write_bytes(b"other")
    assert run("archive-wal.sh", source, "0001", folder).returncode == 1
    assert (folder / "0001").read_bytes() == b"made up" * 1000
    assert run("archive-wal.sh", tmp_path / "none", "0002", folder).returncode != 0
    assert [one.name for one in folder.iterdir()] == ["0001"]


@pytest.fixture
def base(pg_url, pg_programs, tmp_path):
    """Give the environment in which the service `base` names the server of these tests."""
    parts = urlsplit(libpq_url(pg_url))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    host = query.get("host", parts.hostname)
    service = tmp_path / "service.conf"
    service.write_text(f"[base]\nhost={host}\nuser={parts.username}\ndbname=postgres\n")
    environment = {"PGSERVICEFILE": str(service)}
    if pg_programs is not None:
        environment["PATH"] = f"{pg_programs}:{os.environ['PATH']}"
    return environment


@pytest.mark.slow
def test_a_cluster_with_a_keyring_gives_no_base_backup(pg_url, base, tmp_path):
    """Its backups would bring destroyed keys back."""
    inside = urlsplit(libpq_url(pg_url))._replace(path="/cv_scripts_keyring").geturl()
    name = sql.Identifier("cv_scripts_keyring")
    with psycopg.connect(libpq_url(pg_url), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            with psycopg.connect(inside, autocommit=True) as other:
                other.execute("CREATE TABLE keyring_identity (id int)")
            refused = run("base-backup.sh", "base", tmp_path / "base", **base)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    assert refused.returncode == 2, refused.stderr
    assert "nothing was copied" in refused.stderr
    assert not (tmp_path / "base").exists()


@pytest.mark.slow
def test_a_base_backup_is_verified_and_the_newest_are_kept(pg_url, base, tmp_path):
    """With PostgreSQL's own pg_verifybackup, where that runs (one build from pip crashes)."""
    works = subprocess.run(
        ["pg_verifybackup", "--version"],  # noqa: S607
        capture_output=True,
        env=os.environ | base,
        check=False,
    )
    if works.returncode:
        pytest.skip("pg_verifybackup does not run here")
    with psycopg.connect(libpq_url(pg_url)) as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname LIKE 'cv_keyring%'"
        if connection.execute(query).fetchone() != (0,):
            pytest.skip("another test's keyring is in this cluster")
    folder = tmp_path / "base"
    for name in ("20200101T000000Z", "20200102T000000Z"):
        (folder / name).mkdir(parents=True)
    done = run("base-backup.sh", "base", folder, 2, **base)
    assert done.returncode == 0, done.stderr
    made = Path(done.stdout.strip())
    assert (made / "backup_manifest").exists()
    assert sorted(one.name for one in folder.iterdir()) == ["20200102T000000Z", made.name]
