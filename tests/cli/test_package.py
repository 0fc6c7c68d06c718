"""`casevault package`: two strangers with nothing but this program and a phone."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import stat
import subprocess
import threading
import zipfile

import pytest

from casevault.crypto import key_files
from tests.api.world import NORTH
from tests.cli.processes import here

WORDS = "six generated words that nobody guesses"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run a command in a folder of one's own; `{fd}` stands for a descriptor with a passphrase."""
    monkeypatch.chdir(tmp_path)

    def command(*args, words=WORDS):
        given = list(args)
        if "{fd}" in given:
            reader, writer = os.pipe()
            os.write(writer, words.encode() + b"\n")
            os.close(writer)
            given[given.index("{fd}")] = str(reader)
        return here(capsys, "package", *given)

    return command


def refused(done, text, code=1):
    """A sentence on stderr, the exit code of a refusal, nothing on stdout."""
    assert done.code == code, done.err
    assert text in " ".join(done.err.split())
    assert done.out == ""


@pytest.fixture
def two(run, tmp_path):
    """Give a sender and a recipient who each made a key."""
    for name in ("sender.key", "shelter.key"):
        done = run("keygen", name, "--passphrase-fd", "{fd}", "--json")
        assert done.code == 0, done.err
    (tmp_path / "referral.html").write_text("<p>Ms Made-Up</p>")
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7 made up")
    return tmp_path


def test_a_key_is_what_a_vault_takes_and_is_for_its_owner_only(run, tmp_path):
    """Base64 of 1,248 bytes and the fingerprint; the file is sealed, and none is replaced."""
    done = run("keygen", "shelter.key", "--passphrase-fd", "{fd}", "--json")
    shown = json.loads(done.out)
    public = key_files.read(shown["key"])
    assert shown["fingerprint"] == public.fingerprint
    assert public.fingerprint in done.err
    assert key_files.read((tmp_path / "shelter.key.pub").read_text()) == public
    place = tmp_path / "shelter.key"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    secret = key_files.opened(place.read_bytes(), WORDS)
    assert secret.seed not in place.read_bytes()
    before = place.read_bytes()
    refused(run("keygen", "shelter.key", "--passphrase-fd", "{fd}"), "already")
    assert place.read_bytes() == before
    refused(
        run("keygen", "weak.key", "--passphrase-fd", "{fd}", words="short"), "six generated words"
    )
    assert not (tmp_path / "weak.key").exists()


def test_a_package_goes_from_one_to_the_other(run, two):
    """Made, looked at, opened once; twice, changed, cut, by a stranger: refused, nothing left."""
    made = run(
        "make", "referral.html", "letter.pdf", "--to", "shelter.key.pub", "--out", "r.cvp",
        "--kind", "referral", "--as", "Made-Up Society", "--days", "30",
        "--key", "sender.key", "--passphrase-fd", "{fd}",
    )  # fmt: skip
    assert made.code == 0, made.err
    recipient = key_files.read((two / "shelter.key.pub").read_text())
    sender = key_files.read((two / "sender.key.pub").read_text())
    assert recipient.fingerprint in made.err
    outside = json.loads(run("inspect", "r.cvp", "--json").out)
    assert outside["sealed to"] == recipient.key_id.hex()
    assert set(outside) == {"id", "sealed to"}
    mine = ("--key", "shelter.key", "--passphrase-fd", "{fd}")
    inside = run("inspect", "r.cvp", *mine, "--json")
    shown = json.loads(inside.out)
    assert (shown["signed by"], shown["says it is from"]) == (sender.fingerprint, "Made-Up Society")
    assert "Compare it with what the sender reads out" in inside.err
    assert [one["name"] for one in shown["files"]] == ["referral.html", "letter.pdf"]

    for cut in (21, 3000):
        (two / "cut.cvp").write_bytes((two / "r.cvp").read_bytes()[:cut])
        refused(run("open", "cut.cvp", *mine, "--out", "cut"), "Ask for", code=4)
    refused(
        run("open", "r.cvp", "--key", "sender.key", "--passphrase-fd", "{fd}", "--out", "cut"),
        "another key",
    )
    refused(
        run("open", "r.cvp", *mine, "--from", "shelter.key.pub", "--out", "cut"), "not signed by"
    )
    refused(
        run("open", "r.cvp", *mine, "--out", "cut", words="other words of somebody else"),
        "not the passphrase",
    )
    assert not (two / "cut").exists()

    done = run("open", "r.cvp", *mine, "--from", "sender.key.pub", "--out", "r")
    assert done.code == 0, done.err
    assert done.out.split() == ["referral.html", "letter.pdf"]
    assert (two / "r" / "referral.html").read_text() == "<p>Ms Made-Up</p>"
    assert stat.S_IMODE((two / "r").stat().st_mode) == 0o700
    refused(run("open", "r.cvp", *mine, "--out", "again"), "opened here before")
    refused(run("open", "r.cvp", *mine, "--again", "--out", "r"), "already")
    assert run("open", "r.cvp", *mine, "--again", "--out", "again").code == 0
    assert not list(two.glob(".*"))


