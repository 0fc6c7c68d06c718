"""Certificates of erasure as they are issued: only once an erasure is final, and only once.

Final means: every epoch that could open the deleted keys is destroyed, and keyring backup and
capsule are replaced. The log's entry leaves with its proof and with what opens it, which was kept
when it was recorded: the key of its month may be gone by now. Must never say that something is gone
which a copy of ours could open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select

from casevault.errors import NotFound
from casevault.ledger import certificate
from casevault.ledger.certificate import Statement
from casevault.ledger.note import VerifierKey
from casevault.store.case import tombstones
from casevault.store.context.stores import Stores
from casevault.store.engine import tables
from casevault.store.log import proofs, tree
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.log.proofs import Opened
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.retention import erasures
from casevault.store.retention.erasures import Batch, Planned

_TABLE = tables.certificate


@dataclass(frozen=True, slots=True)
class Kept:
    """A certificate as it is kept: its id is that of the entry on the log."""

    id: UUID
    text: str


def organisation_key(stores: Stores, origin: str) -> VerifierKey:
    """Return the key with which outsiders check what the organisation signs."""
    return VerifierKey(f"{origin}/organisation", stores.roots.principal("organisation").public.sign)


def issue(stores: Stores, origin: str, sign: Callable[[], bytes]) -> int:
    """Issue what is owed of erasures that are final now; return how many certificates."""
    final = _final(stores)
    if not final:
        return 0
    tree.integrate_all(stores.data, stores.roots)
    note, issued = sign(), 0
    for batch in final:
        issued += _issue(stores, origin, batch, note)
        with stores.keyring.writing() as tx:
            erasures.certified(tx, batch)
    return issued


def waiting(stores: Stores) -> int:
    """Return how many erasures are done and not final yet."""
    with stores.keyring.reading() as tx:
        return sum(len(batch.items) for batch in erasures.owed(tx))


def ids(connection: Connection) -> list[UUID]:
    """Return the ids of all certificates, which are random."""
    return sorted(connection.execute(select(_TABLE.c.id)).scalars())


def find(connection: Connection, certificate_id: UUID) -> Kept:
    """Return one certificate, else `NotFound`."""
    query = select(_TABLE.c.body).where(_TABLE.c.id == certificate_id)
    text = connection.execute(query).scalar_one_or_none()
    if text is None:
        raise NotFound(
            "There is no such certificate (yet): it is issued once an erasure is final.",
            code="certificate",
        )
    return Kept(certificate_id, str(text))


def _final(stores: Stores) -> list[Batch]:
    with stores.keyring.reading() as tx:
        return [one for one in erasures.owed(tx) if tombstones.is_past(tx, one.epoch)]


def _issue(stores: Stores, origin: str, batch: Batch, note: bytes) -> int:
    # Of erasures from before entries were kept with what is owed, the service may hold the month.
    opened = batch.opened or erasures.entries_of(stores, batch)
    with stores.data.reading() as connection:
        entries = [one.entry for one in batch.items]
        there = set(
            connection.execute(select(_TABLE.c.id).where(_TABLE.c.id.in_(entries))).scalars()
        )
        rows = [
            {
                "id": one.entry,
                "body": _certificate(
                    stores, connection, origin, batch, one, note, opened[one.entry]
                ),
            }
            for one in batch.items
            if one.entry not in there and one.entry in opened
        ]
    if rows:
        with unit_of_work(stores.data, stores.ledger) as uow:
            uow.connection.execute(insert(_TABLE), rows)
            uow.record(Act("certificate.issue", SERVICE, rule="permit:final", count=len(rows)))
            uow.commit()
    return len(rows)


def _certificate(
    stores: Stores,
    connection: Connection,
    origin: str,
    batch: Batch,
    one: Planned,
    note: bytes,
    opened: Opened,
) -> str:
    position = proofs.position_of(connection, one.entry)
    proof = proofs.prove(connection, position, proofs.note_for(connection, position, note))
    proofs.check_shown(proof.extra, opened)
    said = Statement(
        id=str(one.entry),
        organisation=str(stores.organisation),
        erased_at=_day(batch.at),
        final_on=f"{stores.clock.now():%Y-%m-%d}",
        retention_class=one.retention_class,
        reason=one.reason.value,
        compartments=one.compartments,
        destruction=stores.roots.shredding,
    )
    secret = stores.roots.principal("organisation")
    key = organisation_key(stores, origin)
    return certificate.make(said, opened.salt, opened.body, proof, key, secret.sign_raw)


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
