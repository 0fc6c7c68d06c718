"""Writes the vectors of the ledger: `python tests/vectors/make_ledger.py [target]`.

All keys, salts and people are made up and derived from counters, so two runs give the same file.
Values that only state what the RFC says (trees) are stated once more by `verify_ledger.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from casevault.ledger.codes import CODES
from casevault.ledger.entry import (
    Body,
    Entity,
    commitment,
    encode_body,
    encode_leaf,
    make_leaf,
    tag_input,
)
from casevault.ledger.export import Retired, export_files, hash_of
from casevault.ledger.note import Checkpoint, VerifierKey, sign_note
from casevault.ledger.proof import Proof, encode_proof
from casevault.ledger.tiles import Tiler, bundle_paths, tile_paths, tile_reader
from casevault.ledger.tree import Frontier, consistency_proof, inclusion_proof, leaf_hash

NAME = "example.org/casevault/2026a"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
TAG_KEY = bytes(range(64, 96))
SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 600)


def entry(number: int, code: str) -> dict[str, Any]:
    """One entry with everything that belongs to it."""
    body = Body(
        recorded=f"2026-03-04T0{number % 10}:15:30.000{number:03}Z",
        code=code,
        actor=f"actor-pseudonym-{number:04}",
        roles=("caseworker", "team-lead")[: number % 3],
        session=f"session-pseudonym-{number:04}" if number % 2 else None,
        assurance="two-factor",
        purpose="treatment",
        outcome=(0, 4, 8, 12)[number % 4],
        rule="permit:own-grant",
        entities=(Entity("case", f"record-pseudonym-{number:04}", (("narrative", number),)),),
        fields=("narrative.text",),
        filters=("status",) if number % 2 else (),
        count=number,
        links=(("approval", "entry:0"),),
        skipped=(number + 1,) if number == 3 else (),
    )
    data, salt = encode_body(body), hashlib.sha256(b"salt %d" % number).digest()
    writer = f"writer-{number % 2:08}"
    leaf = encode_leaf(
        make_leaf(body, salt, writer=writer, counter=number // 2, key_month="2026-03")
    )
    sealed = b"sealed body %d" % number
    return {
        "leaf": leaf.decode(),
        "leaf_hash": leaf_hash(leaf).hex(),
        "body": data.decode(),
        "salt": salt.hex(),
        "commitment": commitment(salt, data).hex(),
        "sealed": sealed.hex(),
        "tag": hmac.digest(TAG_KEY, tag_input(leaf, sealed), "sha256").hex(),
    }


def tree() -> dict[str, Any]:
    """Roots, tiles and proofs over the leaves ``0``, ``1``, … (decimal digits)."""
    hashes = [leaf_hash(str(i).encode()) for i in range(SIZES[-1])]
    tiler = Tiler()
    tiles = [tile for item in hashes for tile in tiler.push(item)] + tiler.rest()
    data = {(tile.name.level, tile.name.index): tile.data for tile in tiles}
    reader = tile_reader(lambda level, index: data[level, index])
    pairs = [(1, 2), (2, 5), (3, 7), (4, 8), (6, 8), (255, 256), (256, 600), (257, 600), (600, 600)]
    places = [(0, 1), (0, 5), (4, 5), (6, 7), (255, 257), (256, 257), (599, 600), (300, 600)]
    return {
        "roots": {str(n): Frontier().extend(hashes[:n]).root().hex() for n in SIZES},
        "frontiers": {str(n): Frontier().extend(hashes[:n]).encode().hex() for n in SIZES},
        "tiles": {tile.name.path: hashlib.sha256(tile.data).hexdigest() for tile in tiles},
        "paths": {
            str(n): [t.path for t in (*tile_paths(n), *bundle_paths(n))][-6:]
            for n in (1, 256, 70_000)
        },
        "inclusion": [
            {"index": i, "size": n, "proof": [h.hex() for h in inclusion_proof(i, n, reader)]}
            for i, n in places
        ],
        "consistency": [
            {"old": m, "new": n, "proof": [h.hex() for h in consistency_proof(m, n, reader)]}
            for m, n in pairs
        ],
    }


def log(leaves: list[bytes]) -> dict[str, Any]:
    """Signed heads, a proof file and two exports, one of them with retired leaves."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    notes = [_note(hashes[:count]) for count in range(len(hashes) + 1)]
    tile = b"".join(hashes)
    path = inclusion_proof(2, len(hashes), tile_reader(lambda _level, _index: tile))
    retired = [Retired(hash_of(leaf)) for leaf in leaves]
    return {
        "verifier_key": VerifierKey(NAME, PUBLIC).encode(),
        "checkpoints": [note.decode() for note in notes],
        "proof": encode_proof(Proof(2, path, notes[-1])).decode(),
        "export": _files(export_files(leaves, notes[-1])),
        "export_retired": _files(export_files(retired, notes[-1])),
    }


def refused(leaf: str) -> list[str]:
    """Return spellings of a leaf that a strict reader refuses."""
    return [
        leaf + "\n",
        " " + leaf,
        leaf.replace('"v":1', '"v":1.0'),
        leaf.replace('"v":1', '"v":true'),
        leaf.replace('"v":1', '"v":2'),
        leaf.replace('"v":1,', '"v":1,"v":1,'),
        leaf.replace(":00:00Z", ":15:00Z"),
        leaf.replace('"c":"', '"c":"\\u0072'),
        leaf.replace('"k":"2026-03"', '"k":"2026-13"'),
        leaf[:-1] + ',"x":1}',
        leaf[:-3] + '="}',
    ]


def _note(hashes: list[bytes]) -> bytes:
    text = Checkpoint(NAME, len(hashes), Frontier().extend(hashes).root()).encode()
    return sign_note(text, NAME, PUBLIC, PRIVATE.sign)


def _files(files: Any) -> dict[str, str]:
    return {path: base64.b64encode(data).decode() for path, data in files}


def main() -> None:
    """Write the file."""
    default = Path(__file__).with_name("ledger.json")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    codes = ["system.init", "auth.login", "case.read", "authz.deny", "case.list", "audit.query"]
    entries = [entry(number, code) for number, code in enumerate(codes)]
    vectors = {
        "comment": "Made by make_ledger.py; every person, key and salt is made up.",
        "codes": dict(CODES),
        "tag_key": TAG_KEY.hex(),
        "entries": entries,
        "refused_leaves": refused(entries[0]["leaf"]),
        "tree": tree(),
        "log": log([item["leaf"].encode() for item in entries]),
    }
    target.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
