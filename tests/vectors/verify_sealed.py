"""An independent verifier of sealed objects, grants, vouches and steps of keys.

Imports nothing of casevault.

    python verify_sealed.py sealed.json

Written from docs/formats alone: standard library and `cryptography`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class Wrong(Exception):
    """Something does not fit."""


def encode(*parts):
    """Canonical encoding."""
    out = b""
    for part in parts:
        if part is None:
            tag, payload = b"n", b""
        elif isinstance(part, bytes):
            tag, payload = b"b", part
        elif isinstance(part, str):
            tag, payload = b"s", part.encode()
        elif isinstance(part, UUID):
            tag, payload = b"u", part.bytes
        elif isinstance(part, int):
            tag, payload = b"i", part.to_bytes(8, "big")
        else:
            tag, payload = b"l", encode(*part)
        out += tag + len(payload).to_bytes(4, "big") + payload
    return out


def decode(data):
    """Canonical decoding."""
    parts, at = [], 0
    while at < len(data):
        tag, size = data[at : at + 1], int.from_bytes(data[at + 1 : at + 5], "big")
        payload, at = data[at + 5 : at + 5 + size], at + 5 + size
        if at > len(data):
            raise Wrong
        kinds = {
            b"n": lambda _: None,
            b"b": bytes,
            b"s": lambda p: p.decode(),
            b"u": lambda p: UUID(bytes=p),
            b"i": lambda p: int.from_bytes(p, "big"),
            b"l": decode,
        }
        if tag not in kinds:
            raise Wrong
        parts.append(kinds[tag](payload))
    return tuple(parts)


def expand(key, info, length=32):
    """HKDF-Expand with SHA-256."""
    return HKDFExpand(SHA256(), length, info).derive(key)


def unseal(key, version, revision, place, sealed):
    """Open a sealed object; place = (organisation, kind, case, compartment, row)."""
    organisation, kind, case, compartment, row = place
    head, body = sealed[:84], sealed[84:]
    if head[:4] != b"CV\x01\x01" or head[4:20] != expand(key, b"casevault/1/key-id", 16):
        raise Wrong
    if head[20:24] != version.to_bytes(4, "big") or head[24:28] != revision.to_bytes(4, "big"):
        raise Wrong
    object_key = expand(key, encode("casevault/1/object", kind))
    block = expand(object_key, b"casevault/1/message\x01" + head[28:52], 64)
    if block[32:] != head[52:84]:
        raise Wrong
    aad = encode(head, organisation, kind, case, compartment, row)
    plain = AESGCM(block[:32]).decrypt(bytes(12), body, aad)
    size = int.from_bytes(plain[:4], "big")
    bucket = len(plain)
    if bucket < 256 or bucket & (bucket - 1) or any(plain[4 + size :]) or size + 4 > bucket:
        raise Wrong
    return plain[4 : 4 + size]


def signed(context, message, public, signature):
    """Check a signature of ours."""
    to_sign = encode("casevault/1/signature", context, message)
    Ed25519PublicKey.from_public_bytes(public).verify(signature, to_sign)


def check_sealed(vector, sealed=None):
    """Open one vector and compare."""
    case = None if vector["case"] is None else UUID(vector["case"])
    place = (
        UUID(vector["organisation"]),
        vector["kind"],
        case,
        vector["compartment"],
        UUID(vector["row"]),
    )
    raw = bytes.fromhex(vector["sealed"]) if sealed is None else sealed
    key = bytes.fromhex(vector["key"])
    content = unseal(key, vector["version"], vector["revision"], place, raw)
    if content.decode() != vector["content"]:
        raise Wrong


def check_grant(vector, changed=None):
    """Check signature, unwrap, open each row, compare keys."""
    raw = bytes.fromhex(vector["grant"]) if changed is None else changed
    terms_bytes, ciphertext, digests, signature = decode(raw)
    message = encode(terms_bytes, ciphertext, digests)
    public = bytes.fromhex(vector["granter_sign_public"])
    signed("casevault/1/grant", message, public, signature)
    context, grant_id, _, organisation, _, _, object_id, carried, *_ = decode(terms_bytes)
    if context != "casevault/1/grant" or len(carried) != len(digests):
        raise Wrong
    seed = bytes.fromhex(vector["grantee_seed"])
    both = hashlib.shake_256(seed[:32]).digest(96)
    private = hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(both[:64]),
        X25519PrivateKey.from_private_bytes(both[64:]),
    )
    link = SUITE.decrypt(ciphertext, private, info=terms_bytes)
    for (name, key_id, _), digest in zip(carried, digests, strict=True):
        row = bytes.fromhex(vector["rows"][name])
        if hashlib.sha256(row).digest() != digest:
            raise Wrong
        place = (organisation, "grant-key", object_id, name, grant_id)
        key = unseal(link, 1, 1, place, row)
        if key.hex() != vector["keys"][name] or key_id != expand(key, b"casevault/1/key-id", 16):
            raise Wrong


def check_vouch(vector, changed=None):
    """Check the signature over the statement."""
    raw = bytes.fromhex(vector["vouch"]) if changed is None else changed
    statement, signature = decode(raw)
    if decode(statement)[0] != "casevault/1/vouch":
        raise Wrong
    signed("casevault/1/vouch", statement, bytes.fromhex(vector["issuer_sign_public"]), signature)


def check_step(vector, changed=None):
    """Walk from the newer key back to the older, and check that the older made the newer."""
    lineage = bytes.fromhex(vector["lineage"]) if changed is None else changed
    organisation, case = UUID(vector["organisation"]), UUID(vector["case"])
    (old, old_version), (new, new_version) = (
        (bytes.fromhex(vector[name]["key"]), vector[name]["version"]) for name in ("old", "new")
    )
    place = (organisation, "case-key", case, vector["compartment"], case)
    lineage_key = expand(new, b"casevault/1/lineage")
    if unseal(lineage_key, new_version, new_version, place, lineage) != old:
        raise Wrong
    ids = (expand(key, b"casevault/1/key-id", 16) for key in (old, new))
    parts = [part for pair in zip(ids, (old_version, new_version), strict=True) for part in pair]
    message = encode(
        "casevault/1/succession",
        organisation,
        "case-key",
        case,
        vector["compartment"],
        case,
        *parts,
    )
    mac = hmac.digest(expand(old, b"casevault/1/succession-key"), message, "sha256")
    if mac.hex() != vector["succession"]:
        raise Wrong


def refused(check, vector, raw):
    """Count the places at which one altered byte is not refused (0 is right)."""
    missed = 0
    for place in range(0, len(raw), max(1, len(raw) // 97)):
        altered = bytearray(raw)
        altered[place] ^= 1
        try:
            check(vector, bytes(altered))
        except (Wrong, InvalidTag, InvalidSignature, ValueError, OverflowError, TypeError):
            continue
        missed += 1
    return missed


def main(path):
    """Replay the file; 0 if everything fits and every altered byte is refused."""
    document = json.loads(Path(path).read_text())
    missed = 0
    try:
        for vector in document["sealed"]:
            check_sealed(vector)
            missed += refused(check_sealed, vector, bytes.fromhex(vector["sealed"]))
        check_grant(document["grant"])
        missed += refused(check_grant, document["grant"], bytes.fromhex(document["grant"]["grant"]))
        check_vouch(document["vouch"])
        missed += refused(check_vouch, document["vouch"], bytes.fromhex(document["vouch"]["vouch"]))
        check_step(document["step"])
        missed += refused(check_step, document["step"], bytes.fromhex(document["step"]["lineage"]))
    except (Wrong, InvalidTag, InvalidSignature, ValueError, TypeError):
        print("a vector does not fit")
        return 1
    found = f"{len(document['sealed'])} sealed objects, 1 grant, 1 vouch, 1 step"
    print(f"{found}; {missed} changes missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
