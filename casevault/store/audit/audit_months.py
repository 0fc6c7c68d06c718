"""An auditor's months: the key of one month in their session, and who is who in it.

Each month is opened by itself, and only by who was granted it. Must never keep a month's key
beyond the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import Connection, select

from casevault.domain.staff.granting import ObjectKind
from casevault.errors import KeyUnavailable, NotFound
from casevault.ids import StaffId
from casevault.store.context.caller import Caller
from casevault.store.engine import tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people
from casevault.store.keys.grants import Object
from casevault.store.log import months
from casevault.store.log.ledger import pseudonym
from casevault.store.log.months import MonthKey

ACTOR, SUBJECT, SESSION = "actor", "subject", "session"


def opened(tx: KeyringTransaction, caller: Caller, name: str) -> MonthKey:
    """Return the key of a month (``2026-11``) that the caller holds.

    :raises NotFound: there are no entries of this month. :raises KeyUnavailable: no grant.
    """
    object_id = months.object_ids(tx).get(name)
    if object_id is None:
        raise NotFound(code="ledger.month")
    found = caller.keys.open(tx, Object(ObjectKind.MONTH, object_id))
    if months.COMPARTMENT not in found:
        raise KeyUnavailable()
    return months.of(name, object_id, found[months.COMPARTMENT].key)


def names(tx: KeyringTransaction) -> list[str]:
    """Return the months of which there is a key, oldest first."""
    return sorted(months.object_ids(tx))


def staff_by(month: MonthKey, kind: str, staff: Iterable[UUID]) -> Mapping[str, StaffId]:
    """Return which pseudonym of a kind stands for which of these people in a month."""
    return {pseudonym(month, kind, one): StaffId(one) for one in staff}


def actors(tx: KeyringTransaction, month: MonthKey) -> Mapping[str, StaffId]:
    """Return which pseudonym of an actor stands for which colleague in a month."""
    return staff_by(month, ACTOR, (member.id for member in people.all_staff(tx)))


def cases(connection: Connection, month: MonthKey) -> Mapping[str, UUID]:
    """Return which pseudonym stands for which case that is still there."""
    ids = connection.execute(select(tables.case_file.c.id)).scalars()
    return {pseudonym(month, SUBJECT, one): one for one in ids}
