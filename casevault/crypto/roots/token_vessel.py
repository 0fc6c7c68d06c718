"""Root material under the keys of a hardware token: one for the material, one per epoch.

The token's key of an epoch wraps the epoch's row key, which therefore exists in memory of running
processes and in the capsule only. Destroying an epoch destroys the token's key: every copy of the
file, however old, is then worthless for it. Several hosts may share the token and the folder.
Must never take an epoch for destroyed because the token does not show its key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.macs import b64
from casevault.crypto.roots import files, material, outer, token
from casevault.crypto.roots.material import RootMaterial
from casevault.crypto.roots.token import Token, Wrapped
from casevault.crypto.roots.vessels import RootsKey, RootsPlace, Shredding, Stamp, file_stamp
from casevault.crypto.sealing import KEY_BYTES, Key
from casevault.errors import Conflict, Locked, Misconfigured, Tampered

TOKEN = "token"  # noqa: S105 - a kind of vessel
_MARK = b"cv1"
_NUMBER_BYTES = 4
# The number of the key that wraps the file's own; epochs count from 1.
_FILE = 0


class TokenVessel:
    """`keys/root.json` under keys of a PKCS#11 token."""

    shredding: Shredding = "destroyed in hardware"

    def __init__(self, place: RootsPlace, key: RootsKey) -> None:
        if not key.secret:
            raise Locked(
                "The root material lies under a hardware token, and nobody gave its PIN.",
                code="roots.sealed",
            )
        self._path = place.file
        self._module, self._label = _named(place)
        self._pin = key.secret.decode()
        self._root: bytes | None = None

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from changing the file meanwhile."""
        return files.locked_folder(self._path.parent)

    def read(self) -> RootMaterial:
        """Return what the file holds, its epochs unwrapped by the token."""
        raw = outer.read_outer(self._path, TOKEN)
        keyring, hand = outer.keyring_of(raw), self._token()
        key, epochs = _wrapped(raw.get("key")), _wrapped_epochs(raw)
        file_key = Key(_opened(hand, key, keyring, _FILE))
        content = outer.open_body(file_key, raw)
        self._root = key.key_id
        return _join(content, {n: Key(_opened(hand, w, keyring, n), n) for n, w in epochs.items()})

    def write(self, held: RootMaterial) -> None:
        """Replace the file, then destroy the token's keys of epochs that are no longer held."""
        raw = outer.read_outer(self._path, TOKEN)
        self._put(held, _wrapped(raw.get("key")).key_id, _wrapped_epochs(raw))

    def begin(self, held: RootMaterial) -> None:
        """Make keys on the token and write the file."""
        root = self._token().make_key("casevault root", _prefix(held.keyring_id, _FILE))
        self._put(held, root, {})

    def stamp(self) -> Stamp:
        """Return the file's identity, if the token is there."""
        if self._root is not None:
            self._token().watch(self._root)
        return file_stamp(self._path)

    def abandon(self, keyring: UUID) -> None:
        """Destroy every key that the token holds for this keyring."""
        hand = self._token()
        for key_id in hand.keys(_MARK + keyring.bytes):
            hand.destroy(key_id)
        self._root = None

    def _put(self, held: RootMaterial, root: bytes, known: Mapping[int, Wrapped]) -> None:
        keyring, hand = held.keyring_id, self._token()
        epochs = {
            number: known.get(number) or _closed_epoch(hand, keyring, key)
            for number, key in held.epochs.items()
        }
        file_key = Key.random()
        key = hand.wrap(root, file_key.material, _context(keyring, _FILE))
        outer.write_outer(
            self._path,
            TOKEN,
            keyring,
            key=_raw(key),
            epochs={str(n): _raw(w) for n, w in epochs.items()},
            body=outer.close_body(file_key, TOKEN, keyring, _without_epochs(held), 1),
        )
        self._root = root
        _destroy_before(hand, keyring, min(held.epochs))

    def _token(self) -> Token:
        # Asked for each time: after a fork it is another process's, and so another connection.
        return token.connect(self._module, self._label, self._pin)


