"""Erasures as they are carried out: keys first, then data and entries together, then a certificate.

What was begun is a row of the keyring, made in the transaction that takes the keys; whoever is cut
off after that is finished by whoever comes next, under the same entry ids, so that nothing is
recorded twice. Every path of erasure goes through `begin`, which no hold lets pass. Must never
touch data whose keys are still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import Connection

from casevault.crypto import canonical
from casevault.crypto.canonical import Part, Reader
from casevault.domain.case import keeping
from casevault.domain.case.casefile import CaseMetadata, Compartment
from casevault.domain.case.retention import Reason
from casevault.errors import Tampered
from casevault.ids import EntryId, new_id
from casevault.store.case import cases, tombstones
from casevault.store.case.tombstones import Erasure, Tombstone
from casevault.store.casework import matters
from casevault.store.context import intents
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.log import proofs
from casevault.store.log.ledger import Act, Actor, Touched
from casevault.store.log.proofs import Opened
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.retention import erasing, erasing_keys
from casevault.store.search import cards

# Begun, and data or entry may be missing; done, and its certificates are owed.
BEGUN, OWED = "erase", "certify"
_IDENTITY = Compartment.IDENTITY.value
# How many cases one transaction takes.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Planned:
    """What of one case goes; `entry` will be its entry on the ledger."""

    case: UUID
    team: UUID
    retention_class: str
    reason: Reason
    compartments: tuple[str, ...]
    entry: UUID
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Erasures of one transaction: whose act, by which rule, since when, under which epoch.

    `opened`, once they are done: what opens their entries to whoever is shown a certificate. The
    month's key may be gone by the day on which they are final.
    """

    id: UUID
    at: int
    epoch: int
    rule: str
    actor: Actor
    links: tuple[tuple[str, str], ...]
    items: tuple[Planned, ...]
    opened: Mapping[UUID, Opened] = field(default_factory=lambda: MappingProxyType({}), repr=False)


def plan(case: CaseMetadata, reason: Reason, compartments: Iterable[str]) -> Planned:
    """Return the erasure of some compartments of a case, with an entry id of its own."""
    names = tuple(sorted(set(compartments) & keeping.due_of(case).keys()))
    return Planned(case.id, case.team, case.retention_class, reason, names, new_id())


def begin(
    tx: KeyringTransaction,
    wanted: Sequence[Planned],
    now: int,
    actor: Actor,
    rule: str,
    links: tuple[tuple[str, str], ...] = (),
) -> Batch | None:
    """Take the keys of these cases, but for those that a hold keeps; None if nothing is left.

    From the end of this transaction on they are erased, whatever happens to this process. What was
    erased before is not erased again, and gets no second entry.
    """
    ids = [one.case for one in wanted]
    tombstones.lock(tx, ids)
    held, before = matters.held(tx, ids), tombstones.find(tx, ids)
    free = [_left(one, before.get(one.case)) for one in wanted if one.case not in held]
    free = [one for one in free if one.compartments]
    if not free:
        return None
    erasing_keys.erase(tx, [_erasure(one) for one in free], now)
    stones = tombstones.find(tx, [one.case for one in free])
    items = tuple(replace(one, whole=stones[one.case].is_whole) for one in free)
    batch = Batch(new_id(), now, tx.identity().epoch, rule, actor, links, items)
    tx.add(tables.intent, _encode(batch), id=batch.id, kind=BEGUN, object_id=batch.id)
    return batch


def finish(stores: Stores, batch: Batch) -> None:
    """Delete the data and record each erasure, in one transaction; then owe the certificates."""
    if not intents.is_recorded(stores, batch.items[0].entry):
        _forget_cards(stores, batch)
        with unit_of_work(stores.data, stores.ledger) as uow:
            _remove(stores, uow.connection, batch)
            uow.record(*(_act(batch, one) for one in batch.items))
            uow.commit()
    done = replace(batch, opened=entries_of(stores, batch))
    with stores.keyring.writing() as tx:
        if tx.remove(tables.intent, id=batch.id, kind=BEGUN):
            tx.add(tables.intent, _encode(done), id=batch.id, kind=OWED, object_id=batch.id)


def _forget_cards(stores: Stores, batch: Batch) -> None:
    """Take the keys of cards from the directories of teams that took a case since it was looked at.

    Those of the team that was known went with the other keys.
    """
    known = {one.case: one.team for one in batch.items if _IDENTITY in one.compartments}
    with stores.data.reading() as connection:
        present = cases.teams_of(connection, sorted(known))
    moved = {case: team for case, team in present.items() if team != known[case]}
    if moved:
        with stores.keyring.writing() as tx:
            for case, team in sorted(moved.items()):
                cards.forget(tx, team, [case])


