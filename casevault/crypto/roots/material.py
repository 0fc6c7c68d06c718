"""Root material: the keys under which everything else lies, and how they are written down.

Decides what a root provider holds, whatever vessel it lies in. The encoding is the same in a plain
file, under a seal and in a capsule; every malformed one is `Tampered`. Knows no file and no token.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto.macs import b64, unb64
from casevault.crypto.principals import SECRET_BYTES
from casevault.crypto.sealing import KEY_BYTES, Key
from casevault.errors import Tampered

_FORMAT = 1

# service: signs month-key grants; organisation: signs packages, releases and certificates;
# ledger: signs checkpoints; counting: opens facts for tables.
PRINCIPALS = ("service", "organisation", "ledger", "counting")


@dataclass(frozen=True, slots=True)
class RootMaterial:
    """Everything the provider holds: keys by the number of their version, the highest is current.

    A principal's version is the number of its pair; the keyring's principal keeps its id.
    """

    keyring_id: UUID
    host_id: str
    epochs: dict[int, Key] = field(repr=False)
    peppers: dict[int, Key] = field(repr=False)
    services: dict[int, Key] = field(repr=False)
    principals: dict[str, dict[int, bytes]] = field(repr=False)
    # Of service keys that were destroyed: what was derived for values that cannot be made anew.
    remnants: dict[int, dict[str, bytes]] = field(repr=False, default_factory=dict)

    @classmethod
    def fresh(cls, keyring_id: UUID, host_id: str) -> RootMaterial:
        """Return new material for an empty keyring: every kind of key, at version 1."""
        return cls(
            keyring_id=keyring_id,
            host_id=host_id,
            epochs={1: Key.random()},
            peppers={1: Key.random()},
            services={1: Key.random()},
            principals={name: {1: secrets.token_bytes(SECRET_BYTES)} for name in PRINCIPALS},
        )


def encode(material: RootMaterial) -> bytes:
    """Return the material as bytes (JSON): as secret as what it holds."""
    raw = {
        "format": _FORMAT,
        "keyring_id": str(material.keyring_id),
        "host_id": material.host_id,
        "epochs": encode_keys(material.epochs),
        "peppers": encode_keys(material.peppers),
        "services": encode_keys(material.services),
        "principals": {
            name: {str(number): b64(seed) for number, seed in seeds.items()}
            for name, seeds in material.principals.items()
        },
        "remnants": {
            str(number): {purpose: b64(key) for purpose, key in derived.items()}
            for number, derived in material.remnants.items()
        },
    }
    return json.dumps(raw, indent=1).encode()


def decode(data: bytes) -> RootMaterial:
    """Read what `encode` wrote, else `Tampered`."""
    try:
        raw = json.loads(data)
        if not isinstance(raw, dict) or raw.get("format") != _FORMAT:
            raise Tampered(code="roots")
        return RootMaterial(
            keyring_id=UUID(raw["keyring_id"]),
            host_id=str(raw["host_id"]),
            epochs=decode_keys(raw["epochs"]),
            peppers=decode_keys(raw["peppers"]),
            services=decode_keys(raw["services"]),
            principals={name: _seeds(raw["principals"][name]) for name in PRINCIPALS},
            remnants={int(n): _remnants(derived) for n, derived in raw["remnants"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Tampered(code="roots") from None


def encode_keys(keys: dict[int, Key]) -> dict[str, str]:
    """Return versioned keys as JSON holds them."""
    return {str(number): b64(key.material) for number, key in keys.items()}


def decode_keys(raw: dict[str, str]) -> dict[int, Key]:
    """Read what `encode_keys` wrote; no key at all is `Tampered`."""
    keys = {int(number): Key(_secret(text, KEY_BYTES), int(number)) for number, text in raw.items()}
    if not keys:
        raise Tampered(code="roots")
    return keys


def _remnants(raw: dict[str, str]) -> dict[str, bytes]:
    return {str(purpose): _secret(text, KEY_BYTES) for purpose, text in raw.items()}


def _seeds(raw: dict[str, str]) -> dict[int, bytes]:
    seeds = {int(number): _secret(text, SECRET_BYTES) for number, text in raw.items()}
    if not seeds:
        raise Tampered(code="roots")
    return seeds


def _secret(text: str, length: int) -> bytes:
    data = unb64(text)
    if data is None or len(data) != length:
        raise Tampered(code="roots")
    return data
