"""A ceremony that is killed, left, and gone on with: never a vault whose shares nobody has."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from pathlib import Path

import pytest
import typer

from casevault import bootstrap, founding
from casevault.cli.ceremony import resuming, sheets
from casevault.config import load_settings
from casevault.errors import Misconfigured
from casevault.services.recovery import ceremony
from casevault.store.log import tree
from tests.cli.processes import PASSPHRASES, Done, here, init_here
from tests.cli.test_init import SHARE, init_command_app, runtime

__all__ = ["runtime"]
ASKED = re.compile(r"Sheet (\d+): word (\d+)")


def page_of(folder: Path) -> Path:
    """Return where the page with the shares is."""
    return resuming.page_of(load_settings(folder / "casevault.toml", {}))


def left_at_the_question(folder: Path, memory: Path, capsys, *arguments: object) -> Done:
    """Hold a ceremony whose people press Ctrl-C when they are asked for a word."""

    def interrupt(_text: str) -> str:
        raise typer.Abort

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resuming, "_hidden", interrupt)
        return init_here(capsys, folder, memory, "--confirm", *arguments)


def unfinished(folder: Path) -> bool:
    """Say whether the vault waits for a confirmation."""
    return load_settings(folder / "casevault.toml", {}).unfinished is not None


def killed(folder: Path, memory: Path, module, name: str) -> None:
    """Hold a ceremony in a process that is killed where it would call a function."""
    child = os.fork()
    if child == 0:
        setattr(module, name, lambda *_a, **_k: os.kill(os.getpid(), signal.SIGKILL))
        devnull = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(devnull, descriptor)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["casevault"])
            from tests.cli.processes import _ceremony, command_line

            arguments, _ = _ceremony(folder, memory, ("--confirm",), {})
            patch.setattr("sys.argv", ["casevault", *map(str, arguments)])
            try:
                command_line.main()
            finally:
                os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.faults
@pytest.mark.parametrize(
    ("module", "name", "founded"),
    [
        (founding, "create_roots", False),
        (founding, "PassphraseKdf", False),
        (ceremony, "_outcome", False),
        (founding, "record_founding", True),
        (ceremony.identity, "begin_data", True),
        (tree, "integrate_all", True),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_killed_ceremony_can_be_run_again(tmp_path, runtime, capsys, module, name, founded):
    """It begins anew where nothing was founded, else goes on; the vault opens in the end."""
    killed(tmp_path, runtime, module, name)
    assert unfinished(tmp_path)
    assert page_of(tmp_path).exists() is founded
    root = (tmp_path / "keys" / "root.json").read_bytes() if founded else b""
    again = init_here(capsys, tmp_path, runtime)
    assert again.code == 0, again.err
    assert ("The vault is there" in again.err) is founded
    assert ("left nothing durable" in again.err) is not founded
    if founded:
        assert (tmp_path / "keys" / "root.json").read_bytes() == root
    assert not unfinished(tmp_path)
    assert not page_of(tmp_path).exists()
    settings = load_settings(tmp_path / "casevault.toml", {})
    stores = bootstrap.open_stores(settings)
    try:
        bootstrap.settle(stores)
        with stores.data.reading() as connection:
            assert tree.head(connection).size == 1
    finally:
        stores.close()


def test_sheets_are_confirmed_word_by_word(tmp_path, runtime, capsys, runner, monkeypatch):
    """Left at the question the vault serves nobody; wrong words are asked again; then it serves."""
    left = left_at_the_question(tmp_path, runtime, capsys)
    assert left.code == 3
    assert "unfinished" in left.err
    config, page = tmp_path / "casevault.toml", page_of(tmp_path)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.name == "shares.html"
    refused = here(capsys, "serve", "-c", config)
    assert refused.code == 1
    assert "set-up is not finished" in refused.err
    words = sheets.shares_on(page.read_text())
    assert [" ".join(sheet) for sheet in words] == [share for *_, share in SHARE.findall(left.out)]
    asked: list[str] = []

    def answer(text: str) -> str:
        asked.append(text)
        if len(asked) == 1:
            return "wrong"
        number, place = map(int, ASKED.fullmatch(text).groups())
        return words[number - 1][place - 1].upper()

    monkeypatch.setattr(resuming, "_hidden", answer)
    done = runner.invoke(init_command_app(), ["-c", str(config)], input="\nn\n\ny\n")
    assert done.exit_code == 0, done.output
    assert len(asked) == 1 + 2 * len(words)
    assert asked[0] == asked[1]
    assert not page.exists()
    assert not unfinished(tmp_path)
    assert not any(word in done.output for sheet in words for word in [" ".join(sheet[:3])])
    bootstrap.open_stores(load_settings(config, {})).close()
    again = here(capsys, "init", "-c", config)
    assert "configuration file already" in again.err


def test_whole_sheets_confirm_when_the_page_is_gone(tmp_path, runtime, capsys, runner, monkeypatch):
    """After a reboot: as many sheets as recover must give the root that is pinned."""
    left = left_at_the_question(tmp_path, runtime, capsys, "--threshold", 2, "--shares", 3)
    own = [share for *_, share in SHARE.findall(left.out)]
    page_of(tmp_path).unlink()
    foreign = list(bootstrap_shares())
    typed = iter([own[0], "no share at all", *foreign, own[0], own[2]])
    monkeypatch.setattr(resuming, "_hidden", lambda _text: next(typed))
    config = str(tmp_path / "casevault.toml")
    done = runner.invoke(init_command_app(), ["-c", config], input="2\n2\n2\n")
    assert done.exit_code == 0, done.output
    assert "do not fit together" in done.output
    assert "belong to another vault" in done.output
    assert own[0] not in done.output
    assert not unfinished(tmp_path)


def bootstrap_shares() -> tuple[str, ...]:
    """Return two shares of another vault."""
    from casevault.crypto import recovery

    return recovery.split(recovery.new_seed(), 2, 2)


def test_the_page_is_for_printing():
    """One sheet for each share, names escaped, nothing from elsewhere."""
    shares = ("alpha beta gamma", "delta echo golf")
    page = sheets.page("<Example> & Co", shares, 2)
    assert "size: A4" in page
    assert "&lt;Example&gt; &amp; Co" in page
    assert page.count("<section>") == 2
    assert sheets.shares_on(page) == (("alpha", "beta", "gamma"), ("delta", "echo", "golf"))
    assert not re.search(r"src=|href=|<script|http", page)


def test_one_ceremony_at_a_time(tmp_path):
    """A second one on the same file is told to wait."""
    config = tmp_path / "casevault.toml"
    with resuming.alone(config), pytest.raises(Misconfigured) as refused, resuming.alone(config):
        pass
    assert refused.value.code == "init.busy"


def test_no_passphrase_is_on_the_page(tmp_path, runtime, capsys):
    """Nor the name or login of anybody."""
    left_at_the_question(tmp_path, runtime, capsys)
    page = page_of(tmp_path).read_text()
    assert not any(text in page for text in (*PASSPHRASES.values(), "Madeup", "dora"))
    assert json.dumps("Recovery share 1 of 5")[1:-1] in page
