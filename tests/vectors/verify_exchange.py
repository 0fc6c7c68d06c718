"""An independent verifier of what two vaults say to each other. Imports nothing of casevault.

    python verify_exchange.py exchange.json

Written from docs/formats/exchange.md, on top of `verify_packages.py` beside it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from verify_packages import Wrong, decode, encode, opened, principal


def card(text, keys, team):
    """Return what a card says after its signature held and its keys are these."""
    said, signature = decode(base64.b64decode(text))
    message = encode("casevault/1/signature", "casevault/1/exchange-card", said)
    Ed25519PublicKey.from_public_bytes(keys[1]).verify(signature, message)
    context, name, address, called, own, theirs, made = decode(said)
    if (context, tuple(own), tuple(theirs)) != ("casevault/1/exchange-card", keys, team):
        raise Wrong
    return [name, address, called, made]


def message(seed, signer, sealed):
    """Return what a message says, and the number of its package."""
    about, files = opened(seed, signer, sealed)
    said = json.loads(files["message.json"])
    if (about["kind"], said["format"]) != ("exchange", "casevault/exchange/1") or len(files) != 1:
        raise Wrong
    return said, sealed[4:20].hex()


def main(path):
    """Replay the file; say what holds."""
    vectors = json.loads(path.read_text())
    asking, asked, team = (bytes.fromhex(vectors[name]) for name in ("asking", "asked", "team"))
    (_, mine, _), (_, theirs, _), (_, group, _) = map(principal, (asking, asked, team))
    letter, receipt = (base64.b64decode(vectors[name]) for name in ("letter", "receipt"))
    if card(vectors["card"], theirs, group) != vectors["card_says"]:
        return 1
    said, number = message(asked, mine[1], letter)
    about, files = opened(team, mine[1], base64.b64decode(said["sealed"]))
    if about["kind"] != "referral" or files["referral.json"].decode() != vectors["referral"]:
        return 1
    answer, _ = message(asking, theirs[1], receipt)
    digest = hashlib.sha256(letter).hexdigest()
    expected = ("receipt", said["reference"], number, digest)
    if tuple(answer[name] for name in ("saying", "reference", "about", "digest")) != expected:
        return 1
    print("a card, a letter and its receipt hold")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except (Wrong, InvalidTag, InvalidSignature, ValueError, KeyError):
        print("a vector does not hold", file=sys.stderr)
        sys.exit(1)
