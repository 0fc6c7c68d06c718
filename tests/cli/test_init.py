"""`casevault init`: the ceremony at the command line, and what is there afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from casevault.cli.ceremony import init as init_command
from casevault.config import load_settings
from casevault.crypto import recovery
from tests.cli.processes import PASSPHRASES, PEOPLE, Done, answers, here, init, init_here

SHARE = re.compile(r"Recovery share (\d) of (\d); any (\d) recover\.\n([a-z ]+)\n")


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    """Give a folder in memory."""
    folder = Path(tempfile.mkdtemp(prefix="casevault-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a vault."""
    return tmp_path_factory.mktemp("init")


@pytest.fixture(scope="module")
def done(place: Path, runtime: Path) -> Done:
    """Hold a ceremony as a process of its own."""
    found = init(place, runtime, "--threshold", 2, "--shares", 3, organisation='Étoile "x" 🕊 \x7f')
    assert found.code == 0, found.err
    return found


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_shares_go_to_stdout_and_the_rest_to_stderr(done: Done, place: Path):
    """So that they can be sent to a printer and nothing else with them."""
    shares = SHARE.findall(done.out)
    assert [share[:3] for share in shares] == [(str(n), "3", "2") for n in (1, 2, 3)]
    assert SHARE.sub("", done.out).strip() == ""
    assert "Root fingerprint" in done.err
    pinned = load_settings(place / "casevault.toml", {}).root_fingerprint
    assert f"\n  {pinned}\n" in done.err
    assert "casevault serve" in done.err


def test_the_shares_recover_the_root(done: Done, place: Path):
    """Any two of the three make the root whose fingerprint the configuration pins."""
    shares = [share for *_, share in SHARE.findall(done.out)]
    pin = load_settings(place / "casevault.toml", {}).root_fingerprint
    for pair in (shares[:2], shares[1:], shares[::2]):
        assert recovery.root_principal(recovery.combine(pair)).public.pin == pin


def test_no_secret_is_left_behind(done: Done, place: Path):
    """Neither passphrases nor shares are in a file; passphrases are not even shown."""
    shares = [share for *_, share in SHARE.findall(done.out)]
    for path in place.rglob("*"):
        if path.is_file() and path.name != "answers.toml":
            content = path.read_bytes()
            for secret in (*PASSPHRASES.values(), *shares):
                assert secret.encode() not in content, path.name
    for passphrase in PASSPHRASES.values():
        assert passphrase not in done.out + done.err


def test_files_are_private(done: Done, place: Path):
    """Nobody else reads configuration, stores or keys."""
    assert mode(place / "casevault.toml") == 0o600
    assert mode(place / "keys") == 0o700
    for path in place.rglob("*"):
        if path.is_file() and path.name != "answers.toml":
            assert mode(path) & 0o077 == 0, path.name


def test_the_configuration_is_read_as_it_was_meant(done: Done, place: Path):
    """Whatever letters the organisation's name has; what decides who is believed is in the file."""
    settings = load_settings(place / "casevault.toml", {})
    assert settings.organisation_name == 'Étoile "x" 🕊 \x7f'
    assert settings.ledger_origin == "example.org/casevault/test"
    assert settings.kdf_profile == "small"
    assert settings.root_fingerprint is not None


def test_a_second_ceremony_is_refused(done: Done, place: Path, runtime: Path, capsys):
    """By the configuration file, by the keys and by the stores; and nothing is changed."""
    before = {path: path.read_bytes() for path in place.rglob("casevault.toml")}
    root = (place / "keys" / "root.json").read_bytes()
    again = init_here(capsys, place, runtime)
    assert (again.code, again.out) == (1, "")
    assert "configuration file already" in again.err
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    same = {"keyring_url": f"sqlite:///{place}/keyring/keyring.db"}
    same |= {"data_url": f"sqlite:///{place}/var/casevault.db"}
    for keys in (place / "keys", elsewhere / "keys"):
        other = init_here(capsys, elsewhere, runtime, keys_dir=str(keys), **same)
        assert (other.code, other.out) == (1, "")
        assert "hold a vault" in other.err
        assert not (elsewhere / "casevault.toml").exists()
    assert not (elsewhere / "keys").exists()
    fresh = init_here(capsys, elsewhere, runtime, keys_dir=str(place / "keys"))
    assert (fresh.code, fresh.out) == (1, "")
    assert "keys folder" in fresh.err
    assert {path: path.read_bytes() for path in before} == before
    assert (place / "keys" / "root.json").read_bytes() == root


def test_shares_can_go_to_a_file(tmp_path: Path, runtime: Path, capsys):
    """A private one, which must not be there yet: it is tried before anything is made."""
    sheet = tmp_path / "paper" / "shares.txt"
    sheet.parent.mkdir()
    sheet.write_text("the shares of another vault")
    refused = init_here(capsys, tmp_path, runtime, "--shares-file", sheet)
    assert (refused.code, refused.out) == (1, "")
    assert "Name a new one" in refused.err
    assert sheet.read_text() == "the shares of another vault"
    assert not (tmp_path / "casevault.toml").exists()
    assert not (tmp_path / "keys").exists()
    sheet.unlink()
    made = init_here(capsys, tmp_path, runtime, "--shares-file", sheet)
    assert (made.code, made.out) == (0, "")
    assert mode(sheet) == 0o600
    assert len(SHARE.findall(sheet.read_text())) == 5


