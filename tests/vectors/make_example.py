"""Makes docs/examples/ledger: a small log of made-up entries, for anybody's verifier.

    python tests/vectors/make_example.py docs/examples/ledger

The same bytes each time. The key is derived from a sentence in this file, so it proves nothing to
anybody: it is there to try a verifier on.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from casevault.ledger.codes import CODES
from casevault.ledger.entry import Body, Entity, encode_body, encode_leaf, make_leaf
from casevault.ledger.export import export_files
from casevault.ledger.note import Checkpoint, VerifierKey, sign_note
from casevault.ledger.proof import Proof, encode_proof
from casevault.ledger.tree import Frontier, complete_root, inclusion_proof, leaf_hash

ORIGIN = "example.org/casevault/2026a"
SIZE, OLDER = 300, 200
PROVEN = (0, 255, 256, 299)
SHOWN = 299
SECRET = hashlib.sha256(b"a key that everybody knows, for the example log only").digest()
KEY = Ed25519PrivateKey.from_private_bytes(SECRET)
PUBLIC = KEY.public_key().public_bytes_raw()


def made_up(what: str, index: int) -> str:
    """Return 22 characters that stand for somebody or something."""
    digest = hashlib.sha256(f"{what} {index}".encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def body(index: int) -> Body:
    """Return what happened, as nobody did it."""
    if index == SHOWN:
        return Body(
            recorded="2026-11-26T12:00:00.000000Z",
            code="key.roll",
            roles=("service",),
            purpose="operations",
            rule="permit:operator",
        )
    code = ("case.read", "case.list", "note.add", "auth.login", "authz.deny")[index % 5]
    return Body(
        recorded=f"2026-11-{1 + index // 12:02}T{8 + index % 12:02}:{index % 60:02}:00.000000Z",
        code=code,
        actor=made_up("person", index % 7),
        roles=("caseworker",),
        session=made_up("session", index // 5),
        purpose="treatment",
        outcome=4 if code == "authz.deny" else 0,
        rule="deny:no-grant" if code == "authz.deny" else "permit:own-grant",
        entities=(Entity("case", made_up("case", index % 20)),) if CODES[code] == "rest" else (),
    )


def salt(index: int) -> bytes:
    """Return the salt of an entry; in a real log it is random."""
    return hashlib.sha256(f"salt {index}".encode()).digest()


def leaves() -> list[bytes]:
    """Return the leaves of the log, by two writers in turn."""
    return [
        encode_leaf(
            make_leaf(
                body(index),
                salt(index),
                writer=made_up("writer", index % 2),
                counter=index // 2,
                key_month="2026-11",
            )
        )
        for index in range(SIZE)
    ]


def note(hashes: list[bytes]) -> bytes:
    """Return the signed checkpoint of a log."""
    text = Checkpoint(ORIGIN, len(hashes), Frontier().extend(hashes).root()).encode()
    return sign_note(text, ORIGIN, PUBLIC, KEY.sign)


def files() -> dict[str, bytes]:
    """Return every file but the README."""
    log = leaves()
    hashes = [leaf_hash(leaf) for leaf in log]
    newest = note(hashes)
    found = {
        "key.vkey": VerifierKey(ORIGIN, PUBLIC).encode().encode() + b"\n",
        "older.checkpoint": note(hashes[:OLDER]),
        "flat.jsonl.checkpoint": newest,
        f"proofs/{SHOWN}.body": encode_body(body(SHOWN)),
        f"proofs/{SHOWN}.salt": base64.b64encode(salt(SHOWN)) + b"\n",
    }
    for path, data in export_files(log, newest):
        found["flat.jsonl" if path == "entries.jsonl" else f"tiles/{path}"] = data
    for index in PROVEN:
        path = inclusion_proof(
            index, SIZE, lambda level, n: complete_root(hashes[n << level : (n + 1) << level])
        )
        found[f"proofs/{index}.tlog-proof"] = encode_proof(Proof(index, path, newest, log[index]))
    return found


def main(folder: Path) -> None:
    """Write the files into a folder, instead of those that are there."""
    for name in ("tiles", "proofs"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path, data in files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
