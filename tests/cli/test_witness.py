"""Proofs of single entries, a witness, a signer of its own: each by its commands."""

from __future__ import annotations

import shutil

import pytest

from tests.api.world import build
from tests.cli.processes import here

ORIGIN = "example.org/casevault/test"


@pytest.fixture
def exported(sqlite_world, config_of, capsys, tmp_path):
    """Export tiles again and again: the log grows by the entry of each export."""
    assert sqlite_world.case
    config = config_of(sqlite_world)
    keys = []

    def export(name):
        done = here(capsys, "ledger", "export", "--tiles", tmp_path / name, "-c", config)
        assert done.code == 0, done.err
        keys.append(done.out.strip())
        return tmp_path / name, keys[0]

    return export


def test_tiles_hold_no_other_file(exported, capsys):
    """A C2SP log as it is served: checkpoint and tiles, nothing else, and it verifies."""
    folder, key = exported("tiles")
    assert {path.name for path in folder.iterdir()} == {"checkpoint", "tile"}
    done = here(capsys, "ledger", "verify", folder, "--key", key, "--json")
    assert done.code == 0
    assert done.data["retired"] == 0


def test_a_flat_file_verifies_with_its_checkpoint(sqlite_world, config_of, capsys, tmp_path):
    """One line per entry; a changed byte and a missing checkpoint are told apart."""
    flat = tmp_path / "log.jsonl"
    done = here(capsys, "ledger", "export", "--lines", flat, "-c", config_of(sqlite_world))
    assert done.code == 0, done.err
    command = ["ledger", "verify", flat, "--key", done.out.strip()]
    assert here(capsys, *command).code == 2
    command += ["--checkpoint", tmp_path / "log.jsonl.checkpoint"]
    assert here(capsys, *command).code == 0
    again = here(capsys, "ledger", "export", "--lines", flat, "-c", config_of(sqlite_world))
    assert again.code == 1
    content = bytearray(flat.read_bytes())
    content[len(content) // 3] ^= 2
    flat.write_bytes(content)
    assert here(capsys, *command).code == 4


def test_an_entry_is_proven_by_a_file_of_its_own(
    exported, sqlite_world, config_of, capsys, tmp_path
):
    """The proof verifies without vault; no byte of it can be another."""
    _, key = exported("tiles")
    done = here(
        capsys, "ledger", "prove", 0, 3, "--to", tmp_path / "p", "-c", config_of(sqlite_world)
    )
    assert done.code == 0, done.err
    assert len(done.out.split()) == 2
    proof = tmp_path / "p" / "3.tlog-proof"
    command = ["ledger", "verify-proof", proof, "--key", key]
    found = here(capsys, *command, "--json")
    assert (found.code, found.data["index"]) == (0, 3)
    good = proof.read_bytes()
    for at in range(0, len(good), 41):
        proof.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        assert here(capsys, *command).code == 4, at
    proof.write_bytes(good)
    (tmp_path / "body").write_bytes(b"{}")
    wrong = here(capsys, *command, "--salt", "A" * 43 + "=", "--body", tmp_path / "body")
    assert wrong.code == 4
    assert here(capsys, *command, "--salt", "A" * 43 + "=").code == 2
    missing = here(
        capsys, "ledger", "prove", 10**6, "--to", tmp_path, "-c", config_of(sqlite_world)
    )
    assert missing.code == 1


def test_a_witness_remembers(exported, capsys, tmp_path):
    """First sight needs the key; later ones a log that only grew; anything else is exit code 4."""
    first, key = exported("first")
    second, _ = exported("second")
    state = tmp_path / "witness"
    command = ["ledger", "remember", "--state", state]
    assert here(capsys, *command, first).code == 1
    assert here(capsys, *command, first, "--key", key).code == 0
    done = here(capsys, *command, second, "--json")
    assert (done.code, done.data["before"] < done.data["size"]) == (0, True)
    assert here(capsys, *command, second).code == 0
    remembered = (state / "checkpoint").read_bytes()
    # Rolled back, a tile changed, a tile gone, the checkpoint replaced.
    assert here(capsys, *command, first).code == 4
    for name in ("tile/0", "checkpoint"):
        third, _ = exported("third")
        path = third / name
        # The right edge, which every proof reads.
        path = path if path.is_file() else max(p for p in path.rglob("*") if p.is_file())
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert here(capsys, *command, third).code == 4, name
        path.unlink()
        assert here(capsys, *command, third).code == 4, name
        shutil.rmtree(third)
    assert (state / "checkpoint").read_bytes() == remembered
    fourth, _ = exported("fourth")
    assert here(capsys, *command, fourth).code == 0
    # Each note that was seen is kept, and is an older checkpoint for the verifier.
    seen = sorted(state.glob("*.checkpoint"))
    assert len(seen) == 3
    for note in seen:
        assert here(capsys, "ledger", "verify", fourth, "--key", key, "--older", note).code == 0
    other = key.replace("/test+", "/other+")
    assert here(capsys, *command, fourth, "--key", other).code == 2
    (state / "key.vkey").write_bytes(b"\xff")
    assert here(capsys, *command, fourth).code == 4


def test_the_minutes_line_can_be_scanned(sqlite_world, config_of, capsys):
    """Below the line its QR code in block characters."""
    done = here(capsys, "ledger", "print", "--qr", "-c", config_of(sqlite_world))
    assert done.code == 0
    line, *code = done.out.splitlines()
    assert line.startswith(ORIGIN)
    assert len(code) > 15
    assert any("\u2580" in row or "\u2588" in row for row in code)


@pytest.fixture
def lone_world(make_databases, tmp_path):
    """Give a world that nobody else uses: a running vault keeps the key that it began with."""
    made = build(make_databases("sqlite"), tmp_path / "vault", ())
    yield made
    made.close()


def test_a_key_is_replaced_while_both_sign(lone_world, config_of, capsys, tmp_path):
    """Old and new key verify the same export; after --finish only the new one does."""
    config = config_of(lone_world)

    def export(name):
        done = here(capsys, "ledger", "export", "--tiles", tmp_path / name, "-c", config)
        assert done.code == 0, done.err
        return tmp_path / name, done.out.strip()

    _, old = export("before")
    assert here(capsys, "keys", "retire", "ledger", "-c", config).code == 1
    begun = here(capsys, "ledger", "rotate-key", "-c", config)
    assert begun.code == 0, begun.err
    statement, signatures = begun.out.split("\n\n")
    title, new = statement.split("\n")
    assert title == "casevault/1/ledger-key"
    assert len(signatures.strip().split("\n")) == 2
    assert here(capsys, "keys", "rotate", "ledger", "-c", config).code == 1
    both, shown = export("both")
    assert shown == new != old
    for key in (old, new):
        assert here(capsys, "ledger", "verify", both, "--key", key).code == 0
    assert here(capsys, "keys", "retire", "ledger", "-c", config).code == 0
    after, _ = export("after")
    assert here(capsys, "ledger", "verify", after, "--key", new).code == 0
    assert here(capsys, "ledger", "verify", after, "--key", old).code == 4
