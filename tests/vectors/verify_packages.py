"""An independent verifier of packages and key files. Imports nothing of casevault.

    python verify_packages.py packages.json

Written from docs/formats alone: standard library, `cryptography` and `argon2-cffi`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from pathlib import Path
from uuid import UUID

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
CHUNK = 65_536
NOBODY = UUID(int=0)


class Wrong(Exception):
    """Something does not fit."""


def encode(*parts):
    """Canonical encoding of bytes, text, UUIDs and nothing."""
    out = b""
    for part in parts:
        if part is None:
            tag, payload = b"n", b""
        elif isinstance(part, bytes):
            tag, payload = b"b", part
        elif isinstance(part, str):
            tag, payload = b"s", part.encode()
        else:
            tag, payload = b"u", part.bytes
        out += tag + len(payload).to_bytes(4, "big") + payload
    return out


def decode(data):
    """Canonical decoding."""
    out, at = [], 0
    while at < len(data):
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
        tag, payload = data[at : at + 1], data[at + 5 : end]
        if end > len(data):
            raise Wrong
        read = {
            b"b": bytes,
            b"s": bytes.decode,
            b"u": lambda raw: UUID(bytes=raw),
            b"i": lambda raw: int.from_bytes(raw, "big"),
            b"l": decode,
            b"n": lambda raw: None,
        }
        out.append(read[tag](payload))
        at = end
    return out


def expand(key, info, length=32):
    """HKDF-Expand with SHA-256."""
    return HKDFExpand(SHA256(), length, info).derive(key)


def principal(seed):
    """A principal's private key, public keys and key id."""
    expanded = hashlib.shake_256(seed[:32]).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    kem = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    sign = Ed25519PrivateKey.from_private_bytes(seed[32:]).public_key().public_bytes_raw()
    name = hashlib.sha256(encode("casevault/1/principal", kem, sign)).digest()[:16]
    return hpke.MLKEM768X25519PrivateKey(mlkem, x25519), (kem, sign), name


def stream(key, where, sealed):
    """Open a stream of format 2 with version 1 and revision 1."""
    head, body = sealed[:84], sealed[84:]
    name = expand(key, b"casevault/1/key-id", 16)
    if head[:28] != b"CV\x02\x01" + name + bytes([0, 0, 0, 1] * 2):
        raise Wrong
    object_key = expand(key, encode("casevault/1/stream", "package"))
    block = expand(object_key, b"casevault/1/stream-message\x01" + head[28:52], 64)
    if not hmac.compare_digest(block[32:], head[52:]):
        raise Wrong
    found, number = b"", 0
    while True:
        chunk, body = body[: CHUNK + 16], body[CHUNK + 16 :]
        nonce = number.to_bytes(11, "big") + (b"\x00" if body else b"\x01")
        found += AESGCM(block[:32]).decrypt(nonce, chunk, encode(head, *where))
        number += 1
        if not body:
            break
    content = found.rstrip(b"\x00")
    if content[-1:] != b"\x80" or len(found) & (len(found) - 1):
        raise Wrong
    return content[:-1]


def opened(seed, signer, sealed):
    """Return the statement and the files of a package."""
    private, _, name = principal(seed)
    if sealed[:4] != b"CV\x04\x01" or sealed[20:40] != b"CV\x03\x01" + name:
        raise Wrong
    where = (NOBODY, "package", None, "", UUID(bytes=sealed[4:20]))
    info = encode("casevault/1/stream-to", *where, name)
    key = SUITE.decrypt(sealed[40:1208], private, info=info)
    content = stream(key, where, sealed[1208:])
    length = int.from_bytes(content[:4], "big")
    encoded, signature = decode(content[4 : 4 + length])
    context, package, kind, _, made, ends, to, keys, listed = decode(encoded)
    if (context, package, to) != ("casevault/1/package", where[4], name):
        raise Wrong
    if keys is not None:
        message = encode("casevault/1/signature", "casevault/1/package", encoded)
        Ed25519PublicKey.from_public_bytes(keys[1]).verify(signature, message)
        if keys[1] != signer:
            raise Wrong
    at, files = 4 + length, {}
    for file, size, digest in listed:
        files[file] = content[at : at + size]
        at += size
        if hashlib.sha256(files[file]).digest() != digest:
            raise Wrong
    if at != len(content):
        raise Wrong
    about = {"kind": kind, "made_at": made, "expires_at": ends, "signed": keys is not None}
    return about, files


def seed_of(data, passphrase):
    """Return the 64 secret bytes of a key file."""
    context, kem, sign, envelope = decode(data)
    memory, passes, lanes, salt, pepper, sealed = decode(envelope)
    raw = hash_secret_raw(passphrase.encode(), salt, passes, memory, lanes, 64, Type.ID)
    kek = HKDF(SHA256(), 32, None, encode("casevault/1/key-file-kek")).derive(raw)
    object_key = expand(kek, encode("casevault/1/object", "key-file"))
    block = expand(object_key, b"casevault/1/message\x01" + sealed[28:52], 64)
    if (context, pepper, block[32:]) != ("casevault/1/key-file", 0, sealed[52:84]):
        raise Wrong
    name = hashlib.sha256(encode("casevault/1/principal", kem, sign)).digest()[:16]
    cost = f"argon2id m={memory} t={passes} p={lanes}"
    aad = encode(sealed[:84], NOBODY, "key-file", None, cost, UUID(bytes=name))
    plain = AESGCM(block[:32]).decrypt(bytes(12), sealed[84:], aad)
    return plain[4 : 4 + int.from_bytes(plain[:4], "big")]


def main(path):
    """Replay the file; say how many vectors hold."""
    vectors = json.loads(path.read_text())
    seed, signer = bytes.fromhex(vectors["recipient"]), bytes.fromhex(vectors["signer"])
    for one in vectors["packages"]:
        about, files = opened(seed, signer, base64.b64decode(one["sealed"]))
        expected = {name: (text * times).encode() for name, (text, times) in one["files"].items()}
        if files != expected or any(one[name] != value for name, value in about.items()):
            return 1
    kept = vectors["key_file"]
    if seed_of(base64.b64decode(kept["bytes"]), kept["passphrase"]) != seed:
        return 1
    print(f"{len(vectors['packages'])} packages and a key file hold")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except (Wrong, InvalidTag, InvalidSignature, ValueError, KeyError):
        print("a vector does not hold", file=sys.stderr)
        sys.exit(1)
