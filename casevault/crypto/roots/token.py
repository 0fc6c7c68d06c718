"""A connection to a PKCS#11 token: AES-256 keys that never leave it, each wrapping 32 bytes.

Decides that a key is made non-exportable and is checked to be so, that one thread at a time talks
to the library, that a process which was forked opens a session of its own, and that whatever the
token says becomes one of two errors: out of reach (`Busy`) or `Tampered`. Must never log or return
the PIN.
"""

from __future__ import annotations

import contextlib
import hmac
import importlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from casevault.errors import Busy, CaseVaultError, Locked, Misconfigured, Tampered

T = TypeVar("T")

_IV_BYTES = 12
_TAG_BITS = 128
# How long a process may go on with keys in memory after the token is gone, and how often it asks.
WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Wrapped:
    """32 bytes under a key of the token: the key's id, the IV, ciphertext with tag."""

    key_id: bytes
    iv: bytes
    ciphertext: bytes


class Token:
    """One token, as one process sees it."""

    def __init__(self, module: Path, label: str, pin: str) -> None:
        self._p11 = _binding()
        self._module = module
        self._label = label
        self._pin = pin
        self._lock = threading.RLock()
        self._session: Any = None
        self._refused: Locked | None = None
        self._next_try = 0.0
        self._seen = 0.0

    def make_key(self, label: str, prefix: bytes) -> bytes:
        """Make a key that cannot be exported; return its id, which begins with `prefix`."""
        p11, key_id = self._p11, prefix + secrets.token_bytes(8)
        capabilities = p11.MechanismFlag.ENCRYPT | p11.MechanismFlag.DECRYPT
        template = {p11.Attribute.SENSITIVE: True, p11.Attribute.EXTRACTABLE: False}

        def make(session: Any) -> None:  # noqa: ANN401 - the library's own type
            key = session.generate_key(
                p11.KeyType.AES,
                256,
                label=label,
                id=key_id,
                store=True,
                capabilities=capabilities,
                template=template,
            )
            if not (key[p11.Attribute.NEVER_EXTRACTABLE] and key[p11.Attribute.ALWAYS_SENSITIVE]):
                key.destroy()
                raise Misconfigured(
                    "The token makes keys that can be exported. Use another token.",
                    code="roots.token-exports",
                )

        self._with_session(make)
        return key_id

    def wrap(self, key_id: bytes, secret: bytes, context: bytes) -> Wrapped:
        """Seal 32 bytes under a key of the token, bound to `context`."""
        iv = secrets.token_bytes(_IV_BYTES)
        ciphertext = self._with_key(key_id, lambda k: k.encrypt(secret, **self._gcm(iv, context)))
        return Wrapped(key_id, iv, bytes(ciphertext))

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """Return what was wrapped; what the token refuses while it answers is `Tampered`."""

        def open_(key: Any) -> bytes:  # noqa: ANN401
            return bytes(key.decrypt(wrapped.ciphertext, **self._gcm(wrapped.iv, context)))

        return self._with_key(wrapped.key_id, open_)

    def keys(self, prefix: bytes) -> list[bytes]:
        """Return the ids of the token's keys that begin with `prefix`."""

        def find(session: Any) -> list[bytes]:  # noqa: ANN401
            return [bytes(key[self._p11.Attribute.ID]) for key in self._find(session)]

        return sorted(k for k in self._with_session(find) if k.startswith(prefix))

    def destroy(self, key_id: bytes) -> None:
        """Destroy a key and see that the token no longer has it."""

        def drop(session: Any) -> None:  # noqa: ANN401
            for key in self._find(session, key_id):
                key.destroy()
            if self._find(session, key_id):
                raise Busy("The hardware token did not destroy a key.", code="roots.token")

        self._with_session(drop)

    def watch(self, key_id: bytes) -> None:
        """Ask, at most once a second, whether the token still has this key; `Busy` when not."""
        if time.monotonic() - self._seen >= WATCH_SECONDS:
            self._with_key(key_id, lambda _key: None)

    def is_for(self, pin: str) -> bool:
        """Say whether this connection was asked for with the same PIN."""
        return hmac.compare_digest(self._pin.encode(), pin.encode())

    def close(self) -> None:
        """Log out; a later use logs in again."""
        with self._lock:
            self._close()

    # --- sessions --------------------------------------------------------------------------------

    def _with_key(self, key_id: bytes, act: Callable[[Any], T]) -> T:
        def use(session: Any) -> T:  # noqa: ANN401
            found = self._find(session, key_id)
            # A key that is not there is a token that is not there (or another one): nothing is
            # ever taken for destroyed because it is missing.
            if len(found) != 1:
                raise _gone()
            with self._tampered_unless_there(session, key_id):
                return act(found[0])

        return self._with_session(use)

    @contextlib.contextmanager
    def _tampered_unless_there(self, session: Any, key_id: bytes) -> Iterator[None]:  # noqa: ANN401
        # Tokens report a wrong tag as a general error: one that still has the key refused it.
        try:
            yield
        except self._p11.PKCS11Error:
            if len(self._find(session, key_id)) == 1:
                raise Tampered(code="roots") from None
            raise

    def _with_session(self, act: Callable[[Any], T]) -> T:
        with self._lock:
            try:
                outcome = act(self._open())
            except CaseVaultError as error:
                if isinstance(error, Busy):
                    self._close()
                raise
            except self._p11.PKCS11Error:
                self._close()
                raise _gone() from None
            self._seen = time.monotonic()
            return outcome

    def _open(self) -> Any:  # noqa: ANN401
        # A refused PIN is never tried again: a few more tries would lock the token.
        if self._refused is not None:
            raise self._refused
        if self._session is None:
            if time.monotonic() < self._next_try:
                raise _gone()
            self._next_try = time.monotonic() + WATCH_SECONDS
            try:
                self._session = self._log_in()
            except Locked as refused:
                self._refused = refused
                raise
        return self._session

    def _log_in(self) -> Any:  # noqa: ANN401
        p11 = self._p11
        library = self._begin()
        try:
            token = library.get_token(token_label=self._label)
        except p11.MultipleTokensReturned:
            raise Misconfigured(
                "Several tokens have the label pkcs11_label. Give this one a label of its own.",
                code="roots.token-label",
            ) from None
        try:
            return token.open(rw=True, user_pin=self._pin)
        except (p11.PinIncorrect, p11.PinInvalid, p11.PinLenRange):
            raise Locked("The token refuses this PIN.", code="roots.pin") from None
        except p11.PinLocked:
            raise Locked(
                "The token is locked after too many wrong PINs; its security officer unlocks it.",
                code="roots.pin-locked",
            ) from None

    def _begin(self) -> Any:  # noqa: ANN401
        if not self._module.is_file():
            raise Misconfigured(
                "pkcs11_module names no library. Give the path that the token's maker documents.",
                code="roots.module",
            )
        library = self._p11.lib(str(self._module))
        # A library that was begun before a fork, or before the token went, is begun anew.
        with contextlib.suppress(self._p11.PKCS11Error):
            library.finalize()
        library.initialize()
        return library

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(self._p11.PKCS11Error):
                session.close()

    def _find(self, session: Any, key_id: bytes | None = None) -> list[Any]:  # noqa: ANN401
        p11 = self._p11
        where: dict[Any, Any] = {p11.Attribute.CLASS: p11.ObjectClass.SECRET_KEY}
        if key_id is not None:
            where[p11.Attribute.ID] = key_id
        return list(session.get_objects(where))

    def _gcm(self, iv: bytes, context: bytes) -> dict[str, Any]:
        p11 = self._p11
        parameters = p11.GCMParams(iv, context, _TAG_BITS)
        return {"mechanism": p11.Mechanism.AES_GCM, "mechanism_param": parameters}


# PKCS#11 logs in a process, not an object: whoever asks for a token in one process shares it.
_connections: dict[tuple[int, Path, str], Token] = {}
_connecting = threading.Lock()
os.register_at_fork(after_in_child=lambda: _forget())


def connect(module: Path, label: str, pin: str) -> Token:
    """Return this process's connection to a token; the PIN is tried when it is first used."""
    place = (os.getpid(), module, label)
    with _connecting:
        found = _connections.get(place)
        if found is None or not found.is_for(pin):
            if found is not None:
                found.close()
            found = _connections[place] = Token(module, label, pin)
        return found


def _binding() -> Any:  # noqa: ANN401 - a module, and an optional one
    try:
        return importlib.import_module("pkcs11")
    except ImportError:
        raise Misconfigured(
            "This installation has no PKCS#11: install casevault[hsm].", code="roots.no-pkcs11"
        ) from None


def _forget() -> None:
    global _connecting
    _connecting = threading.Lock()
    _connections.clear()


def _gone() -> Busy:
    return Busy(
        "The hardware token does not answer, or lacks a key that keys/root.json names.",
        code="roots.token",
    )
