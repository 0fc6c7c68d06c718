"""Roots that are sealed: what `keys seal` does, how a service is unlocked, what it hands on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from casevault.cli import unlocking
from casevault.cli.ceremony import sealing
from casevault.config import load_settings
from casevault.crypto.roots import NO_KEY
from casevault.errors import CaseVaultError, Invalid
from tests.cli.processes import (
    PASSPHRASES,
    Service,
    _ceremony,
    casevault,
    free_port,
    here,
    init,
    serving,
)
from tests.tokens import PIN, SoftToken, a_token

SECRET = "made up words that open the roots"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the folder of a vault after its ceremony."""
    folder = tmp_path_factory.mktemp("founded")
    memory = Path(tempfile.mkdtemp(prefix="casevault-test-", dir="/dev/shm"))
    done = init(folder, memory)
    assert done.code == 0, done.err
    yield folder
    shutil.rmtree(memory, ignore_errors=True)


@pytest.fixture
def config(founded: Path, tmp_path: Path) -> Path:
    """Give the configuration of a copy of it."""
    return shutil.copytree(founded, tmp_path / "vault") / "casevault.toml"


def line(text: str) -> int:
    """Return a descriptor that gives one line."""
    reading, writing = os.pipe()
    os.write(writing, text.encode() + b"\n")
    os.close(writing)
    return reading


@contextmanager
def unlocked(config: Path, folder: Path, secret: str) -> Iterator[Service]:
    """Serve with two workers, unlocked through a descriptor."""
    reading = line(secret)
    options = ("--workers", "2", "--unlock-fd", reading)
    with serving(config, folder, *options, pass_fds=(reading,)) as service:
        os.close(reading)
        yield service


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Run a command in this process, its secrets through descriptors that it closes."""

    def run(*arguments: object, secrets: dict[str, str] | None = None):
        options = [x for name, text in (secrets or {}).items() for x in (name, line(text))]
        return here(capsys, *arguments, *options)

    return run


@pytest.fixture
def sealed(config: Path, run) -> Path:
    """Give the configuration of a vault whose roots are sealed under a passphrase."""
    done = run("keys", "seal", "-c", config, secrets={"--new-fd": SECRET})
    assert done.code == 0, done.err
    assert (done.out, SECRET in done.err) == ("", False)
    return config


def kind(config: Path) -> str:
    """Return which vessel the roots are in."""
    return json.loads((config.parent / "keys" / "root.json").read_text()).get("kind", "plain")


def test_sealed_roots_open_with_their_passphrase_alone(sealed: Path, run, monkeypatch):
    """By descriptor or by systemd's credential; else it says what to do. Changed: exit code 4."""
    assert kind(sealed) == "sealed"
    status = ("keys", "status", "-c", sealed, "--json")
    refused = run(*status)
    assert (refused.code, refused.out) == (1, "")
    assert "Unlock at start" in refused.err
    credential = sealed.parent / "credentials" / unlocking.CREDENTIAL
    credential.parent.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credential.parent))
    for secret, code in ((SECRET, 0), ("other words that open nothing at all", 1)):
        credential.write_text(secret + "\n")
        credential.chmod(0o400)
        done = run(*status)
        assert done.code == code, done.err
        assert secret not in done.err
    assert (done.out, "not the passphrase" in done.err) == ("", True)
    root = sealed.parent / "keys" / "root.json"
    root.write_text(root.read_text().replace('"body": "', '"body": "AAAA'))
    assert run("keys", "unseal", "-c", sealed, secrets={"--unlock-fd": SECRET}).code == 4


@pytest.mark.slow
def test_a_service_asks_once_and_hands_on(sealed: Path, run, tmp_path: Path):
    """Workers open what the service was given for; a worker that is replaced does too.

    The passphrase stands in no argument, no environment and no file.
    """
    with unlocked(sealed, tmp_path, SECRET) as service:
        before = service.workers()
        assert len(before) == 2
        for pid in (service.process.pid, *before):
            for name in ("cmdline", "environ"):
                assert SECRET.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
        os.kill(min(before), signal.SIGKILL)
        until = time.monotonic() + 30
        while len(service.workers() - before) < 1 or not service.ready():
            assert time.monotonic() < until, service.log.read_text()
            time.sleep(0.05)
        body = {"login": "sue", "passphrase": PASSPHRASES["sue"]}
        for _ in range(6):
            with service.client() as client:
                assert client.post("/v1/auth/sessions", json=body).status_code == 201
        busy = run("keys", "unseal", "-c", sealed, secrets={"--unlock-fd": SECRET})
        assert (busy.code, kind(sealed)) == (1, "sealed")
        assert "served on this host already" in busy.err
    assert SECRET not in service.log.read_text()


def test_a_service_without_its_passphrase_does_not_begin(sealed: Path):
    """It says why, and leaves nothing behind in memory."""
    reading = line("not these words")
    command = ("serve", "-c", sealed, "--port", free_port(), "--unlock-fd", reading)
    wrong = casevault(*command, pass_fds=(reading,))
    os.close(reading)
    assert (wrong.code, wrong.out) == (1, "")
    assert "not the passphrase" in wrong.err
    settings = load_settings(sealed, {})
    assert not (settings.runtime_dir / str(settings.organisation_id)).exists()


def test_a_passphrase_is_changed_and_taken_off(sealed: Path, run):
    """The old one opens nothing any more; without a seal nothing is asked."""
    new = "other made up words for the roots"
    done = run("keys", "seal", "-c", sealed, secrets={"--new-fd": new, "--unlock-fd": SECRET})
    assert done.code == 0, done.err
    assert run("keys", "unseal", "-c", sealed, secrets={"--unlock-fd": SECRET}).code == 1
    assert run("keys", "unseal", "-c", sealed, secrets={"--unlock-fd": new}).code == 0
    assert kind(sealed) == "plain"
    assert run("keys", "status", "-c", sealed).code == 0


