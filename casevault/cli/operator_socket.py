"""The service's socket for operators: a Unix socket in the vault's folder in memory.

One request a connection, one JSON line; the answer is lines too: what is going on, then what came
of it. The kernel says who is at the other end, and only this account and root are heard. Whatever
comes in is bounded and parsed strictly; nothing that opens anything goes through here.

    → {"verb": "keys.roll", "arguments": {"erase_now": false}}
    ← {"say": "…"}   ← {"done": {…}}   or   ← {"error": {"class": "Busy", "code": …}}
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from casevault import errors
from casevault.config import Settings
from casevault.domain.texts import strict_json
from casevault.errors import Busy, CaseVaultError, Invalid, Misconfigured, Refused
from casevault.host import open_runtime_folder, runtime_folder
from casevault.logs import get_logger

Tell = Callable[[str], None]
Handler = Callable[[str, Mapping[str, Any], Tell], dict[str, Any]]

NAME = "operator.sock"
MOST_REQUEST_BYTES = 16_384
_MOST_ANSWER_BYTES = 1 << 22
_REQUEST_SECONDS = 10.0
# A listener that reads nothing must not hold a verb.
_SEND_SECONDS = 10.0
_AT_ONCE = 4
_CREDENTIALS = struct.Struct("3i")
_ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, CaseVaultError)
}


@contextmanager
def serving(settings: Settings, handle: Handler) -> Iterator[Path]:
    """Answer operators until the end of the block; give the path of the socket."""
    path = open_runtime_folder(settings) / NAME
    # This process holds the right to serve: whatever is there is of a service that was killed.
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        try:
            listening.bind(str(path))
        except OSError:
            raise Misconfigured(
                "The service's socket cannot be made: runtime_dir is too long a path, or full.",
                code="operator.socket",
            ) from None
        path.chmod(0o600)
        listening.listen(_AT_ONCE)
        threading.Thread(
            target=_accept, args=(listening, handle), name="operators", daemon=True
        ).start()
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def connect(settings: Settings) -> socket.socket | None:
    """Return a connection to the running service, None when none runs.

    :raises Refused: what answers there is another account's.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(runtime_folder(settings) / NAME))
    except OSError as error:
        connection.close()
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Refused(
                "The service of this vault belongs to another account. Run the command as that"
                " account or as root.",
                code="operator.account",
            ) from None
        return None
    # Root may work for any account's vault; nobody else is told to by a stranger's socket.
    if os.getuid() not in (0, peer(connection)):
        connection.close()
        raise Refused(
            "What answers for this vault is not a service of this account.", code="operator.peer"
        )
    return connection


def ask(
    connection: socket.socket, verb: str, told: Mapping[str, Any], tell: Tell
) -> dict[str, Any]:
    """Have a verb done by the service; pass on what it says, return what came of it.

    :raises CaseVaultError: what the verb raised in the service.
    """
    with contextlib.suppress(OSError):
        _send(connection, {"verb": verb, "arguments": dict(told)})
        connection.settimeout(None)
        with connection.makefile("rb") as answer:
            while line := answer.readline(_MOST_ANSWER_BYTES):
                found = strict_json.parse(line)
                if "done" in found:
                    done: dict[str, Any] = found["done"]
                    return done
                if "error" in found:
                    raise _error(found["error"])
                tell(found["say"])
    raise Busy(
        "The service ended before this was done. It is gone on with when you run it again.",
        code="operator.ended",
    )


def peer(connection: socket.socket) -> int:
    """Return the account at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


# --- the service's side --------------------------------------------------------------------------


def _accept(listening: socket.socket, handle: Handler) -> None:
    places = threading.BoundedSemaphore(_AT_ONCE)
    while True:
        try:
            connection, _ = listening.accept()
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL):
                return
            # Out of descriptors, say: it passes.
            time.sleep(0.1)
            continue
        if peer(connection) not in (0, os.getuid()):
            get_logger().warning("operator refused", code="operator.peer")
            connection.close()
        elif not places.acquire(blocking=False):
            _reply(connection, {"error": _told(_too_many())})
            connection.close()
        else:
            threading.Thread(
                target=_converse, args=(connection, handle, places), name="operator", daemon=True
            ).start()


def _converse(
    connection: socket.socket, handle: Handler, places: threading.BoundedSemaphore
) -> None:
    try:
        with connection:
            _reply(connection, _answer(connection, handle))
    finally:
        places.release()


def _answer(connection: socket.socket, handle: Handler) -> dict[str, Any]:
    try:
        verb, told = _request(_line(connection))
        return {"done": handle(verb, told, lambda text: _reply(connection, {"say": text}))}
    except CaseVaultError as error:
        get_logger().warning("operator verb failed", slug=error.slug, code=error.code)
        return {"error": _told(error)}
    except Exception as error:
        # Its text may hold anything.
        get_logger().error("operator verb crashed", exception_type=type(error).__name__)
        return {"error": _told(CaseVaultError("The log of the service says where."))}


def _line(connection: socket.socket) -> bytes:
    data, until = b"", time.monotonic() + _REQUEST_SECONDS
    while not data.endswith(b"\n"):
        connection.settimeout(max(0.001, until - time.monotonic()))
        try:
            part = connection.recv(4096)
        except OSError:
            part = b""
        data += part
        if not part or len(data) > MOST_REQUEST_BYTES:
            raise _malformed()
    return data


def _request(line: bytes) -> tuple[str, dict[str, Any]]:
    found = strict_json.parse(line)
    if not isinstance(found, dict) or set(found) != {"verb", "arguments"}:
        raise _malformed()
    verb, told = found["verb"], found["arguments"]
    if not isinstance(verb, str) or not isinstance(told, dict):
        raise _malformed()
    return verb, told


def _reply(connection: socket.socket, found: dict[str, Any]) -> None:
    # Whoever asked may have gone; what was begun is ended all the same.
    with contextlib.suppress(OSError):
        _send(connection, found)


def _send(connection: socket.socket, found: dict[str, Any]) -> None:
    connection.settimeout(_SEND_SECONDS)
    connection.sendall(json.dumps(found).encode() + b"\n")


# --- errors, there and back ----------------------------------------------------------------------


def _told(error: CaseVaultError) -> dict[str, str]:
    return {
        "class": type(error).__name__,
        "detail": error.detail,
        "code": error.code,
        "hint": error.hint,
    }


def _error(told: Mapping[str, str]) -> CaseVaultError:
    kind = _ERRORS.get(told["class"], CaseVaultError)
    return kind(told["detail"], code=told["code"], hint=told["hint"])


def _malformed() -> Invalid:
    return Invalid("This is not a request of an operator.", code="operator.request")


def _too_many() -> Busy:
    return Busy("The service does several things for operators already.", code="operator.busy")
