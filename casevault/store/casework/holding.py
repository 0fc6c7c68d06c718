"""Holds and restrictions: the row in the keyring that counts, the flag in the case that shows it.

Every erasure asks the keyring, under the lock that setting one takes too, so that no erasure
passes between the two. The flag follows; what was cut off is put right by whoever comes next. Must
never lower a flag while what it shows is there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from uuid import UUID

from casevault.crypto import canonical
from casevault.domain.case import casefile
from casevault.domain.case.casefile import CaseMetadata
from casevault.errors import NotFound
from casevault.ids import parse_reference
from casevault.store.case import cases, tombstones
from casevault.store.casework import deadlines, matters
from casevault.store.casework.deadlines import Deadline, DeadlineKind
from casevault.store.casework.matter_kinds import KEEPING, Kind
from casevault.store.casework.matters import Matter
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction

INTENT = "hold"
_REVIEWS = {
    Kind.HOLD: DeadlineKind.HOLD_REVIEW,
    Kind.RESTRICTION: DeadlineKind.RESTRICTION_REVIEW,
}


def find_case(stores: Stores, case: UUID | str) -> CaseMetadata:
    """Return the plain row of a case by its id or its reference, else `NotFound`."""
    with stores.data.reading() as connection:
        if isinstance(case, UUID):
            wanted: UUID | None = case
        else:
            reference = parse_reference(case)
            wanted = None if reference is None else cases.id_of_reference(connection, reference)
        found = None if wanted is None else cases.find_case(connection, stores.roots, wanted)
    if found is None:
        raise NotFound()
    return found


def add(stores: Stores, tx: KeyringTransaction, hold: Matter) -> None:
    """Let it count from now on, and watch its review; of an erased case: `NotFound`."""
    require_there(tx, hold.case)
    matters.add(tx, hold)
    watch(tx, hold)
    _begin(stores, tx, hold)


def require_there(tx: KeyringTransaction, case_id: UUID) -> None:
    """Return while nobody can erase a case, until the transaction ends; erased: `NotFound`."""
    tombstones.lock(tx, [case_id])
    stone = tombstones.find(tx, [case_id]).get(case_id)
    if stone is not None and stone.is_whole:
        raise NotFound()


def drop(stores: Stores, tx: KeyringTransaction, hold: Matter) -> None:
    """Let it count no longer."""
    tombstones.lock(tx, [hold.case])
    matters.drop(tx, [hold.id])
    deadlines.settle(tx, hold.id)
    _begin(stores, tx, hold)


def watch(tx: KeyringTransaction, hold: Matter) -> None:
    """Watch that somebody looks at it by the day on which it is to be reviewed."""
    deadlines.settle(tx, hold.id)
    due = int(datetime.combine(datetime.fromisoformat(hold.due), time(), UTC).timestamp())
    kind = _REVIEWS[hold.kind]
    deadlines.add(tx, Deadline(hold.id, kind, hold.case, hold.team, hold.owner, due))


def show(stores: Stores, case_id: UUID) -> None:
    """Let the case's row say whether there is a hold or a restriction."""
    with stores.keyring.reading() as tx:
        kept = _keeping(tx, case_id)
    with stores.data.writing() as connection:
        case = cases.find_case(connection, stores.roots, case_id, lock=True)
        if case is not None:
            hold, restriction = (kind.value in kept for kind in KEEPING)
            shown = replace(case, hold=hold, restriction=restriction)
            if shown != case:
                cases.change_case(connection, stores.roots, casefile.next_version(shown))
    with stores.keyring.writing() as tx:
        if _keeping(tx, case_id) == kept:
            tx.remove(tables.intent, kind=INTENT, object_id=case_id)


def show_left(stores: Stores) -> int:
    """Put right what somebody who was cut off left; return of how many cases."""
    with stores.keyring.reading() as tx:
        left = {row.lookup["object_id"] for row in tx.find(tables.intent, kind=INTENT)}
    for case_id in sorted(left):
        show(stores, case_id)
    return len(left)


def _keeping(tx: KeyringTransaction, case_id: UUID) -> set[str]:
    return matters.kinds_of(tx, case_id) & {kind.value for kind in KEEPING}


def _begin(stores: Stores, tx: KeyringTransaction, hold: Matter) -> None:
    tx.remove(tables.intent, kind=INTENT, object_id=hold.case)
    content = canonical.encode(stores.now())
    tx.add(tables.intent, content, id=hold.id, kind=INTENT, object_id=hold.case)
