"""`casevault serve`: what it refuses, how it begins, that workers share sessions, how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from casevault import host
from casevault.config import Settings, load_settings
from casevault.errors import Misconfigured
from tests.cli.processes import PASSPHRASES, Service, casevault, free_port, init, serving


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    """Give a folder in memory."""
    folder = Path(tempfile.mkdtemp(prefix="casevault-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Path:
    """Give the configuration of a fresh vault."""
    folder = tmp_path_factory.mktemp("serve")
    done = init(folder, runtime)
    assert done.code == 0, done.err
    return folder / "casevault.toml"


def secret_of(config: Path) -> Path:
    """Return where the boot secret lies."""
    settings = load_settings(config, {})
    return settings.runtime_dir / str(settings.organisation_id) / host.BOOT_SECRET


def sign_in(service: Service, login: str = "sue") -> str:
    """Return a token."""
    body = {"login": login, "passphrase": PASSPHRASES[login]}
    with service.client() as client:
        answer = client.post("/v1/auth/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


def events(service: Service) -> list[dict]:
    """Return what was logged as JSON."""
    lines = service.log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_a_service_with_two_workers_from_start_to_end(config: Path, tmp_path: Path):
    """It answers, shares sessions between workers, ends on SIGTERM and takes its secret along."""
    secret = secret_of(config)
    with serving(config, tmp_path, "--workers", "2") as service:
        with service.client() as client:
            assert client.get("/livez").json() == {"live": True}
            ready = client.get("/readyz")
        assert ready.status_code == 200
        assert set(ready.json().values()) == {True}
        assert secret.stat().st_mode & 0o777 == 0o600
        assert secret.parent.stat().st_mode & 0o777 == 0o700
        _no_process_dumps_core(service)
        _workers_share_a_session(service)
        _a_second_service_changes_nothing(config, service)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=20) == 0
        assert time.monotonic() - began < 12
    assert not secret.exists()
    assert not secret.parent.exists()
    assert all(set(line) >= {"event", "level", "timestamp"} for line in events(service))
    assert not any(line["event"] == "crash" for line in events(service))
    assert "Traceback" not in service.log.read_text()


def _no_process_dumps_core(service: Service) -> None:
    """Neither the process that was started nor a worker: a dump would hold keys."""
    for process in (service.process.pid, *service.workers()):
        limits = Path(f"/proc/{process}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), process


def _workers_share_a_session(service: Service) -> None:
    """Each worker alone, while the other is stopped, opens a session that either may have begun."""
    workers = sorted(service.workers())
    assert len(workers) == 2
    tokens = []
    for one, other in (workers, workers[::-1]):
        os.kill(one, signal.SIGSTOP)
        try:
            tokens.append(sign_in(service))
            headers = [{"Authorization": f"Bearer {token}"} for token in tokens]
            with service.client() as client:
                statuses = [client.get("/v1/me", headers=h).status_code for h in headers]
        finally:
            os.kill(one, signal.SIGCONT)
        assert set(statuses) == {200}, other


def _a_second_service_changes_nothing(config: Path, service: Service) -> None:
    """Started by accident, on any port, it is refused; sessions of the first go on."""
    token, before = sign_in(service), secret_of(config).read_bytes()
    second = casevault("serve", "-c", config, "--port", free_port())
    assert (second.code, second.out) == (1, "")
    assert "served on this host already" in second.err
    assert secret_of(config).read_bytes() == before
    with service.client() as client:
        answer = client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_one_worker_ends_as_cleanly(config: Path, tmp_path: Path, end: signal.Signals):
    """The secret goes, whichever signal comes and however few workers there are."""
    with serving(config, tmp_path, "--workers", "1") as service:
        assert secret_of(config).exists()
        service.process.send_signal(end)
        code = service.process.wait(timeout=20)
    assert code == 0 if end is signal.SIGTERM else code > 0
    assert not secret_of(config).exists()
    assert "Traceback" not in service.log.read_text()


def test_a_taken_port_is_a_sentence(config: Path):
    """And is found before a boot secret is made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = casevault("serve", "-c", config, "--port", taken.getsockname()[1])
    assert (done.code, done.out) == (1, "")
    assert "--port" in done.err
    assert "Traceback" not in done.err
    assert not secret_of(config).exists()


