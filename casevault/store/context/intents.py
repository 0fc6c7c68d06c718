"""Intents: what was begun in the keyring and must still be recorded.

What *takes* power writes the keyring first, with the intent in the same transaction, then records,
and is retried until it is recorded. The intent's id is the entry's id, so that a retry cannot
record twice.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection, select

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.ids import EntryId
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine import tables as data_tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.log.ledger import Act, Actor, Touched
from casevault.store.log.unit_of_work import unit_of_work

RECORD = "record"
# A live request finishes its own intents; only those it left behind are taken over.
LEFT_BEHIND_SECONDS = 30


def taking(
    stores: Stores,
    act: Act,
    write: Callable[[KeyringTransaction], None],
    then: Callable[[Connection], None] | None = None,
) -> None:
    """Take power away now, then record it; a crash in between is made good by `finish_all`.

    `then` changes the data store in the entry's transaction; nothing may depend on it, because
    `finish_all` records without it.
    """
    with stores.keyring.writing() as tx:
        write(tx)
        begin(stores, tx, act)
    _finish(stores, act, then)


def begin(stores: Stores, tx: KeyringTransaction, act: Act) -> None:
    """Keep in the caller's transaction that this act is still to be recorded."""
    content = canonical.encode(stores.now(), *_encode(act))
    tx.add(tables.intent, content, id=act.id, kind=RECORD, object_id=act.touched[0].id)


def end(tx: KeyringTransaction, act: Act) -> None:
    """Forget the intent of an act that has been recorded."""
    tx.remove(tables.intent, id=act.id)


def finish_all(stores: Stores) -> int:
    """Record what requests that died left behind; return how many."""
    with stores.keyring.reading() as tx:
        rows = tx.find(tables.intent, kind=RECORD)
    left = [_decode(row) for row in rows if _begun_at(row) <= stores.now() - LEFT_BEHIND_SECONDS]
    for act in left:
        _finish(stores, act)
    return len(left)


def _finish(stores: Stores, act: Act, then: Callable[[Connection], None] | None = None) -> None:
    if then is not None:
        with unit_of_work(stores.data, stores.ledger) as uow:
            then(uow.connection)
            uow.record(act)
            uow.commit()
    elif not is_recorded(stores, act.id):
        stores.ledger.record(act)
    with stores.keyring.writing() as tx:
        end(tx, act)


def is_recorded(stores: Stores, entry: UUID) -> bool:
    """Say whether an entry with this id is on the ledger."""
    table = data_tables.ledger_entry
    with stores.data.reading() as connection:
        found = connection.execute(select(table.c.id).where(table.c.id == entry)).first()
    return found is not None


def _begun_at(row: Row) -> int:
    return Reader.of(row.content).number()


def _encode(act: Act) -> tuple[canonical.Part, ...]:
    actor = act.actor
    return (
        act.code,
        (actor.staff, actor.session, actor.assurance, actor.request or "", actor.roles),
        act.rule,
        act.purpose,
        tuple((touched.type, touched.id) for touched in act.touched),
        act.fields,
        act.filters,
    )


def _decode(row: Row) -> Act:
    reader = Reader.of(row.content)
    reader.number()
    code, who = reader.text(), Reader(reader.list_())
    actor = Actor(
        staff=who.optional_uuid(),
        session=who.optional_uuid(),
        assurance=who.text(),
        request=who.text() or None,
        roles=_texts(who.list_()),
    )
    rule, purpose = reader.text(), reader.text()
    touched = tuple(_touched(part) for part in reader.list_())
    fields, filters = _texts(reader.list_()), _texts(reader.list_())
    return Act(
        code,
        actor,
        rule=rule,
        purpose=purpose,
        touched=touched,
        fields=fields,
        filters=filters,
        id=EntryId(row.lookup["id"]),
    )


def _touched(part: canonical.Part) -> Touched:
    reader = Reader(part if isinstance(part, tuple) else ())
    return Touched(reader.text(), reader.uuid())


def _texts(parts: tuple[canonical.Part, ...]) -> tuple[str, ...]:
    return tuple(Reader((part,)).text() for part in parts)
