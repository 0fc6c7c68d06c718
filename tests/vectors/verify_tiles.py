"""A second verifier of a tlog-tiles folder, written from the C2SP specifications alone.

Imports nothing of casevault: `python tests/vectors/verify_tiles.py FOLDER KEY`, where KEY is the
text of a verifier key. Checks the note, every tile of every level and every bundle, and that there
is no other file. Exit code 0 when everything holds, 1 at the first thing that does not.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mth(row: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, over leaf hashes."""
    if not row:
        return sha(b"")
    if len(row) == 1:
        return row[0]
    k = 1
    while 2 * k < len(row):
        k *= 2
    return sha(b"\x01" + mth(row[:k]) + mth(row[k:]))


def checkpoint(note: bytes, vkey: str) -> tuple[int, bytes]:
    """Open a signed note with a verifier key; return size and root."""
    name, hexid, packed = vkey.split("+", 2)
    key = base64.b64decode(packed, validate=True)
    ident = sha(name.encode() + b"\n" + key)[:4]
    if key[0] != 1 or ident.hex() != hexid:
        raise ValueError("verifier key")
    text, lines = note.decode().rsplit("\n\n", 1)
    text += "\n"
    good = False
    for line in lines.splitlines():
        dash, who, signature = line.split(" ")
        data = base64.b64decode(signature, validate=True)
        if dash == "\N{EM DASH}" and (who, data[:4]) == (name, ident):
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(data[4:], text.encode())
            good = True
    origin, size, root = text.splitlines()
    if not good or origin != name or str(int(size)) != size or not lines.endswith("\n"):
        raise ValueError("checkpoint")
    if base64.b64encode(base64.b64decode(root)).decode() != root:
        raise ValueError("root")
    return int(size), base64.b64decode(root, validate=True)


def path(level: str, index: int, width: int) -> str:
    digits = str(index).zfill(-(-len(str(index)) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    tail = "" if width == 256 else f".p/{width}"
    return f"tile/{level}/" + "/".join(["x" + g for g in groups[:-1]] + groups[-1:]) + tail


def entries(data: bytes) -> list[bytes]:
    found = []
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        if len(data) < end:
            raise ValueError("bundle")
        found.append(data[2:end])
        data = data[end:]
    return found


def verify(folder: Path, vkey: str) -> int:
    size, root = checkpoint((folder / "checkpoint").read_bytes(), vkey)
    known, row, level = {"checkpoint"}, list[bytes](), 0
    for start in range(0, size, 256):
        name = path("entries", start // 256, min(256, size - start))
        found = entries((folder / name).read_bytes())
        if len(found) != min(256, size - start):
            raise ValueError(name)
        known.add(name)
        row += [sha(b"\x00" + leaf) for leaf in found]
    if mth(row) != root:
        raise ValueError("root")
    while row:
        for start in range(0, len(row), 256):
            part = row[start : start + 256]
            name = path(str(level), start // 256, len(part))
            if (folder / name).read_bytes() != b"".join(part):
                raise ValueError(name)
            known.add(name)
        full = len(row) // 256 * 256
        row, level = [mth(row[i : i + 256]) for i in range(0, full, 256)], level + 1
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    if there != known:
        raise ValueError("surplus files")
    return size


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: verify_tiles.py FOLDER KEY")
    try:
        print(verify(Path(sys.argv[1]), sys.argv[2]), "entries, and everything about them holds")
    except (ValueError, OSError, IndexError, InvalidSignature) as found:
        sys.exit(f"does not hold: {type(found).__name__} {found}")