@pytest.mark.parametrize("option", [("--workers", "0"), ("--workers", "65"), ("--port", "0")])
def test_a_number_out_of_bounds_is_a_usage_error(config: Path, option: tuple[str, str], runner):
    """Exit code 2."""
    from casevault.cli.app import app

    assert runner.invoke(app, ["serve", "-c", str(config), *option]).exit_code == 2


def test_a_vault_must_be_there_first(tmp_path: Path):
    """Without init there is nothing to serve; nothing is made."""
    done = casevault("serve", cwd=tmp_path, XDG_RUNTIME_DIR=str(tmp_path))
    assert (done.code, done.out) == (1, "")
    assert "Run `casevault init` first" in done.err
    assert list(tmp_path.iterdir()) == []


# --- the folder of the boot secret ---------------------------------------------------------------


@pytest.fixture
def settings(config: Path) -> Settings:
    """Give the settings of the vault."""
    return load_settings(config, {})


def refused(settings: Settings, folder: Path) -> str:
    """Return why a runtime folder is refused."""
    with (
        pytest.raises(Misconfigured) as caught,
        host.sole_service(settings.model_copy(update={"runtime_dir": folder})),
    ):
        pass
    return caught.value.code


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """Give a folder on a disk: where temporary files of tests lie may be memory."""
    with tempfile.TemporaryDirectory(prefix="casevault-test-", dir="/var/tmp") as folder:
        yield Path(folder)


def test_a_folder_on_a_disk_is_refused(config: Path, on_disk: Path):
    """Where a stolen machine would keep the secret; nothing is made there."""
    folder = on_disk / "run"
    done = casevault("serve", "-c", config, CASEVAULT_RUNTIME_DIR=str(folder))
    assert (done.code, done.out) == (1, "")
    assert "a folder in memory" in done.err
    assert not folder.exists()


def test_a_link_to_a_disk_is_a_folder_on_a_disk(settings, runtime: Path, on_disk: Path):
    """What counts is where the bytes lie."""
    link = runtime / "link"
    link.symlink_to(on_disk)
    assert refused(settings, link) == "boot.disk"
    assert list(on_disk.iterdir()) == []


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_can_write_is_refused(settings, runtime: Path, mode: int):
    """They could put a secret there that they know."""
    folder = runtime / f"open-{mode:o}"
    folder.mkdir()
    folder.chmod(mode)
    assert refused(settings, folder) == "boot.owner"


def test_a_link_in_memory_is_refused(settings, runtime: Path):
    """Whoever made the link decides where it points to tomorrow."""
    (runtime / "real").mkdir(mode=0o700)
    (runtime / "other").symlink_to(runtime / "real")
    assert refused(settings, runtime / "other") == "boot.owner"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to make a folder of another account")
def test_a_folder_of_another_account_is_refused(settings, runtime: Path):
    """It made the folder first, where every account may make one."""
    folder = runtime / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    assert refused(settings, folder) == "boot.owner"


def test_one_service_at_a_time(settings):
    """The right is free again when the first one ends."""
    for _ in range(2):
        with host.sole_service(settings):
            assert refused(settings, settings.runtime_dir) == "boot.running"


def test_a_worker_without_the_secret_does_not_begin(settings):
    """It is told to be started by the parent."""
    with pytest.raises(Misconfigured) as caught:
        host.read_boot_secret(settings)
    assert caught.value.code == "boot.secret"
    assert "casevault serve" in caught.value.detail


def test_each_start_has_a_secret_of_its_own(settings):
    """32 random bytes; dropped, it can be dropped again."""
    with host.sole_service(settings):
        made = [host.new_boot_secret(settings) for _ in range(2)]
        assert host.read_boot_secret(settings) == made[1]
        assert made[0] != made[1]
        assert {len(secret) for secret in made} == {32}
        host.drop_boot_secret(settings)
        host.drop_boot_secret(settings)
    assert not (settings.runtime_dir / str(settings.organisation_id)).exists()
