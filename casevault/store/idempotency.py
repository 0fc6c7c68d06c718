"""A POST that is sent twice creates once: Idempotency-Key, kept with the transaction for a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from casevault.crypto import macs
from casevault.crypto.roots import RootProvider
from casevault.crypto.sealing import Key
from casevault.errors import Conflict
from casevault.store import tables

_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Repeat:
    """Who sent which request under which key. Only HMACs of it are kept."""

    staff: UUID
    route: str
    key: str = field(repr=False)
    request: bytes = field(repr=False)


def find(connection: Connection, roots: RootProvider, repeat: Repeat, now: int) -> UUID | None:
    """Return what the same request created before; another request under the key is refused."""
    table = tables.idempotency
    known = {_key(key, repeat): key for key in map(roots.service, roots.service_versions())}
    row = connection.execute(
        select(table).where(table.c.key.in_(list(known)), table.c.expires_at > now)
    ).first()
    if row is None:
        return None
    if not macs.same(bytes(row.request), _request(known[bytes(row.key)], repeat)):
        raise Conflict(
            "This Idempotency-Key was used for another request. Choose a new one.",
            code="idempotency.reused",
        )
    found: UUID = row.case_id
    return found


def keep(
    connection: Connection, roots: RootProvider, repeat: Repeat, created: UUID, now: int
) -> None:
    """Remember what a request created; keys that have expired are forgotten on the way."""
    table = tables.idempotency
    connection.execute(delete(table).where(table.c.expires_at <= now))
    connection.execute(
        insert(table).values(
            key=_key(roots.service(), repeat),
            request=_request(roots.service(), repeat),
            case_id=created,
            expires_at=now + _SECONDS,
        )
    )


def _key(service: Key, repeat: Repeat) -> bytes:
    return macs.mac(service, "idempotency", repeat.staff, repeat.route, repeat.key)


def _request(service: Key, repeat: Repeat) -> bytes:
    # Bound to its key: equal bodies under two keys must not look equal in a dump.
    return macs.mac(service, "idempotency-request", _key(service, repeat), repeat.request)
