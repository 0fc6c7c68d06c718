"""Epochs of the keyring: switching to a new one, moving every row over, destroying the old.

A writer holds the identity row FOR SHARE and seals under the epoch that it names there; the switch
takes it FOR UPDATE, so afterwards no older row appears. An epoch is destroyed under the same lock,
and only when no row of any table names it. Must never wait for a row while it holds others, nor
keep the write lock while it seals: everybody else goes on meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    Table,
    exists,
    select,
    text,
    update,
)
from sqlalchemy.exc import OperationalError

from casevault.errors import Busy, Conflict, Tampered
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine import milestones
from casevault.store.engine.keyring import (
    Keyring,
    KeyringTransaction,
    sealed_tables,
)
from casevault.store.recovery.moving import Mover

# The switch waits for writers so long at most, because others queue behind it meanwhile.
_SWITCH_MS = 200
_SWITCH_TRIES = 100
_PAUSE = 0.02
_IDENTITY = tables.keyring_identity


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the keyring stands: the epoch of its writers, and the last that a roll finished."""

    epoch: int
    rolled: int

    @property
    def is_unfinished(self) -> bool:
        """Whether a roll has switched and not come to its end."""
        return self.epoch > self.rolled


def standing(tx: KeyringTransaction) -> Standing:
    """Return where the keyring stands."""
    return Standing(tx.identity().epoch, milestones.last(tx, milestones.ROLLED) or 1)


@contextmanager
def alone(keyring: Keyring) -> Iterator[None]:
    """Let one process at a time roll; `Busy` for the others."""
    with keyring.database.exclusive("roll"):
        yield


def switch(keyring: Keyring) -> int:
    """Let writers begin a new epoch; return its number.

    The key is durable before anybody is told of it. One that a killed roll made is used.
    """
    with keyring.reading() as tx:
        present = tx.identity().epoch
    following = max(keyring.roots.epochs())
    if following <= present:
        following = keyring.roots.new_epoch()
    with _identity_locked(keyring) as connection:
        generation = _IDENTITY.c.generation + 1
        connection.execute(update(_IDENTITY).values(epoch=following, generation=generation))
    return following


def move(keyring: Keyring, epoch: int) -> int:
    """Seal every row of an older epoch under this one; return how many.

    :raises Tampered: a row does not open where it lies. Those that do are moved first.
    """
    moved = sum(_move_table(keyring, table, epoch) for table in sealed_tables())
    if is_named(keyring, epoch):
        raise Tampered(code="keyring.row")
    return moved


def is_named(keyring: Keyring, before: int) -> bool:
    """Say whether any row lies under an epoch before this one."""
    with keyring.database.reading() as connection:
        return _is_named(connection, before)


def destroy(keyring: Keyring, before: int) -> tuple[int, ...]:
    """Destroy every epoch before this one, and note that the roll is done; return which.

    :raises Conflict: a row still names one of them, or somebody has switched once more.
    """
    with _identity_locked(keyring) as connection:
        epoch = int(connection.execute(select(_IDENTITY.c.epoch)).scalar_one())
        if before > epoch or _is_named(connection, epoch):
            raise Conflict(code="epoch.in-use")
        gone = keyring.roots.destroy_epochs_before(before)
        tx = KeyringTransaction(keyring, connection, epoch)
        milestones.note(tx, milestones.ROLLED, epoch)
    return gone


def _move_table(keyring: Keyring, table: Table, epoch: int) -> int:
    mover = Mover(keyring, table, epoch)
    while rows := mover.older():
        before = mover.moved
        mover.move(rows)
        if mover.moved == before:
            # Somebody holds these rows at this moment.
            time.sleep(_PAUSE)
    return mover.moved


def _is_named(connection: Connection, before: int) -> bool:
    return any(
        connection.execute(select(exists().where(table.c.epoch < before))).scalar_one()
        for table in sealed_tables()
    )


@contextmanager
def _identity_locked(keyring: Keyring) -> Iterator[Connection]:
    """Give a writing transaction that no other writer of the keyring shares; commit at its end."""
    with ExitStack() as stack:
        connection = _locked(keyring, stack)
        yield connection
        connection.commit()


def _locked(keyring: Keyring, stack: ExitStack) -> Connection:
    for _ in range(_SWITCH_TRIES):
        with ExitStack() as attempt:
            connection = attempt.enter_context(keyring.database.opened_for_writing())
            try:
                _lock_identity(connection)
            except OperationalError:
                connection.rollback()
            else:
                stack.push(attempt.pop_all())
                return connection
        time.sleep(_PAUSE)
    raise Busy("The keyring is busy.", code="store.busy")


def _lock_identity(connection: Connection) -> None:
    # On SQLite the write lock does the same.
    if connection.dialect.name != "sqlite":
        connection.execute(text(f"SET LOCAL lock_timeout = {_SWITCH_MS}"))
        connection.execute(select(_IDENTITY).with_for_update()).one()
