"""Every connection of a test, in its own process or one that it starts, stays on this machine.

Python imports a module of this name in each process at its start; `tests/conftest.py` puts this
folder on the path that they inherit. Whatever is looked up or connected to beyond loopback and Unix
sockets is refused, and noted in the file that `TRACE` names, so that the run fails also where the
code swallowed the refusal. What C libraries connect by themselves is not seen: libpq is given Unix
sockets, and the browser of a test no network but loopback.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

TRACE = "TEST_CONNECTS_TRACE"
_WATCHED = "_connects_are_watched"
# Which argument of each audit event names the other side.
_ADDRESS = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}


def is_here(address: object) -> bool:
    """Say whether an address is on this machine: a Unix socket, loopback, or nobody's."""
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, bytes):
        host = host.decode("utf-8", "replace")
    # Unix sockets are paths, or names in the kernel that begin with a zero byte.
    if host is None or host in ("", "localhost") or str(host).startswith(("/", "\0")):
        return True
    try:
        found = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse and note what leaves this machine (an audit hook)."""
    place = _ADDRESS.get(event)
    if place is None or is_here(arguments[place]):
        return
    # An address with a path has no slash at its beginning only if it is relative: of a test's own.
    if event == "socket.connect" and getattr(arguments[0], "family", None) == 1:
        return
    if trace := os.environ.get(TRACE):
        with open(trace, "a", encoding="utf-8") as file:  # noqa: PTH123 - at every start: few imports
            file.write(f"{event} {arguments[place]!r} {sys.argv[:3]}\n")
    raise ConnectionRefusedError("tests connect to this machine only")


if not hasattr(sys, _WATCHED):
    setattr(sys, _WATCHED, True)
    sys.addaudithook(watch)
