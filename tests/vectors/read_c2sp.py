"""A client of a tiled log, written from C2SP's pages and RFC 6962, with nothing of casevault.

    python tests/vectors/read_c2sp.py FOLDER KEY [--older CHECKPOINT] [--from N] [--proofs FILE ...]

Beside `verify_tiles.py`, which rebuilds the whole folder from its entries, this one does what a
monitor does: it opens the checkpoint, fetches only resources that this size requires, takes every
hash from tiles, checks each entry against its tile, each tile against the one above, and what an
older checkpoint said; below the minimum index N nothing need be there. The proofs (tlog-proof)
carry their leaf as extra data. Exit code 0 when everything holds, 1 at the first that does not.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = b"\x01"
PROOF_HEADER = "c2sp.org/tlog-proof@v1"


class Wrong(Exception):
    """Something is not as the specifications have it."""


def demand(condition: bool, what: str) -> None:
    if not condition:
        raise Wrong(what)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha(b"\x01" + left + right)


def b64(text: str) -> bytes:
    """RFC 4648, section 4, in its one canonical spelling."""
    data = base64.b64decode(text, validate=True)
    demand(base64.b64encode(data).decode() == text, "base64")
    return data


def number(text: str) -> int:
    demand(text.isascii() and text.isdigit() and str(int(text)) == text, "decimal")
    return int(text)


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...]


def open_note(note: bytes, vkey: str) -> str:
    """signed-note: return the text if a signature of this key verifies; others are ignored."""
    name, key_id, packed = vkey.split("+", 2)
    key = b64(packed)
    demand(key[:1] == ED25519 and len(key) == 33, "type of the verifier key")
    expected = sha(name.encode() + b"\n" + key)[:4]
    demand(expected.hex() == key_id, "id of the verifier key")
    whole = note.decode("utf-8", "strict")
    demand(not any(c < " " and c != "\n" for c in whole), "control characters")
    demand(whole.endswith("\n"), "last newline")
    at = whole.rfind("\n\n")
    demand(at > 0, "empty line")
    text, signatures, found = whole[: at + 1], whole[at + 2 : -1].split("\n"), 0
    for line in signatures:
        dash, who, packed = line.split(" ")
        demand(dash == "\u2014" and who != "" and "+" not in who, "signature line")
        signature = b64(packed)
        demand(len(signature) > 4, "signature")
        if (who, signature[:4]) == (name, expected):
            public = Ed25519PublicKey.from_public_bytes(key[1:])
            public.verify(signature[4:], text.encode())
            found += 1
    demand(found > 0, "no signature of this key")
    return text


def open_checkpoint(note: bytes, vkey: str) -> Checkpoint:
    """tlog-checkpoint: origin, size, root, and lines that nobody need understand."""
    lines = open_note(note, vkey)[:-1].split("\n")
    demand(len(lines) >= 3 and all(lines), "three lines that are not empty")
    root = b64(lines[2])
    demand(len(root) == 32, "root")
    return Checkpoint(lines[0], number(lines[1]), root, tuple(lines[3:]))


def path(level: str, index: int, width: int) -> str:
    """tlog-tiles: where a tile or bundle is served."""
    elements = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        elements.insert(0, f"x{index % 1000:03d}")
    if width != 256:
        elements[-1] += ".p"
        elements.append(str(width))
    return "/".join(["tile", level, *elements])


def required(size: int) -> list[str]:
    """Every tile and bundle of a tree of this size, by the definition of partial tiles."""
    found, level = [], 0
    while size >> 8 * level:
        count = size >> 8 * level
        for name in [str(level)] + ["entries"] * (level == 0):
            found += [path(name, n, 256) for n in range(count // 256)]
            found += [path(name, count // 256, count % 256)] if count % 256 else []
        level += 1
    return found


def largest_power_below(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


class Log:
    """A log behind something that fetches a path below its prefix."""

    def __init__(self, fetch: Callable[[str], bytes], vkey: str) -> None:
        self._fetch = fetch
        self.head = open_checkpoint(fetch("checkpoint"), vkey)
        demand(self.head.origin == vkey.split("+")[0], "origin")
        self.tile = cache(self._tile)

    def _width(self, level: int, index: int) -> int:
        width = min(256, (self.head.size >> 8 * level) - 256 * index)
        demand(width > 0, "no such tile")
        return width

    def _tile(self, level: int, index: int) -> list[bytes]:
        width = self._width(level, index)
        data = self._fetch(path(str(level), index, width))
        demand(len(data) == 32 * width, f"length of tile {level}/{index}")
        return [data[at : at + 32] for at in range(0, len(data), 32)]

    def bundle(self, index: int) -> list[bytes]:
        width = self._width(0, index)
        data, entries = self._fetch(path("entries", index, width)), []
        while data:
            end = 2 + int.from_bytes(data[:2], "big")
            demand(len(data) >= max(2, end), f"bundle {index}")
            entries.append(data[2:end])
            data = data[end:]
        demand(len(entries) == width, f"entries of bundle {index}")
        return entries

    def mth(self, start: int, end: int) -> bytes:
        """RFC 6962's MTH(D[start:end]), of which every complete subtree is read from a tile."""
        count = end - start
        if count == 0:
            return sha(b"")
        if count & (count - 1) == 0 and start % count == 0:
            height = count.bit_length() - 1
            level, within = height // 8, 1 << height % 8
            first = start >> 8 * level
            row = self.tile(level, first // 256)[first % 256 : first % 256 + within]
            while len(row) > 1:
                row = [node(row[n], row[n + 1]) for n in range(0, len(row), 2)]
            return row[0]
        middle = start + largest_power_below(count)
        return node(self.mth(start, middle), self.mth(middle, end))

    def inclusion(self, index: int) -> list[bytes]:
        """RFC 6962's PATH(index, D), from the leaf's sibling upwards."""
        found, start, end = list[bytes](), 0, self.head.size
        while end - start > 1:
            middle = start + largest_power_below(end - start)
            near = index < middle
            found.insert(0, self.mth(middle, end) if near else self.mth(start, middle))
            start, end = (start, middle) if near else (middle, end)
        return found

    def check(self, older: Checkpoint | None = None, minimum: int = 0) -> None:
        """Check all that is published; `minimum` is the minimum index."""
        size = self.head.size
        demand(self.mth(0, size) == self.head.root, "root")
        if older is not None:
            demand(older.origin == self.head.origin and older.size <= size, "older checkpoint")
            demand(self.mth(0, older.size) == older.root, "root of the older checkpoint")
        for index in range(minimum // 256, -(-size // 256)):
            hashes = [sha(b"\x00" + entry) for entry in self.bundle(index)]
            demand(hashes == self.tile(0, index), f"bundle {index} and its tile")
        level = 1
        while size >> 8 * level:
            for n in range(minimum >> 8 * level, size >> 8 * level):
                below = self.tile(level - 1, n)
                above = self.tile(level, n // 256)[n % 256]
                demand(len(below) == 256 and self._fold(below) == above, f"tile {level - 1}/{n}")
            level += 1

    @staticmethod
    def _fold(row: list[bytes]) -> bytes:
        while len(row) > 1:
            row = [node(row[n], row[n + 1]) for n in range(0, len(row), 2)]
        return row[0]


def root_from(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to; RFC 6962's PATH read backwards."""
    if size == 1:
        demand(not proof, "proof too long")
        return leaf
    demand(bool(proof), "proof too short")
    k, rest = largest_power_below(size), proof[:-1]
    if index < k:
        return node(root_from(index, k, leaf, rest), proof[-1])
    return node(proof[-1], root_from(index - k, size - k, leaf, rest))


def check_proof(data: bytes, vkey: str) -> Checkpoint:
    """tlog-proof: return the checkpoint under which the entry in the extra line is."""
    head, _, note = data.partition(b"\n\n")
    lines = head.decode("utf-8", "strict").split("\n")
    demand(lines.pop(0) == PROOF_HEADER, "first line")
    demand(
        bool(lines) and lines[0].startswith("extra "), "extra line (this log puts the leaf there)"
    )
    leaf = sha(b"\x00" + b64(lines.pop(0).removeprefix("extra ")))
    demand(bool(lines) and lines[0].startswith("index "), "index line")
    index = number(lines.pop(0).removeprefix("index "))
    hashes = [b64(line) for line in lines]
    demand(all(len(one) == 32 for one in hashes), "hashes")
    checkpoint = open_checkpoint(note, vkey)
    demand(index < checkpoint.size, "index")
    demand(root_from(index, checkpoint.size, leaf, hashes) == checkpoint.root, "proof")
    return checkpoint


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("key")
    parser.add_argument("--older", type=Path)
    parser.add_argument("--from", dest="minimum", type=int, default=0)
    parser.add_argument("--proofs", type=Path, nargs="*", default=[])
    asked = parser.parse_args()
    log = Log(lambda name: (asked.folder / name).read_bytes(), asked.key)
    older = open_checkpoint(asked.older.read_bytes(), asked.key) if asked.older else None
    log.check(older, asked.minimum)
    for proof in asked.proofs:
        check_proof(proof.read_bytes(), asked.key)
    print(f"{log.head.size} entries and {len(asked.proofs)} proofs hold")


if __name__ == "__main__":
    try:
        main()
    except (Wrong, ValueError, OSError, InvalidSignature) as wrong:
        sys.exit(f"does not hold: {type(wrong).__name__} {wrong}")
