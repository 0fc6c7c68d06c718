"""Somebody leaves: what is taken at once, and what must not be forgotten afterwards.

The first step takes everything by which the person could sign in again, and their memberships; it
leaves a row that says what is still to be done, so that any colleague who may can go on after a
crash. Must never take a key that somebody else needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.domain.staff.granting import ObjectKind
from casevault.ids import new_id
from casevault.store.case import private_rows
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, principals
from casevault.store.staff import resetting

INTENT = "departure"
# By these somebody signs in, or begins to.
_WAYS_IN = (
    tables.session,
    tables.envelope,
    tables.recovery_envelope,
    tables.enrolment,
    tables.second_factor,
    tables.device,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who takes over: for all cases, and for single ones."""

    successor: UUID | None = None
    by_case: Mapping[UUID, UUID] = field(default_factory=dict)

    def of(self, case: UUID) -> UUID | None:
        """Return who takes a case over, or None for nobody."""
        return self.by_case.get(case, self.successor)

    @property
    def people(self) -> frozenset[UUID]:
        """Everybody who is to take over anything."""
        named = {self.successor} if self.successor is not None else set()
        return frozenset(named | set(self.by_case.values()))


@dataclass(frozen=True, slots=True)
class Begun:
    """A departure under way: the plan, and the groups the person was in."""

    plan: Plan
    groups: tuple[UUID, ...]


def under_way(tx: KeyringTransaction, staff: UUID) -> Begun | None:
    """Return what is known of a departure that has begun and is not finished."""
    row = tx.one(tables.intent, kind=INTENT, object_id=staff)
    if row is None:
        return None
    reader = Reader.of(row.content)
    successor, flat, groups = reader.optional_uuid(), _ids(reader), _ids(reader)
    return Begun(Plan(successor, dict(zip(flat[::2], flat[1::2], strict=True))), groups)


def leaving(tx: KeyringTransaction) -> set[UUID]:
    """Return everybody whose departure has begun and is not finished."""
    return {row["object_id"] for row in tx.lookups(tables.intent, kind=INTENT)}


def begin(stores: Stores, tx: KeyringTransaction, staff: UUID, plan: Plan) -> list[UUID]:
    """Shut somebody out and note what is to be done; return their private objects, now keyless."""
    people.alone(tx, staff)
    groups = grants.objects_of(tx, ObjectKind.GROUP, [staff])
    for group in principals.principals(tx, sorted(groups)):
        grants.take(tx, grants.Object(ObjectKind.GROUP, group.id, group.team), staff)
    # On call no more; a duty group opens nothing without this.
    grants.take_kinds(tx, (ObjectKind.DUTY,), staff)
    # A colleague began it at this very moment: the groups are to be rotated by either.
    before = under_way(tx, staff)
    groups |= set() if before is None else set(before.groups)
    note(tx, staff, Begun(plan, tuple(sorted(groups))))
    shut_out(tx, staff)
    private = sorted(grants.objects_of(tx, ObjectKind.PRIVATE, [staff]))
    if private:
        grants.take_object(tx, ObjectKind.PRIVATE, private)
    return private


def note(tx: KeyringTransaction, staff: UUID, begun: Begun) -> None:
    """Keep what is to be done, replacing what was noted before."""
    end(tx, staff)
    flat = tuple(one for pair in sorted(begun.plan.by_case.items()) for one in pair)
    content = canonical.encode(begun.plan.successor, flat, begun.groups)
    tx.add(tables.intent, content, id=new_id(), kind=INTENT, object_id=staff)


def shut_out(tx: KeyringTransaction, staff: UUID) -> None:
    """Delete every way in: sessions on all workers, envelopes, codes, second factors."""
    for table in _WAYS_IN:
        tx.remove(table, staff_id=staff)
    resetting.end(tx, staff)


def end(tx: KeyringTransaction, staff: UUID) -> None:
    """Forget that somebody is leaving: they have left."""
    tx.remove(tables.intent, kind=INTENT, object_id=staff)


def is_out(tx: KeyringTransaction, staff: UUID) -> bool:
    """Say whether nothing is left by which somebody could sign in or begin to."""
    code = tx.lookups(tables.enrolment, staff_id=staff)
    return people.envelope_of(tx, staff) is None and not code


def signed_cases(tx: KeyringTransaction, staff: UUID) -> set[UUID]:
    """Return the cases of which any live grant bears somebody's signature."""
    # What is owed after a reset stays as it was signed: it opens nothing, and is a list.
    owed = resetting.waiting(tx)
    found = grants.signed_by(tx, ObjectKind.CASE, staff)
    return {one.terms.object_id for one in found if one.terms.grantee not in owed}


def delete_rows(connection: Connection, private: list[UUID]) -> None:
    """Delete private objects whose keys are gone."""
    for one in private:
        private_rows.remove(connection, one)


def _ids(reader: Reader) -> tuple[UUID, ...]:
    return tuple(Reader((part,)).uuid() for part in reader.list_())
