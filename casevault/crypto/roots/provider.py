"""The root provider: hands out the keys under which everything else lies, and changes them.

One class for every vessel (a plain file, a seal, a token). Decides which version is current, that
every change is durable before it is used, and that a process forgets what another one destroyed.
Nothing here knows what the keys are used for.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from casevault.crypto import macs
from casevault.crypto.principals import SECRET_BYTES, PrincipalSecret
from casevault.crypto.roots.files import host_id
from casevault.crypto.roots.material import PRINCIPALS, RootMaterial, encode
from casevault.crypto.roots.vessels import Shredding, Stamp, Vessel
from casevault.crypto.sealing import Key
from casevault.errors import Busy, KeyUnavailable, Tampered

T = TypeVar("T")

# The two kinds of versioned keys beside the pairs of PRINCIPALS.
PEPPER, SERVICE_KEY = "pepper", "service-key"
# How long a process may go on with what another process of this host has changed.
_FRESH_SECONDS = 0.05


class RootProvider:
    """Root material in one vessel."""

    def __init__(self, vessel: Vessel) -> None:
        self._vessel = vessel
        self._lock = threading.Lock()
        self._material: RootMaterial | None = None
        self._stamp: Stamp = None
        self._fresh_until = 0.0
        self.reload()

    @property
    def keyring_id(self) -> UUID:
        """The keyring for which this material was made."""
        return self._held().keyring_id

    @property
    def shredding(self) -> Shredding:
        """How surely a destroyed epoch is gone, in the words of a certificate."""
        return self._vessel.shredding

    def epoch(self, number: int) -> Key:
        """Return the key of an epoch, or `KeyUnavailable` once it is destroyed."""
        key = self._held().epochs.get(number)
        if key is None:
            # Another process of this host may have rolled a moment ago.
            key = self.reload().epochs.get(number)
        if key is None:
            raise KeyUnavailable(code="epoch.destroyed")
        return key

    def epochs(self) -> tuple[int, ...]:
        """Return the numbers of the epochs that can still be opened, oldest first."""
        return tuple(sorted(self._held().epochs))

    def new_epoch(self) -> int:
        """Make the next epoch key, durable before it is used; return its number."""

        def add(material: RootMaterial) -> int:
            number = max(material.epochs) + 1
            material.epochs[number] = Key.random(number)
            return number

        return self.change(add)

    def destroy_epochs_before(self, number: int) -> tuple[int, ...]:
        """Destroy the keys of all epochs below `number`, never the newest; return which."""

        def drop(material: RootMaterial) -> tuple[int, ...]:
            if number > max(material.epochs):
                raise ValueError("the newest epoch is in use")
            gone = tuple(sorted(n for n in material.epochs if n < number))
            for old in gone:
                del material.epochs[old]
            return gone

        return self.change(drop)

    def pepper(self, version: int | None = None) -> Key:
        """Return the pepper (the current one by default)."""
        return self._versioned(lambda held: held.peppers, version)

    def service(self, version: int | None = None) -> Key:
        """Return the service key (the current one by default)."""
        return self._versioned(lambda held: held.services, version)

    def service_versions(self) -> tuple[int, ...]:
        """Return the versions of the service key, newest first."""
        return tuple(sorted(self._held().services, reverse=True))

    def principal(self, name: str, version: int | None = None) -> PrincipalSecret:
        """Return one of `PRINCIPALS` (its current pair by default).

        `counting` opens facts: for `services.counting.reporting` only.
        """
        return PrincipalSecret(self._versioned(lambda held: held.principals[name], version))

    def principal_versions(self, name: str) -> tuple[int, ...]:
        """Return the versions of a principal's pair, newest first."""
        return tuple(sorted(self._held().principals[name], reverse=True))

    def remnant(self, version: int, purpose: str) -> bytes | None:
        """Return what is left of a destroyed service key for one purpose, if anything is."""
        return self._held().remnants.get(version, {}).get(purpose)

    def remnant_versions(self, purpose: str) -> tuple[int, ...]:
        """Return of which destroyed service keys something is left for a purpose, newest first."""
        held = self._held().remnants
        return tuple(sorted((n for n, derived in held.items() if purpose in derived), reverse=True))

    def add_version(self, kind: str) -> int:
        """Make the next version of a pepper, service key or pair, durable before it is used.

        `kind` is PEPPER, SERVICE_KEY or one of PRINCIPALS.
        """

        def add(material: RootMaterial) -> int:
            keys = _keys_of(material, kind)
            number = max(keys) + 1
            keys[number] = (
                secrets.token_bytes(SECRET_BYTES) if kind in PRINCIPALS else Key.random(number)
            )
            return number

        return self.change(add)

    def drop_version(self, kind: str, version: int, keep: Iterable[str] = ()) -> None:
        """Destroy an older version; of a service key keep what it gives for these purposes.

        Whether anything still needs it is known to whoever calls.
        """

        def drop(material: RootMaterial) -> None:
            keys = _keys_of(material, kind)
            if version >= max(keys):
                raise ValueError("the newest version is in use")
            gone = keys.pop(version)
            if isinstance(gone, Key) and kind == SERVICE_KEY:
                material.remnants[version] = {one: macs.purpose_key(gone, one) for one in keep}

        self.change(drop)

    def versions(self, kind: str) -> tuple[int, ...]:
        """Return the versions of a kind of key that are held, newest first."""
        return tuple(sorted(_keys_of(self._held(), kind), reverse=True))

    def export(self, epochs_from: int = 0) -> bytes:
        """Return everything that is held, for the capsule: as secret as the keys themselves.

        Of the epochs only those from a number on: what is about to be destroyed leaves no copy.
        """
        held = self._held()
        epochs = {number: key for number, key in held.epochs.items() if number >= epochs_from}
        if not epochs:
            raise ValueError("a copy without an epoch opens nothing")
        return encode(replace(held, epochs=epochs))

    def reload(self) -> RootMaterial:
        """Read the vessel again."""
        with self._lock:
            return self._read()

    def change(self, act: Callable[[RootMaterial], T]) -> T:
        """Let `act` change the newest material in place; durable when this returns.

        When `act` raises, nothing is changed. No other process changes it meanwhile.
        """
        with self._lock, self._vessel.locked():
            material = self._vessel.read()
            outcome = act(material)
            self._vessel.write(material)
            self._keep(material)
            return outcome

    def move(self, into: Callable[[RootMaterial], Vessel]) -> Vessel:
        """Put the material into another vessel of this machine; return the one it was in.

        What the new one gives back is compared before anything relies on it.
        """
        with self._lock, self._vessel.locked():
            old = self._vessel
            held = replace(old.read(), host_id=host_id())
            new = into(held)
            if encode(new.read()) != encode(held):
                raise Tampered(code="roots")
            self._vessel = new
            self._keep(held)
            return old

    def _held(self) -> RootMaterial:
        held = self._material
        if held is not None and time.monotonic() < self._fresh_until:
            return held
        stamp = self._reached(self._vessel.stamp)
        if held is None or (stamp is not None and stamp != self._stamp):
            return self.reload()
        self._fresh_until = time.monotonic() + _FRESH_SECONDS
        return held

    def _read(self) -> RootMaterial:
        # The stamp first: a write between the two is then noticed, not missed.
        stamp = self._reached(self._vessel.stamp)
        held = self._reached(self._vessel.read)
        self._keep(held, stamp)
        return held

    def _keep(self, held: RootMaterial, stamp: Stamp = None) -> None:
        self._material = held
        self._stamp = stamp or self._vessel.stamp()
        self._fresh_until = time.monotonic() + _FRESH_SECONDS

    def _reached(self, ask: Callable[[], T]) -> T:
        # What is in memory is not used while its vessel is out of reach, and not kept either.
        try:
            return ask()
        except Busy:
            self._material = None
            raise

    def _versioned(self, of: Callable[[RootMaterial], dict[int, T]], version: int | None) -> T:
        keys = of(self._held())
        number = max(keys) if version is None else version
        found = keys.get(number) or of(self.reload()).get(number)
        if found is None:
            raise KeyUnavailable(code="roots.version")
        return found


def _keys_of(material: RootMaterial, kind: str) -> dict[int, Any]:
    if kind in PRINCIPALS:
        return material.principals[kind]
    return {PEPPER: material.peppers, SERVICE_KEY: material.services}[kind]
