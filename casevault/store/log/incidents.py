"""Incidents: why an origin was closed and the next one begun, as rows.

One for each log but the first. Before that it holds only what two people have signed.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from casevault.errors import CaseVaultError, Tampered
from casevault.ledger.note import Checkpoint
from casevault.store.engine import tables
from casevault.store.log import tree

_TABLE = tables.ledger_incident


@dataclass(frozen=True, slots=True)
class Incident:
    """Why an origin was closed: what was signed, what is left, what comes next, who said so."""

    closed: Checkpoint
    kept: Checkpoint
    origin: str
    approval: bytes

    def encode(self) -> bytes:
        """Return the note's bytes (JSON); docs/formats/ledger.md."""
        return _json(
            {
                "v": 1,
                "closed": _head(self.closed),
                "kept": _head(self.kept),
                "opened": self.origin,
                "approval": base64.b64encode(self.approval).decode(),
            }
        )


def keep_approval(connection: Connection, approval: bytes) -> None:
    """Keep what two people have signed, until the log is closed because of it."""
    log = tree.current(connection).log + 1
    put(connection, log, _json({"v": 1, "approval": base64.b64encode(approval).decode()}))


def origin_of(connection: Connection, log: int) -> str | None:
    """Return the origin that a log must be signed under; None for the first, which no one closed.

    :raises Tampered: nothing says why this log was begun.
    """
    if log == 0:
        return None
    found = read(connection, log).get("opened")
    if not isinstance(found, str):
        raise Tampered(code="ledger-incident")
    return found


def note_of(connection: Connection, log: int) -> bytes | None:
    """Return the incident note with which a log begins; None if there is none."""
    found = connection.execute(select(_TABLE.c.note).where(_TABLE.c.log == log)).scalar()
    return None if found is None else bytes(found)


def put(connection: Connection, log: int, note: bytes) -> None:
    """Write the incident with which a log begins, instead of what was known of it."""
    connection.execute(delete(_TABLE).where(_TABLE.c.log == log))
    connection.execute(insert(_TABLE).values(log=log, note=note))


def read(connection: Connection, log: int) -> dict[str, Any]:
    """Return what is known of the incident with which a log begins, else `Tampered`."""
    try:
        found = json.loads(note_of(connection, log) or b"")
    except ValueError:
        raise Tampered(code="ledger-incident") from None
    if not isinstance(found, dict):
        raise Tampered(code="ledger-incident")
    return found


def left(connection: Connection, log: int) -> Checkpoint:
    """Return the head that was left of the log before this one when it was closed, as written."""
    try:
        found = read(connection, log)["kept"]
        root = base64.b64decode(found["root"], validate=True)
        return Checkpoint(found["origin"], found["size"], root)
    except (TypeError, KeyError, ValueError, CaseVaultError):
        raise Tampered(code="ledger-incident") from None


def _head(head: Checkpoint) -> dict[str, Any]:
    root = base64.b64encode(head.root).decode()
    return {"origin": head.origin, "size": head.size, "root": root}


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
