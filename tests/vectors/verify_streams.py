"""An independent verifier of sealed streams. Imports nothing of casevault.

    python verify_streams.py streams.json

Written from docs/formats/stream.md and sealed.md alone: standard library and `cryptography`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
CHUNK = 65_536


class Wrong(Exception):
    """Something does not fit."""


def encode(*parts):
    """Canonical encoding of bytes, text and UUIDs."""
    out = b""
    for part in parts:
        if isinstance(part, bytes):
            tag, payload = b"b", part
        elif isinstance(part, str):
            tag, payload = b"s", part.encode()
        else:
            tag, payload = b"u", part.bytes
        out += tag + len(payload).to_bytes(4, "big") + payload
    return out


def expand(key, info, length=32):
    """HKDF-Expand with SHA-256."""
    return HKDFExpand(SHA256(), length, info).derive(key)


def parts_of(place):
    """What binds a stream to its place, in order."""
    return (
        UUID(place["organisation"]),
        place["kind"],
        UUID(place["case"]),
        place["compartment"],
        UUID(place["row"]),
    )


def opened(key, version, revision, place, sealed):
    """Open a stream under a key."""
    head, body = sealed[:84], sealed[84:]
    name = expand(key, b"casevault/1/key-id", 16)
    fixed = b"CV\x02\x01" + name + version.to_bytes(4, "big") + revision.to_bytes(4, "big")
    if head[:28] != fixed:
        raise Wrong
    object_key = expand(key, encode("casevault/1/stream", place["kind"]))
    info = b"casevault/1/stream-message\x01" + head[28:52]
    block = expand(object_key, info, 64)
    if not hmac.compare_digest(block[32:], head[52:]):
        raise Wrong
    aad, found, number = encode(head, *parts_of(place)), b"", 0
    while True:
        chunk, body = body[: CHUNK + 16], body[CHUNK + 16 :]
        nonce = number.to_bytes(11, "big") + (b"\x00" if body else b"\x01")
        found += AESGCM(block[:32]).decrypt(nonce, chunk, aad)
        if not body:
            break
        number += 1
    content = found.rstrip(b"\x00")
    if content[-1:] != b"\x80":
        raise Wrong
    return content[:-1]


def opened_from(seed, place, sealed):
    """Open a stream that is sealed to a principal."""
    expanded = hashlib.shake_256(seed[:32]).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    kem = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    sign = Ed25519PrivateKey.from_private_bytes(seed[32:]).public_key().public_bytes_raw()
    name = hashlib.sha256(encode("casevault/1/principal", kem, sign)).digest()[:16]
    if sealed[:20] != b"CV\x03\x01" + name:
        raise Wrong
    info = encode("casevault/1/stream-to", *parts_of(place), name)
    key = SUITE.decrypt(sealed[20:1188], hpke.MLKEM768X25519PrivateKey(mlkem, x25519), info=info)
    return opened(key, 1, 1, place, sealed[1188:])


def refuses(act, sealed):
    """Whether every altered, cut or grown copy is refused."""
    step = max(1, len(sealed) // 60)
    places = range(0, len(sealed), step)
    copies = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in places]
    copies += [sealed[:at] for at in places]
    copies += [sealed + b"\x00", sealed[: 84 + CHUNK + 16]] if len(sealed) > 84 + CHUNK + 16 else []
    for copy in copies:
        try:
            act(copy)
        except (Wrong, InvalidTag, ValueError):
            continue
        return False
    return True


def main(path):
    """Replay the file; say how many vectors hold."""
    vectors = json.loads(path.read_text())
    place, count = vectors["place"], 0
    for one in vectors["streams"]:
        key, sealed = bytes.fromhex(one["key"]), base64.b64decode(one["sealed"])

        def act(copy, one=one, key=key):
            return opened(key, one["version"], one["revision"], place, copy)

        if act(sealed) != bytes.fromhex(one["piece"]) * one["times"] or not refuses(act, sealed):
            return 1
        count += 1
    one = vectors["to"]
    seed, sealed = bytes.fromhex(one["seed"]), base64.b64decode(one["sealed"])
    if opened_from(seed, place, sealed) != bytes.fromhex(one["piece"]):
        return 1
    if not refuses(lambda copy: opened_from(seed, place, copy), sealed):
        return 1
    print(f"{count + 1} streams hold")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except (Wrong, InvalidTag, ValueError, KeyError):
        print("a vector does not hold", file=sys.stderr)
        sys.exit(1)