def test_shares_that_cannot_be_written_are_shown(tmp_path: Path, capsys):
    """They exist nowhere else: a full disk must not cost them."""
    assert init_command._written(tmp_path / "missing" / "shares.txt", "made up") is False
    assert "copy them by hand" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "code", "advice"),
    [
        (("--threshold", "4", "--shares", "3"), 1, "3 of 5"),
        (("--threshold", "1"), 2, "--threshold"),
        (("--shares", "17"), 2, "--shares"),
        (("--passphrases-fd", "999"), 1, "JSON object"),
        (("--answers", "/nonexistent/answers.toml"), 1, "TOML"),
    ],
)
def test_a_wrong_argument_leaves_nothing(tmp_path, capsys, change, code, advice):
    """Exit code 2 for usage and 1 for what cannot work, before the first key is made."""
    command = ["init", "-c", tmp_path / "casevault.toml"]
    command += ["--answers", answers(tmp_path, tmp_path)]
    passphrases = tmp_path / "passphrases.json"
    passphrases.write_text(str(PASSPHRASES).replace("'", '"'))
    # The command closes what it is given.
    descriptor = os.open(passphrases, os.O_RDONLY)
    refused = here(capsys, *command, "--passphrases-fd", descriptor, *change)
    with contextlib.suppress(OSError):
        os.close(descriptor)
    assert refused.code == code, refused.err
    assert advice in refused.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.toml", "passphrases.json"]


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ('roles = ["dpo"]', 'roles = ["reporter"]', "Nobody in the plan is dpo"),
        ('roles = ["dpo"]', 'roles = ["king"]', "name, login and roles"),
        ('login = "dora"\n', "", "name, login and roles"),
        ('login = "dora"', 'login = "ada"', "same login"),
        ('team = "North (made up)"', "", "name their team"),
        ("[[people]]", "[[persons]]", "[[people]]"),
        ("[[people]]", "[[people]", "TOML"),
        ('kdf_profile = "small"', 'kdf_profile = "none"', "kdf_profile"),
        ("example.org/casevault/test", "not an origin", "ledger_origin"),
    ],
)
def test_wrong_answers_leave_nothing(tmp_path, monkeypatch, capsys, old, new, advice):
    """The sentence says what to change; neither keys nor configuration are left."""
    path = answers(tmp_path, tmp_path)
    path.write_text(path.read_text().replace(old, new))
    given = {login: f"made up words of {login} for this test" for login in PEOPLE}
    monkeypatch.setattr(init_command, "_passphrases", lambda _descriptor: given)
    refused = here(capsys, "init", "-c", tmp_path / "casevault.toml", "--answers", path)
    assert (refused.code, refused.out) == (1, "")
    assert advice in refused.err
    assert [found.name for found in tmp_path.iterdir()] == ["answers.toml"]


def test_a_weak_passphrase_leaves_nothing(tmp_path, monkeypatch, capsys):
    """And is not repeated."""
    given = dict.fromkeys(PEOPLE, "short7")
    monkeypatch.setattr(init_command, "_passphrases", lambda _descriptor: given)
    path = answers(tmp_path, tmp_path)
    refused = here(capsys, "init", "-c", tmp_path / "casevault.toml", "--answers", path)
    assert (refused.code, refused.out) == (1, "")
    assert "short7" not in refused.err
    assert [found.name for found in tmp_path.iterdir()] == ["answers.toml"]


def test_prompts_ask_for_everything(tmp_path, runtime, runner, monkeypatch):
    """Without answers the command asks, hides passphrases and makes words where none is typed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CASEVAULT_RUNTIME_DIR", str(runtime))
    typed = "typed made up words for this test"
    lines = ["Example Red Cross (made up)", "example.org/casevault/test"]
    for number, (login, (name, _)) in enumerate(PEOPLE.items()):
        lines += [name, login]
        lines += ["North (made up)"] if number == 0 else []
    lines += [""] * 4
    lines += [typed, typed] + ["", ""] * 3
    done = runner.invoke(init_command_app(), ["--rehearsal"], input="\n".join(lines) + "\n")
    assert done.exit_code == 0, done.output
    assert typed not in done.output
    assert done.stderr.count("shown once") == 3
    assert len(SHARE.findall(done.stdout)) == 5
    assert load_settings(tmp_path / "casevault.toml", {}).kdf_profile == "standard"


def init_command_app():
    """Return `casevault init` alone."""
    import typer

    app = typer.Typer()
    app.command()(init_command.init)
    return app


def test_two_passphrases_that_differ_are_asked_again(tmp_path, runner, monkeypatch):
    """Both of them, without repeating either; an end of the input leaves nothing."""
    monkeypatch.chdir(tmp_path)
    path = answers(tmp_path, tmp_path)
    lines = ["first made up words for it", "second made up words for it", ""]
    done = runner.invoke(init_command_app(), ["--answers", str(path)], input="\n".join(lines))
    assert done.exit_code == 1
    assert "not the same" in done.output
    assert "words for it" not in done.output
    assert [found.name for found in tmp_path.iterdir()] == ["answers.toml"]