def test_a_passphrase_is_typed_twice_or_made(config: Path, monkeypatch):
    """What is shown is typed again, so that a mistake does not lock everybody out."""
    answers = iter(["one made up passphrase", "another made up one"])
    monkeypatch.setattr(sealing, "_hidden", lambda _text: next(answers))
    with pytest.raises(Invalid) as caught:
        sealing.chosen_passphrase()
    assert caught.value.code == "roots.again"
    shown: list[str] = []
    monkeypatch.setattr(sealing, "say", shown.append)
    monkeypatch.setattr(sealing, "_hidden", lambda text: "" if "New" in text else shown[0].strip())
    assert len(sealing.chosen_passphrase().split()) == 6


@pytest.mark.parametrize("weak", ["short", "", "aaaaaaaaaaaaaaaaaaaaaaaa"])
def test_a_weak_passphrase_is_refused(config: Path, run, weak: str):
    """Nothing is changed."""
    done = run("keys", "seal", "-c", config, secrets={"--new-fd": weak})
    assert done.code == 1
    assert kind(config) == "plain"


def test_a_vault_is_founded_sealed(tmp_path: Path, founded: Path, run):
    """`init --seal`: nothing of it was ever readable, and it opens with the passphrase alone."""
    memory = load_settings(founded / "casevault.toml", {}).runtime_dir
    reading = line(SECRET)
    command, passphrases = _ceremony(
        tmp_path, memory, ("--seal", "passphrase", "--seal-fd", str(reading)), {}
    )
    done = casevault(*command, pass_fds=(passphrases, reading))
    for descriptor in (passphrases, reading):
        os.close(descriptor)
    assert done.code == 0, done.err
    config = tmp_path / "casevault.toml"
    assert kind(config) == "sealed"
    assert run("keys", "status", "-c", config).code == 1
    assert run("keys", "unseal", "-c", config, secrets={"--unlock-fd": SECRET}).code == 0
    assert run("keys", "status", "-c", config).code == 0


# --- where the secret is taken from --------------------------------------------------------------


def refusal(config: Path, monkeypatch, content: bytes | None, mode: int = 0o600) -> str:
    """Return why a file that opens the roots is refused."""
    path = config.parent / "elsewhere"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    settings = load_settings(config, {}).model_copy(update={"unlock_file": path})
    with pytest.raises(CaseVaultError) as caught:
        unlocking.given(settings, "passphrase", None)
    return caught.value.code


def test_a_file_that_opens_the_roots_is_private_text(config: Path, monkeypatch):
    """Missing, readable by others, empty, or no text: each is a sentence."""
    assert refusal(config, monkeypatch, None) == "roots.unlock-file"
    assert refusal(config, monkeypatch, b"x" * 20, 0o644) == "roots.unlock-mode"
    assert refusal(config, monkeypatch, b"\nsecond line") == "roots.secret"
    assert refusal(config, monkeypatch, b"\xff\xfe") == "roots.secret"
    assert unlocking.key_of(load_settings(config, {})) == NO_KEY


# --- a hardware token ----------------------------------------------------------------------------


@pytest.fixture
def token(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    """Give a token that the vault's configuration names."""
    made = a_token(tmp_path, monkeypatch)
    with config.open("a") as file:
        file.write(f'pkcs11_module = "{made.module}"\npkcs11_label = "{made.label}"\n')
    return made


@pytest.mark.slow
def test_a_service_stops_answering_while_its_token_is_away(
    config: Path, run, tmp_path: Path, token: SoftToken
):
    """503 for people, not ready for the proxy; and it goes on when the token is back.

    A worker that is replaced meanwhile waits, and does not end the service.
    """
    done = run("keys", "seal", "--under", "token", "-c", config, secrets={"--new-fd": PIN})
    assert done.code == 0, done.err
    assert kind(config) == "token"
    body = {"login": "sue", "passphrase": PASSPHRASES["sue"]}
    with unlocked(config, tmp_path, PIN) as service, service.client() as client:
        workers = service.workers()
        for pid in (service.process.pid, *workers):
            for name in ("cmdline", "environ"):
                assert PIN.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
        begun = client.post("/v1/auth/sessions", json=body)
        headers = {"Authorization": f"Bearer {begun.json()['token']}"}
        assert client.get("/v1/me", headers=headers).status_code == 200
        token.pull()
        time.sleep(1.2)
        for _ in range(6):
            gone = client.get("/v1/me", headers=headers)
            assert (gone.status_code, gone.json()["code"]) == (503, "roots.token")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["keyring"]) == (503, False)
        assert client.post("/v1/auth/sessions", json=body).status_code == 503
        assert client.get("/livez").status_code == 200
        os.kill(min(workers), signal.SIGKILL)
        until = time.monotonic() + 60
        while '"worker waits"' not in service.log.read_text():
            assert time.monotonic() < until, service.log.read_text()
            time.sleep(0.1)
        token.put_back()
        while len(service.workers() - workers) < 1 or not service.ready():
            assert time.monotonic() < until, service.log.read_text()
            time.sleep(0.1)
        assert service.process.poll() is None
    assert PIN not in service.log.read_text()


def test_a_wrong_pin_is_a_sentence(config: Path, run, token: SoftToken):
    """And costs one try."""
    done = run("keys", "seal", "--under", "token", "-c", config, secrets={"--new-fd": "no pin"})
    assert done.code == 1
    assert "refuses this PIN" in done.err
    assert kind(config) == "plain"
