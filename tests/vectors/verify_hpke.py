"""An independent opener of HPKE in base mode, for X25519 and for X-Wing: nothing of casevault.

    python verify_hpke.py hpke.json

Written from RFC 9180 and the X-Wing draft: standard library, and of `cryptography` only the two key
agreements and AES-GCM, not its HPKE. It replays what those documents publish; what it then opens of
ours was sealed as they say.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# IANA's registry: number of the key encapsulation, length of what is encapsulated.
KEMS = {"x25519": (0x0020, 32), "xwing": (0x647A, 1120)}
KEY_LENGTHS = {1: 16, 2: 32}
XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")


def extract(suite, salt, label, secret):
    """LabeledExtract of RFC 9180, section 4, with SHA-256."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + secret, "sha256")


def expand(suite, key, label, info, length):
    """LabeledExpand of RFC 9180, section 4, with SHA-256."""
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out, block, count = b"", b"", 0
    while len(out) < length:
        count += 1
        block = hmac.digest(key, block + labelled + bytes([count]), "sha256")
        out += block
    return out[:length]


def shared_x25519(seed, enc):
    """Decap of DHKEM(X25519, HKDF-SHA256): RFC 9180, section 4.1."""
    private = X25519PrivateKey.from_private_bytes(seed)
    exchanged = private.exchange(X25519PublicKey.from_public_bytes(enc))
    suite = b"KEM" + KEMS["x25519"][0].to_bytes(2, "big")
    key = extract(suite, b"", b"eae_prk", exchanged)
    context = enc + private.public_key().public_bytes_raw()
    return expand(suite, key, b"shared_secret", context, 32)


def shared_xwing(seed, enc):
    """Decapsulate as the X-Wing draft says, section 5.4."""
    both = hashlib.shake_256(seed).digest(96)
    lattice = MLKEM768PrivateKey.from_seed_bytes(both[:64])
    curve = X25519PrivateKey.from_private_bytes(both[64:])
    first = lattice.decapsulate(enc[:1088])
    second = curve.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    public = curve.public_key().public_bytes_raw()
    return hashlib.sha3_256(first + second + enc[1088:] + public + XWING_LABEL).digest()


SHARED = {"x25519": shared_x25519, "xwing": shared_xwing}


def schedule(kem, aead, shared, info):
    """Return key and nonce of the first message: KeySchedule, RFC 9180, section 5.1, base mode."""
    numbers = (KEMS[kem][0], 1, aead)
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in numbers)
    context = b"\x00" + extract(suite, b"", b"psk_id_hash", b"")
    context += extract(suite, b"", b"info_hash", info)
    secret = extract(suite, shared, b"secret", b"")
    key = expand(suite, secret, b"key", context, KEY_LENGTHS[aead])
    return key, expand(suite, secret, b"base_nonce", context, 12)


def opened(kem, aead, seed, ciphertext, info, aad=b""):
    """Open `enc ‖ sealed`, the one message of a context."""
    length = KEMS[kem][1]
    key, nonce = schedule(kem, aead, SHARED[kem](seed, ciphertext[:length]), info)
    return AESGCM(key).decrypt(nonce, ciphertext[length:], aad)


def fits(vector):
    """Say whether every published value comes out."""
    seed, enc, info, aad, sealed = (
        bytes.fromhex(vector[name]) for name in ("seed", "enc", "info", "aad", "sealed")
    )
    shared = SHARED[vector["kem"]](seed, enc)
    key, nonce = schedule(vector["kem"], vector["aead"], shared, info)
    plain = opened(vector["kem"], vector["aead"], seed, enc + sealed, info, aad)
    found = {"shared": shared, "key": key, "nonce": nonce, "plain": plain}
    return all(value.hex() == vector[name] for name, value in found.items())


def main(path):
    """Replay the file; 0 if everything fits."""
    document = json.loads(Path(path).read_text())
    try:
        good = all(map(fits, document["hpke"])) and all(
            shared_xwing(bytes.fromhex(one["seed"]), bytes.fromhex(one["enc"])).hex()
            == one["shared"]
            for one in document["xwing"]
        )
    except (InvalidTag, ValueError):
        good = False
    print("every published value comes out" if good else "a vector does not fit")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