def check_pin(place: RootsPlace, pin: str) -> RootsKey:
    """Return what opens the vessel; the token says whether the PIN is right."""
    key = RootsKey(pin.encode())
    TokenVessel(place, key).read()
    return key


def move_to_token(place: RootsPlace, held: RootMaterial, pin: str) -> RootsKey:
    """Put material under keys of a token; return what opens it.

    :raises Conflict: it lies under a token already.
    """
    if place.file.exists() and outer.kind_of(place.file) == TOKEN:
        raise Conflict(
            "The root material lies under a hardware token already. To change tokens, put it under"
            " a passphrase first.",
            code="roots.token-already",
        )
    key = RootsKey(pin.encode())
    TokenVessel(place, key).begin(held)
    return key


def _named(place: RootsPlace) -> tuple[Path, str]:
    if place.module is None or not place.token:
        raise Misconfigured(
            "The root material lies under a hardware token: set pkcs11_module and pkcs11_label.",
            code="roots.token-unset",
        )
    return place.module, place.token


def _destroy_before(hand: Token, keyring: UUID, oldest: int) -> None:
    # By number, so that a key which an interrupted run left is found too; and never a newer one,
    # so that an old copy of the file, put back, does not cost what it does not know.
    first = len(_MARK) + len(keyring.bytes)
    for key_id in hand.keys(_MARK + keyring.bytes):
        number = int.from_bytes(key_id[first : first + _NUMBER_BYTES], "big")
        if _FILE < number < oldest:
            hand.destroy(key_id)


def _closed_epoch(hand: Token, keyring: UUID, key: Key) -> Wrapped:
    label = f"casevault epoch {key.version}"
    key_id = hand.make_key(label, _prefix(keyring, key.version))
    return hand.wrap(key_id, key.material, _context(keyring, key.version))


def _opened(hand: Token, wrapped: Wrapped, keyring: UUID, number: int) -> bytes:
    # The id names keyring and number: a file that mixes them up is not believed.
    if not wrapped.key_id.startswith(_prefix(keyring, number)):
        raise Tampered(code="roots")
    secret = hand.unwrap(wrapped, _context(keyring, number))
    if len(secret) != KEY_BYTES:
        raise Tampered(code="roots")
    return secret


def _prefix(keyring: UUID, number: int) -> bytes:
    return _MARK + keyring.bytes + number.to_bytes(_NUMBER_BYTES, "big")


def _context(keyring: UUID, number: int) -> bytes:
    return canonical.encode("casevault/1/token", keyring, number)


def _without_epochs(held: RootMaterial) -> bytes:
    raw = json.loads(material.encode(held))
    del raw["epochs"]
    return json.dumps(raw).encode()


def _join(content: bytes, epochs: Mapping[int, Key]) -> RootMaterial:
    raw = json.loads(content) | {"epochs": material.encode_keys(dict(epochs))}
    return material.decode(json.dumps(raw).encode())


def _raw(wrapped: Wrapped) -> dict[str, str]:
    return {
        "id": b64(wrapped.key_id),
        "iv": b64(wrapped.iv),
        "ciphertext": b64(wrapped.ciphertext),
    }


def _wrapped(raw: Any) -> Wrapped:  # noqa: ANN401 - JSON
    if not isinstance(raw, dict):
        raise Tampered(code="roots")
    return Wrapped(*(outer.binary(raw, name) for name in ("id", "iv", "ciphertext")))


def _wrapped_epochs(raw: outer.Outer) -> dict[int, Wrapped]:
    epochs = raw.get("epochs")
    if not isinstance(epochs, dict) or not all(n.isascii() and n.isdigit() for n in epochs):
        raise Tampered(code="roots")
    return {int(number): _wrapped(wrapped) for number, wrapped in epochs.items()}
