"""What we export is what C2SP's pages say: read by a client that was written from them alone."""

from __future__ import annotations

import base64
import random
import subprocess
import sys
from pathlib import Path

import pytest

from casevault.ledger.export import Retired, export_files
from casevault.ledger.note import Checkpoint, VerifierKey, sign_note
from casevault.ledger.tiles import encode_index
from casevault.ledger.tree import Frontier, inclusion_proof, leaf_hash
from tests.vectors import read_c2sp
from tests.vectors.read_c2sp import Log, Wrong

from .reference import NAME, PRIVATE, PUBLIC, reader_of

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "ledger"
KEY = VerifierKey(NAME, PUBLIC).encode()
SIZE = 70_000
REFUSED = (Wrong, ValueError, OSError, KeyError, read_c2sp.InvalidSignature)


def signed(text):
    """Return a note with the signature of the log's key."""
    return sign_note(text, NAME, PUBLIC, PRIVATE.sign)


def exported(leaves):
    """Return the files of an export, without those that are no resource of a tiled log."""
    root = Frontier().extend([_hash(leaf) for leaf in leaves]).root()
    note = signed(Checkpoint(NAME, len(leaves), root).encode())
    files = dict(export_files(leaves, note))
    return {name: data for name, data in files.items() if not name.endswith(".jsonl")}


def _hash(leaf):
    return leaf.hash if isinstance(leaf, Retired) else leaf_hash(leaf)


def check(files, **asked):
    """Read an export as a client; return the log."""
    log = Log(files.__getitem__, KEY)
    log.check(**asked)
    return log


@pytest.fixture(scope="module")
def large():
    """Give the export of a tree with a full tile at level 1 and partial ones at three levels."""
    return exported([b"entry %d" % n for n in range(SIZE)])


def test_the_client_imports_nothing_of_ours():
    """Otherwise it would share our mistakes."""
    source = (ROOT / "tests" / "vectors" / "read_c2sp.py").read_text(encoding="utf-8")
    lines = [line.strip() for line in source.splitlines()]
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert imports
    assert not any("casevault" in line or "tests" in line for line in imports)


def test_the_shipped_example_holds():
    """As a reader would run it: tiles, the older checkpoint, every proof; not with another key."""
    key = (EXAMPLE / "key.vkey").read_text().strip()
    proofs = sorted((EXAMPLE / "proofs").glob("*.tlog-proof"))
    assert proofs
    more = ["--older", EXAMPLE / "older.checkpoint", "--proofs", *proofs]
    command = [sys.executable, ROOT / "tests" / "vectors" / "read_c2sp.py", EXAMPLE / "tiles"]
    assert subprocess.run([*command, key, *more], check=False, capture_output=True).returncode == 0
    assert subprocess.run([*command, KEY, *more], check=False, capture_output=True).returncode == 1


def test_seventy_thousand_entries_are_the_resources_of_the_specification(large):
    """Its own example: 273 full tiles, one of 112; a full one and one of 17; one of width 1."""
    assert set(large) == {"checkpoint", *read_c2sp.required(SIZE)}
    level = {n: {name for name in large if name.startswith(f"tile/{n}/")} for n in range(4)}
    assert [len(level[n]) for n in range(4)] == [274, 2, 1, 0]
    assert {"tile/0/272", "tile/0/273.p/112"} < level[0]
    assert level[1] == {"tile/1/000", "tile/1/001.p/17"}
    assert level[2] == {"tile/2/000.p/1"}
    assert set(exported([b"x"] * 256)) == {
        "checkpoint",
        *("tile/0/000", "tile/1/000.p/1", "tile/entries/000"),
    }
    check(large)


