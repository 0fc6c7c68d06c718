"""Which keyring belongs to which data, and how new it must be.

The keyring must be the newest: the data store remembers the highest generation it has seen, and
start-up refuses an older or a foreign keyring. The generation rises at every start of the service,
at every roll, and whenever a release has paid: an account that forgot it could pay twice.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from casevault.clock import unix_seconds
from casevault.crypto.roots import RootProvider
from casevault.errors import Misconfigured
from casevault.store.engine import keyring_tables, milestones, tables
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.log import tree


def require_empty(data: Database, keyring: Database) -> None:
    """Refuse a ceremony on stores that hold a vault."""
    for database, table in (
        (keyring, keyring_tables.keyring_identity),
        (data, tables.store_identity),
    ):
        with database.reading() as connection:
            if connection.execute(select(table)).first() is not None:
                raise Misconfigured(
                    "These stores hold a vault. `casevault init` sets up empty ones only.",
                    code="identity.in-use",
                )


def keyring_id(keyring: Database) -> UUID | None:
    """Return the id of the keyring, None while it is empty."""
    with keyring.reading() as connection:
        row = connection.execute(select(keyring_tables.keyring_identity)).one_or_none()
    return None if row is None else row.keyring_id


def has_begun(data: Database) -> bool:
    """Say whether the data store has its identity."""
    with data.reading() as connection:
        return connection.execute(select(tables.store_identity)).first() is not None


def has_entries(data: Database) -> bool:
    """Say whether anything was recorded."""
    with data.reading() as connection:
        return connection.execute(select(tables.ledger_entry.c.id).limit(1)).first() is not None


def begin_data(database: Database, organisation: UUID, keyring_id: UUID) -> None:
    """Write the identity of a new data store and the empty ledger."""
    with database.writing() as connection:
        connection.execute(
            insert(tables.store_identity).values(
                id=1, organisation_id=organisation, keyring_id=keyring_id, generation=1
            )
        )
        tree.begin(connection)


def check(data: Database, keyring: Database, roots: RootProvider, organisation: UUID) -> None:
    """Refuse stores that do not belong together, and a keyring older than the data has seen."""
    # What the data has seen is read first: the keyring rises before the data remembers it, so one
    # that rises between the two looks, for another release, is not taken for an older one.
    with data.reading() as connection:
        seen = connection.execute(select(tables.store_identity)).one_or_none()
    with keyring.reading() as connection:
        own = connection.execute(select(keyring_tables.keyring_identity)).one_or_none()
    if own is None or seen is None:
        raise Misconfigured(
            "The vault is empty. Run `casevault init` first.", code="identity.empty"
        )
    if own.keyring_id != roots.keyring_id or own.keyring_id != seen.keyring_id:
        raise Misconfigured(
            "Data, keyring and keys folder belong to different vaults. Point the configuration at"
            " the three that belong together.",
            code="identity.foreign",
        )
    if seen.organisation_id != organisation:
        raise Misconfigured(
            "`organisation_id` is not the one this vault was made with.",
            code="identity.organisation",
        )
    if own.generation < seen.generation:
        raise Misconfigured(
            "This keyring is older than the data has seen: keys destroyed since would come back."
            " Restore the newest keyring backup.",
            code="identity.older",
        )


def require_settled(data: Database, keyring: Keyring, signed: int | None, now: datetime) -> None:
    """Refuse a data store that came from a backup and was not settled.

    `signed` is how long the log was at its last checkpoint. A store whose log is shorter came back
    from somewhere, whoever put it there: that is noted, and keys of what it lacks stay.
    """
    with keyring.reading() as tx:
        unsettled = milestones.last(tx, milestones.UNSETTLED) is not None
        known = milestones.last(tx, milestones.LOG_LOST)
    if not unsettled and signed is not None and signed != known:
        with data.reading() as connection:
            unsettled = tree.head(connection).size < signed
        if unsettled:
            with keyring.writing() as tx:
                milestones.note(tx, milestones.UNSETTLED, unix_seconds(now))
    if unsettled:
        raise Misconfigured(
            "The data store came back from a backup and is not settled yet: what was erased since"
            " could be in it. Run `casevault db settle`.",
            code="identity.unsettled",
        )


def advance(data: Database, keyring: Database) -> int:
    """Raise the keyring's generation, then let the data store remember it; return it."""
    table = keyring_tables.keyring_identity
    with keyring.writing() as connection:
        connection.execute(update(table).values(generation=table.c.generation + 1))
    return remember(data, keyring)


def remember(data: Database, keyring: Database) -> int:
    """Let the data store remember the keyring's generation; return it."""
    with keyring.reading() as connection:
        own = select(keyring_tables.keyring_identity.c.generation)
        generation = int(connection.execute(own).scalar_one())
    with data.writing() as connection:
        seen = tables.store_identity
        connection.execute(
            update(seen).where(seen.c.generation < generation).values(generation=generation)
        )
    return generation