def entries_of(stores: Stores, batch: Batch) -> Mapping[UUID, Opened]:
    """Return what opens the entries of these erasures, of those whose month the service holds."""
    months, ids = stores.months.kept(), [one.entry for one in batch.items]
    with stores.data.reading() as connection:
        return proofs.opened(connection, stores.organisation, months, ids)


def finish_left(stores: Stores, *, alone: str | None = None) -> int:
    """Finish what others began and did not end; return how many cases that were.

    A live request finishes its own, so only those it left behind are taken over; of the rule
    `alone` nobody else carries anything out at this moment.
    """
    with stores.keyring.reading() as tx:
        found = [_decode(row) for row in tx.find(tables.intent, kind=BEGUN)]
    before = stores.now() - intents.LEFT_BEHIND_SECONDS
    left = [one for one in found if one.at <= before or one.rule == alone]
    for batch in left:
        finish(stores, batch)
    return sum(len(batch.items) for batch in left)


def owed(tx: KeyringTransaction) -> list[Batch]:
    """Return the erasures that are done and of which no certificate was issued yet."""
    return [_decode(row) for row in tx.find(tables.intent, kind=OWED)]


def certified(tx: KeyringTransaction, batch: Batch) -> None:
    """Owe the certificates of these erasures no longer."""
    tx.remove(tables.intent, id=batch.id, kind=OWED)


def _erasure(one: Planned) -> Erasure:
    return Erasure(one.case, one.team, one.reason.value, frozenset(one.compartments))


def _left(one: Planned, stone: Tombstone | None) -> Planned:
    gone = frozenset() if stone is None else frozenset(stone.erased)
    return replace(one, compartments=tuple(n for n in one.compartments if n not in gone))


def _remove(stores: Stores, connection: Connection, batch: Batch) -> None:
    whole = [one.case for one in batch.items if one.whole]
    erasing.remove_cases(connection, stores.roots, whole)
    for one in batch.items:
        if not one.whole:
            erasing.remove_compartments(connection, stores.roots, one.case, one.compartments)
            erasing.mark(connection, stores.roots, one.case, one.compartments)


def _act(batch: Batch, one: Planned) -> Act:
    return Act(
        "case.erase",
        batch.actor,
        rule=batch.rule,
        touched=(Touched("case", one.case),),
        fields=one.compartments,
        filters=(one.reason.value, one.retention_class),
        links=batch.links,
        id=EntryId(one.entry),
    )


def _encode(batch: Batch) -> bytes:
    actor = batch.actor
    return canonical.encode(
        batch.at,
        batch.epoch,
        batch.rule,
        (actor.staff, actor.session, actor.assurance, actor.request or "", actor.roles),
        batch.links,
        tuple(_item(one) for one in batch.items),
        tuple((entry, one.salt, one.body) for entry, one in sorted(batch.opened.items())),
    )


def _item(one: Planned) -> Part:
    return (
        one.case,
        one.team,
        one.retention_class,
        one.reason.value,
        one.compartments,
        one.entry,
        int(one.whole),
    )


def _decode(row: Row) -> Batch:
    reader = Reader.of(row.content)
    at, epoch, rule = reader.number(), reader.number(), reader.text()
    who = Reader(reader.list_())
    actor = Actor(
        staff=who.optional_uuid(),
        session=who.optional_uuid(),
        assurance=who.text(),
        request=who.text() or None,
        roles=_texts(who.list_()),
    )
    links = tuple(_pair(part) for part in reader.list_())
    items = tuple(_planned(part) for part in reader.list_())
    # Rows from before this part was kept are shorter.
    opened = dict(map(_entry, () if reader.is_over() else reader.list_()))
    reader.end()
    if not items:
        raise Tampered(code="erasure")
    return Batch(row.lookup["id"], at, epoch, rule, actor, links, items, opened)


def _planned(part: Part) -> Planned:
    reader = Reader(part if isinstance(part, tuple) else ())
    try:
        return Planned(
            reader.uuid(),
            reader.uuid(),
            reader.text(),
            Reason(reader.text()),
            _texts(reader.list_()),
            reader.uuid(),
            bool(reader.number()),
        )
    except ValueError:
        raise Tampered(code="erasure") from None


def _entry(part: Part) -> tuple[UUID, Opened]:
    reader = Reader(part if isinstance(part, tuple) else ())
    return reader.uuid(), Opened(reader.bytes_(), reader.bytes_())


def _pair(part: Part) -> tuple[str, str]:
    first, second = _texts(part if isinstance(part, tuple) else ())
    return first, second


def _texts(parts: tuple[Part, ...]) -> tuple[str, ...]:
    return tuple(Reader((part,)).text() for part in parts)