def test_a_client_makes_our_proofs_from_tiles(large):
    """Inclusion at random places, and the root of every older size that it is asked for."""
    log, draw = check(large), random.Random(6962)  # noqa: S311 - places, no secret
    hashes = [leaf_hash(b"entry %d" % n) for n in range(SIZE)]
    for index in (0, 256, 65_535, SIZE - 1, *(draw.randrange(SIZE) for _ in range(3))):
        proof = log.inclusion(index)
        assert read_c2sp.root_from(index, SIZE, hashes[index], proof) == log.head.root
        size = index + 1
        assert log.mth(0, size) == Frontier().extend(hashes[:size]).root()
    small = hashes[:300]
    log = check(exported([b"entry %d" % n for n in range(300)]))

    for index in range(0, 300, 23):
        assert tuple(log.inclusion(index)) == inclusion_proof(index, 300, reader_of(small))


def broken(files, name, draw):
    """Return the files with one byte of one of them changed."""
    data = bytearray(files[name])
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return {**files, name: bytes(data)}


def test_one_changed_byte_fails(large):
    """In each kind of file: note, tiles of each level, full and partial, and bundles."""
    draw = random.Random(257)  # noqa: S311 - places, no secret
    kinds = ["0/011", "0/273.p/112", "1/000", "1/001.p/17", "2/000.p/1", "entries/273.p/112"]
    for name in ("checkpoint", *(f"tile/{kind}" for kind in kinds)):
        with pytest.raises(REFUSED):
            check(broken(large, name, draw))
        with pytest.raises(KeyError):
            check({other: data for other, data in large.items() if other != name})


@pytest.mark.slow
def test_one_changed_byte_anywhere_fails(large):
    """At a hundred random places."""
    draw = random.Random(100)  # noqa: S311 - places, no secret
    for _ in range(100):
        with pytest.raises(REFUSED):
            check(broken(large, draw.choice(sorted(large)), draw))


@pytest.mark.parametrize("index", [0, 7, 999, 1000, 67_999, 1_234_067, 10**9, 10**12 + 1])
def test_an_index_is_spelled_alike(index):
    """Path elements of three digits, all but the last with an x."""
    assert f"tile/3/{encode_index(index)}" == read_c2sp.path("3", index, 256)
    assert read_c2sp.path("0", 1_234_067, 9) == "tile/0/x001/x234/067.p/9"


def test_below_the_minimum_index_nothing_need_be_there():
    """Leaves that retention took: their bundles are missing, every hash above is still proven."""
    leaves = [b"entry %d" % n for n in range(700)]
    kept = exported([*(Retired(leaf_hash(leaf)) for leaf in leaves[:512]), *leaves[512:]])
    missing = set(exported(leaves)) - set(kept)
    assert missing == {"tile/entries/000", "tile/entries/001"}
    check(kept, minimum=512)
    with pytest.raises(KeyError):
        check(kept)


def test_a_note_is_read_as_its_specification_says():
    """Signatures of others are passed over, extension lines are opaque, the rest is strict."""
    text = Checkpoint(NAME, 3, bytes(32)).encode()
    note = signed(text)
    other = b"\xe2\x80\x94 witness.example " + base64.b64encode(b"\x04other" * 9) + b"\n"
    first, _, rest = note.rpartition(b"\n\n")
    for more in (note + other * 15, first + b"\n\n" + other + rest):
        assert read_c2sp.open_checkpoint(more, KEY).size == 3
    assert read_c2sp.open_checkpoint(signed(text + b"more\n"), KEY).extensions == ("more",)
    wrong = [
        note[:-1],
        note.replace(b"\n3\n", b"\n03\n"),
        signed(text.replace(b"\n3\n", b"\n03\n")),
        signed(text.replace(b"A=\n", b"B=\n")),
        first + b"\n\n" + other,
        note + b"\xe2\x80\x94 no\x07bell AAAA\n",
        text,
        b"",
    ]
    for one in wrong:
        with pytest.raises(REFUSED):
            read_c2sp.open_checkpoint(one, KEY)
    name, ident, packed = KEY.split("+", 2)
    wrong_id = f"{int(ident, 16) ^ 1:08x}"
    for key in (f"{name}+{wrong_id}+{packed}", f"x{KEY}", KEY[:-4]):
        with pytest.raises(REFUSED):
            read_c2sp.open_checkpoint(note, key)
