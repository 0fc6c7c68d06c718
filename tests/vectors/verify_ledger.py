"""A second reader of the ledger's formats, written from docs/formats/ledger.md alone.

Imports nothing of casevault: `python tests/vectors/verify_ledger.py tests/vectors/ledger.json`.
Exit code 0 when all vectors hold, 1 at the first one that does not. Slow and plain on purpose.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LEAF = re.compile(
    r'\{"v":1,"t":"(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):00:00Z","w":"([A-Za-z0-9_-]{8,43})",'
    r'"s":(0|[1-9]\d{0,15}),"c":"(rest|auth|authz|export|breakglass|admin|review|system)",'
    r'"o":(0|4|8|12),"k":"\d{4}-(?:0[1-9]|1[0-2])",'
    r'"b":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"\}',
    re.ASCII,
)


class Mismatch(Exception):
    """A vector does not hold."""


def demand(condition: bool, what: str) -> None:
    if not condition:
        raise Mismatch(what)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def read_leaf(text: str) -> re.Match[str]:
    found = LEAF.fullmatch(text)
    if found is None or int(found[3]) >= 2**53:
        raise Mismatch("leaf")
    try:
        date.fromisoformat(found[1])
    except ValueError:
        raise Mismatch("leaf") from None
    return found


def mth(hashes: list[bytes]) -> bytes:
    if len(hashes) < 2:
        return hashes[0] if hashes else sha(b"")
    k = split(len(hashes))
    return sha(b"\x01" + mth(hashes[:k]) + mth(hashes[k:]))


def split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def path(m: int, hashes: list[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def subproof(m: int, hashes: list[bytes], whole: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if whole else [mth(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*subproof(m, hashes[:k], whole), mth(hashes[k:])]
    return [*subproof(m - k, hashes[k:], False), mth(hashes[:k])]


def frontier(hashes: list[bytes]) -> bytes:
    out, start = len(hashes).to_bytes(8, "big"), 0
    for bit in reversed(range(63)):
        if len(hashes) >> bit & 1:
            out += mth(hashes[start : start + (1 << bit)])
            start += 1 << bit
    return out


def tiles(hashes: list[bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    level = 0
    while hashes:
        for start in range(0, len(hashes), 256):
            part = hashes[start : start + 256]
            found[f"tile/{level}/{number(start // 256, len(part))}"] = b"".join(part)
        whole = len(hashes) // 256 * 256
        hashes = [mth(hashes[i : i + 256]) for i in range(0, whole, 256)]
        level += 1
    return found


def number(index: int, width: int) -> str:
    digits = str(index)
    digits = "0" * (-len(digits) % 3) + digits
    parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    text = "/".join(["x" + part for part in parts[:-1]] + parts[-1:])
    return text if width == 256 else f"{text}.p/{width}"


def paths(size: int) -> list[str]:
    levels, level, count = list[tuple[str, int]](), 0, size
    while count:
        levels.append((str(level), count))
        level, count = level + 1, count // 256
    levels.append(("entries", size))
    out = list[str]()
    for name, count in levels:
        for start in range(0, count, 256):
            out.append(f"tile/{name}/{number(start // 256, min(256, count - start))}")
    return out


def check_entry(item: dict[str, Any], codes: dict[str, str], key: bytes) -> None:
    leaf = read_leaf(item["leaf"])
    body, salt = item["body"].encode(), bytes.fromhex(item["salt"])
    plain = json.loads(body)
    again = json.dumps(plain, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    demand(again.encode() == body, "body is canonical")
    demand(all(value not in (None, "", []) for value in plain.values()), "body omits the empty")
    digest = sha(salt + body)
    demand(digest.hex() == item["commitment"], "commitment")
    demand(base64.urlsafe_b64encode(digest).decode().rstrip("=") == leaf[6], "leaf commits")
    demand(codes[plain["code"]] == leaf[4], "category")
    demand(str(plain["outcome"]) == leaf[5], "outcome")
    demand(plain["recorded"][:13] + ":00:00Z" == item["leaf"][12:32], "hour")
    demand(sha(b"\x00" + item["leaf"].encode()).hex() == item["leaf_hash"], "leaf hash")
    message = item["leaf"].encode() + sha(bytes.fromhex(item["sealed"]))
    demand(hmac.digest(key, message, "sha256").hex() == item["tag"], "tag")


def check_refused(texts: list[str]) -> None:
    for text in texts:
        try:
            read_leaf(text)
        except Mismatch:
            continue
        raise Mismatch("a leaf that must be refused")


def check_tree(tree: dict[str, Any]) -> None:
    hashes = [sha(b"\x00" + str(i).encode()) for i in range(600)]
    for size, root in tree["roots"].items():
        demand(mth(hashes[: int(size)]).hex() == root, f"root {size}")
    for size, data in tree["frontiers"].items():
        demand(frontier(hashes[: int(size)]).hex() == data, f"frontier {size}")
    made = {name: sha(data).hex() for name, data in tiles(hashes).items()}
    demand(made == tree["tiles"], "tiles")
    for size, names in tree["paths"].items():
        demand(paths(int(size))[-6:] == names, f"paths {size}")
    for item in tree["inclusion"]:
        wanted = path(item["index"], hashes[: item["size"]])
        demand([h.hex() for h in wanted] == item["proof"], "inclusion proof")
    for item in tree["consistency"]:
        wanted = subproof(item["old"], hashes[: item["new"]], True)
        demand([h.hex() for h in wanted] == item["proof"], "consistency proof")


def check_note(note: str, verifier_key: str, hashes: list[bytes]) -> None:
    name, identity, packed = verifier_key.split("+", 2)
    kind_and_public = base64.b64decode(packed, validate=True)
    demand(kind_and_public[0] == 1 and len(kind_and_public) == 33, "verifier key")
    key_id = sha(name.encode() + b"\n" + kind_and_public)[:4]
    demand(key_id.hex() == identity, "key id")
    text, line = note.split("\n\n")
    dash, who, signature = line.removesuffix("\n").split(" ")
    data = base64.b64decode(signature, validate=True)
    demand((dash, who, data[:4]) == ("\N{EM DASH}", name, key_id), "signature line")
    root = base64.b64encode(mth(hashes)).decode()
    demand(text == f"{name}\n{len(hashes)}\n{root}", "checkpoint")
    public = Ed25519PublicKey.from_public_bytes(kind_and_public[1:])
    try:
        public.verify(data[4:], f"{text}\n".encode())
    except InvalidSignature:
        raise Mismatch("signature") from None


def check_export(files: dict[str, str], leaves: list[bytes], note: str, gone: bool) -> None:
    hashes = [sha(b"\x00" + leaf) for leaf in leaves]
    wanted = tiles(hashes) | {"checkpoint": note.encode()}
    lines = b""
    for index, leaf in enumerate(leaves):
        quoted = leaf.decode().replace('"', '\\"')
        digest = base64.b64encode(hashes[index]).decode()
        content = f'"h":"{digest}"' if gone else f'"d":"{quoted}"'
        lines += f'{{"i":{index},{content}}}\n'.encode()
    wanted["entries.jsonl"] = lines
    if not gone:
        bundle = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
        wanted[f"tile/entries/{number(0, len(leaves))}"] = bundle
    demand({name: base64.b64decode(data) for name, data in files.items()} == wanted, "export")


def check_log(log: dict[str, Any], leaves: list[bytes]) -> None:
    hashes = [sha(b"\x00" + leaf) for leaf in leaves]
    demand(len(log["checkpoints"]) == len(leaves) + 1, "checkpoints")
    for size, note in enumerate(log["checkpoints"]):
        check_note(note, log["verifier_key"], hashes[:size])
    last = log["checkpoints"][-1]
    proof = [base64.b64encode(item).decode() for item in path(2, hashes)]
    wanted = "\n".join(["c2sp.org/tlog-proof@v1", "index 2", *proof, "", last])
    demand(log["proof"] == wanted, "proof file")
    check_export(log["export"], leaves, last, False)
    check_export(log["export_retired"], leaves, last, True)


def main(arguments: list[str]) -> int:
    vectors = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        for item in vectors["entries"]:
            check_entry(item, vectors["codes"], bytes.fromhex(vectors["tag_key"]))
        check_refused(vectors["refused_leaves"])
        check_tree(vectors["tree"])
        check_log(vectors["log"], [item["leaf"].encode() for item in vectors["entries"]])
    except Mismatch as found:
        sys.stderr.write(f"does not hold: {found}\n")
        return 1
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as found:
        sys.stderr.write(f"cannot be read: {type(found).__name__}\n")
        return 1
    sys.stdout.write(f"{len(vectors['entries'])} entries and everything about them hold\n")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: verify_ledger.py ledger.json\n")
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
