"""Versions of the retention schedule: the shipped one, and those that two people have signed.

They lie in the keyring, so that restoring an old backup of the data store brings no older schedule
back. A version is believed only with the statements that were signed about exactly it.
"""

from __future__ import annotations

from casevault.crypto import canonical
from casevault.crypto.approvals import Approval
from casevault.crypto.canonical import Reader
from casevault.domain.case import retention
from casevault.domain.case.retention import SHIPPED, Schedule
from casevault.domain.staff.approvals import ApprovedAct
from casevault.errors import Tampered
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row

_TABLE = tables.retention_schedule


def current(stores: Stores) -> Schedule:
    """Return the schedule that holds now."""
    with stores.keyring.reading() as tx:
        return newest(tx)


def newest(tx: KeyringTransaction) -> Schedule:
    """Return the schedule that holds in this transaction."""
    version = max(tx.values(_TABLE, "version"), default=SHIPPED.version)
    if version == SHIPPED.version:
        return SHIPPED
    (row,) = tx.find(_TABLE, version=version)
    return _schedule(row)


def all_(tx: KeyringTransaction) -> list[Schedule]:
    """Return every version, the shipped one first."""
    found = sorted((_schedule(row) for row in tx.find(_TABLE)), key=lambda one: one.version)
    return [SHIPPED, *found]


def add(tx: KeyringTransaction, schedule: Schedule, approval: Approval) -> None:
    """Let a version hold from now on; `approval` was checked in this transaction."""
    content = canonical.encode(approval.encode(), approval.wish.asked_at)
    tx.add(_TABLE, content, version=schedule.version)


def _schedule(row: Row) -> Schedule:
    reader = Reader.of(row.content)
    wish = Approval.decode(reader.bytes_()).wish
    reader.number()
    reader.end()
    schedule = retention.from_parameters(dict(wish.parameters))
    if wish.act is not ApprovedAct.SCHEDULE or schedule.version != row.lookup["version"]:
        raise Tampered(code="retention.schedule")
    return schedule
