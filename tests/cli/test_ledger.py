"""`casevault ledger`: what an outsider gets, and what they find when somebody changed it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.processes import casevault, here


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Keep the export that the first test makes."""
    return {"folder": tmp_path_factory.mktemp("export")}


@pytest.fixture
def export(exported, sqlite_world, config_of, capsys) -> Path:
    """Export the log of a world once; give a copy to break."""
    if "key" not in exported:
        assert sqlite_world.case
        folder = exported["folder"] / "log"
        done = here(capsys, "ledger", "export", folder, "-c", config_of(sqlite_world))
        assert done.code == 0, done.err
        exported["key"], exported["log"] = done.out.strip(), folder
    copy = exported["folder"] / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(exported["log"], copy)
    return copy


@pytest.fixture
def key(export, exported) -> str:
    """Give the verifier key that was printed with the export."""
    return exported["key"]


def test_a_good_export_verifies_offline(export, key, tmp_path):
    """In a folder without vault or configuration, by a process of its own."""
    empty = tmp_path / "empty"
    empty.mkdir()
    done = casevault("ledger", "verify", export, "--key", key, "--json", cwd=empty)
    assert done.code == 0, done.err
    assert done.data["origin"] == "example.org/casevault/test"
    assert done.data["size"] > 10
    assert list(empty.iterdir()) == []


def test_people_are_told_in_a_sentence(export, key, capsys):
    """Without --json the result is a message; progress is shown on a terminal only."""
    done = here(capsys, "ledger", "verify", export, "--key", key)
    assert (done.code, done.out) == (0, "")
    assert "every byte as it was signed" in done.err
    assert "%" not in done.err


@pytest.mark.parametrize("at", [0.0, 0.01, 0.25, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("name", ["entries.jsonl", "checkpoint"])
def test_one_changed_byte_is_found(export, key, capsys, name, at):
    """Wherever it is: exit code 4, nothing on stdout."""
    path = next(export.rglob(name))
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)
    done = here(capsys, "ledger", "verify", export, "--key", key, "--json")
    assert (done.code, done.out) == (4, "")
    assert "integrity" in done.err
    assert "Traceback" not in done.err


def test_one_changed_byte_in_any_file_is_found(export, key, capsys):
    """Every file of an export counts."""
    files = sorted(path for path in export.rglob("*") if path.is_file())
    assert len(files) >= 4
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert here(capsys, "ledger", "verify", export, "--key", key).code == 4, path.name
        path.write_bytes(content)
    assert here(capsys, "ledger", "verify", export, "--key", key).code == 0


def test_a_missing_file_is_found(export, key, capsys):
    """A log that was cut is a log that was changed; the lines say the same as the bundles."""
    next(export.rglob("entries.jsonl")).unlink()
    assert here(capsys, "ledger", "verify", export, "--key", key).code == 0
    next(p for p in (export / "tile" / "entries").rglob("*") if p.is_file()).unlink()
    assert here(capsys, "ledger", "verify", export, "--key", key).code == 4


def test_an_entry_less_is_found(export, key, capsys):
    """The last line taken away does not pass."""
    path = next(export.rglob("entries.jsonl"))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert here(capsys, "ledger", "verify", export, "--key", key).code == 4


def test_the_key_of_another_log_does_not_fit(export, key, capsys):
    """A good key of somebody else is not this log's."""
    other = "example.org/casevault/other"
    from casevault.ledger.note import VerifierKey

    strange = VerifierKey(other, VerifierKey.parse(key).public).encode()
    assert here(capsys, "ledger", "verify", export, "--key", strange).code == 4


def test_a_checkpoint_that_was_kept_must_be_extended(
    export, key, sqlite_world, config_of, tmp_path, capsys
):
    """An older one fits; a newer one than the export says that somebody rolled the log back."""
    kept = tmp_path / "kept-checkpoint"
    shutil.copy(next(export.rglob("checkpoint")), kept)
    command = ["ledger", "verify", "--key", key, "--older"]
    assert here(capsys, *command, kept, export).code == 0
    newer = tmp_path / "newer"
    assert here(capsys, "ledger", "export", newer, "-c", config_of(sqlite_world)).code == 0
    assert here(capsys, *command, kept, newer).code == 0
    rolled_back = here(capsys, *command, next(newer.rglob("checkpoint")), export)
    assert rolled_back.code == 4


@pytest.mark.parametrize(
    "change",
    [
        ("{folder}",),
        ("{folder}", "--key", "not a key"),
        ("{folder}", "--key", "{key}x"),
        ("{folder}/missing", "--key", "{key}"),
        ("{folder}/checkpoint", "--key", "{key}"),
        ("--key", "{key}"),
        ("{folder}", "--key", "{key}", "--older", "{folder}/missing"),
    ],
)
def test_usage_errors_are_not_tampering(export, key, capsys, change):
    """A mistyped key or place is exit code 2: nobody is accused of anything."""
    values = {"folder": export, "key": key}
    arguments = [argument.format(**values) for argument in change]
    done = here(capsys, "ledger", "verify", *arguments)
    assert (done.code, done.out) == (2, "")


def test_an_export_replaces_nothing(sqlite_world, config_of, tmp_path, capsys):
    """A folder in use and a file in its place are refused as they are."""
    config = config_of(sqlite_world)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("used", "file"):
        done = here(capsys, "ledger", "export", tmp_path / name, "-c", config)
        assert (done.code, done.out) == (1, "")
        assert "Name a new folder" in done.err
    assert (tmp_path / "used" / "mine").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "mine"


def test_one_line_for_the_minutes_book(sqlite_world, config_of, capsys):
    """Origin, size, root and date, and nothing else."""
    done = here(capsys, "ledger", "print", "-c", config_of(sqlite_world))
    assert done.code == 0
    origin, size, root, day = done.out.split()
    assert origin == "example.org/casevault/test"
    assert int(size) > 10
    assert len(root) == 44
    assert len(day.split("-")) == 3
