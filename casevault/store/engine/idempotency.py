"""A POST that is sent twice creates once: Idempotency-Key, kept with the transaction for a day.

The key travels with the caller, so that whatever makes something can ask what the same request
made before. Without a key nothing is found and nothing is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from casevault.crypto import macs
from casevault.crypto.roots import RootProvider
from casevault.crypto.sealing import Key
from casevault.errors import Conflict
from casevault.ids import new_id
from casevault.store.engine import tables
from casevault.store.engine.database import Database

_SECONDS, _HOUR = 86_400, 3600


@dataclass(frozen=True, slots=True)
class Repeat:
    """Who sent which request under which key. Only HMACs of it are kept."""

    staff: UUID
    route: str
    key: str = field(repr=False)
    request: bytes = field(repr=False)


def find(
    connection: Connection, roots: RootProvider, repeat: Repeat | None, now: int
) -> UUID | None:
    """Return what the same request created before; another request under the key is refused."""
    if repeat is None:
        return None
    table = tables.idempotency
    known = {_key(key, repeat): key for key in map(roots.service, roots.service_versions())}
    row = connection.execute(
        select(table).where(table.c.key.in_(list(known)), table.c.expires_at > now)
    ).first()
    if row is None:
        return None
    # What it made and until when that counts are bound too: a row that was changed by hand sends
    # nobody to another record.
    made = _request(known[bytes(row.key)], repeat, row.case_id, row.expires_at)
    if not macs.same(bytes(row.request), made):
        raise Conflict(
            "This Idempotency-Key was used for another request. Choose a new one.",
            code="idempotency.reused",
        )
    found: UUID = row.case_id
    return found


def keep(
    connection: Connection, roots: RootProvider, repeat: Repeat | None, created: UUID, now: int
) -> None:
    """Remember what a request created; keys that have expired are forgotten on the way."""
    if repeat is None:
        return
    table = tables.idempotency
    connection.execute(delete(table).where(table.c.expires_at <= now))
    # In whole hours: an exact moment would tell when somebody asked for help.
    until = (now + _SECONDS) // _HOUR * _HOUR + _HOUR
    connection.execute(
        insert(table).values(
            key=_key(roots.service(), repeat),
            request=_request(roots.service(), repeat, created, until),
            case_id=created,
            expires_at=until,
        )
    )


def named(database: Database, roots: RootProvider, repeat: Repeat | None, now: int) -> UUID:
    """Return the id of what a request makes: the same one however often it is sent.

    For what is written to the keyring, which is in no transaction with this: the id is kept first,
    so that a request that was cut off between the two is finished when it is sent again.
    """
    if repeat is None:
        return new_id()
    with database.writing() as connection:
        found = find(connection, roots, repeat, now)
        if found is None:
            found = new_id()
            keep(connection, roots, repeat, found, now)
    return found


def _key(service: Key, repeat: Repeat) -> bytes:
    return macs.mac(service, "idempotency", repeat.staff, repeat.route, repeat.key)


def _request(service: Key, repeat: Repeat, created: UUID, until: int) -> bytes:
    # Bound to its key: equal bodies under two keys must not look equal in a dump.
    named = _key(service, repeat), repeat.request, created, until
    return macs.mac(service, "idempotency-request", *named)
