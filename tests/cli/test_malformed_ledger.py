"""Rubbish in the place of notes, proofs, tiles, bundles, lines, keys: one clean error each time."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.cli.processes import here

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "ledger"
KEY = (EXAMPLE / "key.vkey").read_text().strip()
NAMES = (
    "tiles/checkpoint",
    "tiles/tile/0/000",
    "tiles/tile/0/001.p/44",
    "tiles/tile/1/000.p/1",
    "tiles/tile/entries/000",
    "tiles/tile/entries/001.p/44",
    "flat.jsonl",
    "flat.jsonl.checkpoint",
    "older.checkpoint",
    "proofs/299.tlog-proof",
    "proofs/299.body",
)
HOSTILE = (
    b"",
    b"\n",
    b"\n\n",
    b"\x00" * 4096,
    b"\xff\xfe" * 100,
    b"[" * 100_000,
    b'{"i":0,"d":"' + b"x" * 300_000 + b'"}\n',
    b'{"i":NaN,"d":1e999}\n',
    "\u2028\u00a0\u202e".encode() * 50,
    b"example.org/casevault/2026a\n" + b"9" * 5000 + b"\nAAAA\n\n",
    b"c2sp.org/tlog-proof@v1\nindex 99999999999999999999\n\n\n",
    b"c2sp.org/tlog-proof@v1\nextra " + b"A" * 200_000 + b"\nindex 0\n\nx\n",
)


def commands(folder):
    """Return each command that reads something of the folder."""
    salt = (EXAMPLE / "proofs" / "299.salt").read_text().strip()
    flat = ("--checkpoint", folder / "flat.jsonl.checkpoint")
    proof = folder / "proofs" / "299.tlog-proof"
    return (
        ("verify", folder / "tiles", "--key", KEY, "--older", folder / "older.checkpoint"),
        ("verify", folder / "flat.jsonl", *flat, "--key", KEY),
        ("verify-proof", proof, "--key", KEY, "--body", proof.with_suffix(".body"), "--salt", salt),
        ("remember", folder / "tiles", "--state", folder / "state", "--key", KEY),
    )


def readers(name):
    """Return which of the commands read a file."""
    return {
        "tiles": (0, 3) if name.endswith("checkpoint") else (0,),
        "flat.jsonl": (1,),
        "flat.jsonl.checkpoint": (1,),
        "older.checkpoint": (0,),
        "proofs": (2,),
    }[name.split("/")[0]]


def rubbish(good, draw):
    """Return something else: cut, doubled, mixed, with a run of other bytes, or all random."""
    at, end = sorted(draw.randrange(len(good) + 1) for _ in range(2))
    return draw.choice(
        (
            good[:at] + good[end:] if end > at else good + good,
            good[:at] + draw.randbytes(draw.randrange(1, 40)) + good[at:],
            good[end:] + good[:at] + b"\n",
            draw.randbytes(draw.randrange(1, 4000)),
            good[:at] + good[at : at + 1] * 3 + good[at + 1 :] + b"!",
        )
    )


@pytest.fixture
def copy(tmp_path):
    """Give a copy of the example to break."""
    shutil.copytree(EXAMPLE, tmp_path / "log")
    return tmp_path / "log"


@pytest.mark.parametrize("times", [1, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_rubbish_is_one_clean_error(copy, capsys, name, times):
    """Exit code 4 (tampered) or 1, one sentence on stderr, nothing on stdout, no traceback."""
    draw = random.Random(f"{name} {times}")  # noqa: S311 - places, no secret
    path, good = copy / name, (EXAMPLE / name).read_bytes()
    hostile = HOSTILE if times > 10 else HOSTILE[:: len(HOSTILE) // 2]
    for data in (*hostile, *(rubbish(good, draw) for _ in range(times))):
        if data == good:
            continue
        path.write_bytes(data)
        for number in readers(name):
            done = here(capsys, "ledger", *commands(copy)[number])
            assert done.code in (1, 4), (name, number, data[:80])
            assert done.out == ""
            assert "Traceback" not in done.err
            assert 0 < len(done.err) < 1000
    path.write_bytes(good)
    for number in readers(name):
        assert here(capsys, "ledger", *commands(copy)[number]).code == 0


@pytest.mark.parametrize(
    "key", ["", "x", KEY[:-1], KEY + "=", KEY.replace("+", " "), "a+00000000+AQ==", "é+" + KEY]
)
def test_a_key_that_is_none_is_a_mistake_in_usage(copy, capsys, key):
    """Exit code 2: nobody is accused because somebody mistyped."""
    for command in commands(copy):
        arguments = [key if one == KEY else one for one in command]
        assert here(capsys, "ledger", *arguments).code == 2


def others(folder):
    """Return each other command that reads what somebody else wrote, and the file it reads."""
    file, spool = folder / "older.checkpoint", folder / "spool"
    week = ("--week", "2026-W45", "--checkpoint", file)
    return {
        "check": (("check", folder / "flat.jsonl", "--key", KEY), folder / "flat.jsonl"),
        "sample": (("sample", folder / "tiles", "--key", KEY, *week), file),
        "note": (("note", file, "--key", KEY), file),
        "sign": (
            ("sign", "--spool", spool, *signer(folder), "--once", "--begin"),
            spool / "ask" / "head",
        ),
    }


def signer(folder):
    """Return the options that name the signer of a folder."""
    return ("--state", folder / "signer", "--origin", "example.org/casevault/2026a")


@pytest.mark.parametrize("times", [1, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["check", "sample", "note", "sign"])
def test_rubbish_for_the_other_commands(copy, capsys, name, times):
    """An export with proofs, the note of a draw, a sign-off, a question to the signer."""
    for place in ("ask", "answer"):
        (copy / "spool" / place).mkdir(parents=True)
    assert here(capsys, "ledger", "signer-key", *signer(copy)).code == 0
    command, path = others(copy)[name]
    good = path.read_bytes() if path.exists() else (EXAMPLE / "older.checkpoint").read_bytes()
    draw = random.Random(f"{name} {times}")  # noqa: S311 - places, no secret
    hostile = [data for data in HOSTILE[:: 1 if times > 10 else 5] if data]
    for data in (*hostile, *(rubbish(good, draw) for _ in range(times))):
        path.write_bytes(data)
        done = here(capsys, "ledger", *command)
        assert done.code in (1, 4), data[:80]
        assert (done.out, "Traceback" in done.err) == ("", False)
        assert 0 < len(done.err) < 1000
    if name in ("sample", "note"):
        path.write_bytes(good)
        assert here(capsys, "ledger", *command).code == 0
