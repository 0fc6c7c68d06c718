"""An independent reader of a sealed root file. Imports nothing of casevault.

    python verify_roots.py roots.json

Written from docs/formats alone: standard library, `cryptography` and the reader beside it.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

sys.path.insert(0, str(Path(__file__).parent))
from verify_sealed import Wrong, decode, encode, unseal


def binary(text):
    """Base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def revision_of(sealed):
    """How often it was written."""
    return int.from_bytes(sealed[24:28], "big")


def check(vector):
    """Open the envelope with the passphrase, the body with the file key; compare."""
    raw, keyring = vector["file"], UUID(vector["file"]["keyring_id"])
    if (raw["format"], raw["kind"]) != (1, "sealed"):
        raise Wrong
    memory, passes, lanes, salt, pepper, sealed = decode(binary(raw["envelope"]))
    if pepper != 0 or len(salt) != 16:
        raise Wrong
    stretched = Argon2id(
        salt=salt, length=64, iterations=passes, lanes=lanes, memory_cost=memory
    ).derive(vector["passphrase"].encode())
    kek = HKDF(SHA256(), 32, None, encode("casevault/1/roots-kek")).derive(stretched)
    parameters = f"argon2id m={memory} t={passes} p={lanes}"
    place = (keyring, "roots/envelope", None, parameters, keyring)
    file_key = unseal(kek, 1, 1, place, sealed)
    body = binary(raw["body"])
    place = (keyring, "roots/sealed", None, "", keyring)
    if json.loads(unseal(file_key, 1, revision_of(body), place, body)) != vector["material"]:
        raise Wrong


def main(path):
    """Return 0 when everything fits."""
    try:
        check(json.loads(Path(path).read_text()))
    except (Wrong, InvalidTag, KeyError, ValueError):
        print("a file of root material does not open")
        return 1
    print("a sealed file of root material opens")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