def test_what_cannot_go_into_a_package_is_refused_before_anybody_is_asked(run, two):
    """An archive, a name that hides its ending, no recipient, both kinds, a file that is no key."""
    (two / "42.zip").write_bytes(b"PK")
    (two / "x\u202efdp.txt").write_bytes(b"x")
    for name in ("42.zip", "x\u202efdp.txt"):
        refused(run("make", name, "--to", "shelter.key.pub", "--out", "x.cvp"), "")
    for wrong in ("letter.pdf", "shelter.key"):
        refused(run("make", "letter.pdf", "--to", wrong, "--out", "x.cvp"), "no public keys")
    assert run("make", "letter.pdf", "--out", "x.cvp").code == 2
    both = ("--to", "shelter.key.pub", "--age", "--out", "x.cvp")
    assert run("make", "letter.pdf", *both).code == 2
    no_key = ("--key", "letter.pdf", "--out", "x.cvp")
    refused(run("make", "letter.pdf", "--to", "shelter.key.pub", *no_key), "no key file")
    assert not (two / "x.cvp").exists()


def age(folder, words: str, name: str) -> bytes:
    """Decrypt a file with the ordinary `age`, which asks for the passphrase on its terminal."""
    program = shutil.which("age")
    if program is None:
        pytest.skip("Debian package: age")
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", program, "-d", "-o", "-", name]
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=-1, stderr=-3)
    os.close(theirs)
    typing = threading.Timer(0.3, lambda: os.write(ours, words.encode() + b"\n"))
    typing.start()
    out, _ = process.communicate(timeout=120)
    typing.join()
    os.close(ours)
    assert process.returncode == 0
    return out


@pytest.mark.slow
def test_whoever_has_only_age_opens_it_too(run, two):
    """Debian's program, the words that were said by phone, and any program that unpacks ZIP."""
    made = run("make", "referral.html", "letter.pdf", "--age", "--out", "r.age", "--as", "Made-Up")
    assert made.code == 0, made.err
    words = made.err.splitlines()[0].strip()
    assert len(words.split()) == 6
    assert words not in made.out
    shown = run("open", "r.age", "--passphrase-fd", "{fd}", "--out", "ours", words=words)
    assert shown.code == 0, shown.err
    assert "Nobody signed" in shown.err
    with zipfile.ZipFile(io.BytesIO(age(two, words, "r.age"))) as archive:
        assert archive.testzip() is None
        for name in ("referral.html", "letter.pdf"):
            assert archive.read(name) == (two / name).read_bytes()
            assert (two / "ours" / name).read_bytes() == (two / name).read_bytes()
        size = len(archive.fp.getvalue())
        assert size & (size - 1) == 0


@pytest.mark.slow
def test_another_passphrase_opens_no_age_file(run, two):
    """A sentence, and no folder."""
    run("make", "letter.pdf", "--age", "--out", "r.age")
    refused(run("open", "r.age", "--passphrase-fd", "{fd}", "--out", "ours"), "does not open")
    assert not (two / "ours").exists()


def test_a_vault_prints_where_an_intake_goes(sqlite_world, config_of, run):
    """The team's keys, vouched for: who has them seals, and cannot open. Unknown teams are said."""
    config = ("--config", str(config_of(sqlite_world)))
    found = json.loads(run("address", NORTH, *config, "--json").out)
    own = json.loads(run("address", *config, "--json").out)
    assert key_files.read(found["key"]).fingerprint == found["fingerprint"]
    assert found["key"] != own["key"]
    refused(run("address", "Nowhere at all", *config), "no team of this name")
