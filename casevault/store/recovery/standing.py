"""What the stores tell a doctor: when copies were made, which epochs there are, whose vouch ends.

Reads; opens no content of a case. Roles and days only: who it is, the administrator knows.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from casevault.domain.recovery.doctor import VOUCH_SECONDS, Standing
from casevault.domain.staff.access import Role
from casevault.domain.staff.granting import PrincipalKind
from casevault.domain.staff.organisation import Seat, held_alone
from casevault.domain.staff.vouching import Scope
from casevault.store.context.stores import Stores
from casevault.store.engine import clock_guard, keyring_tables, milestones, tables
from casevault.store.engine.clock_guard import Judged
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people
from casevault.store.keys.trust import Trust
from casevault.store.log import tree
from casevault.store.recovery import rolling
from casevault.store.staff import lockdown_checks

_SERVICES = frozenset({"service", "organisation", "ledger", "backup", "counting"})


def standing(stores: Stores, epochs_kept: int) -> Standing:
    """Return how the vault stands."""
    now, shut = stores.now(), lockdown_checks.standing(stores)
    with stores.keyring.reading() as tx, stores.data.reading() as connection:
        epochs = rolling.standing(tx)
        return Standing(
            now=now,
            epoch=epochs.epoch,
            rolled=epochs.rolled,
            epochs_held=len(stores.roots.epochs()),
            epochs_kept=epochs_kept,
            capsule=milestones.last(tx, milestones.CAPSULE),
            keyring_backup=milestones.last(tx, milestones.KEYRING_BACKUP),
            backup=milestones.last(tx, milestones.BACKUP),
            drill=milestones.last(tx, milestones.REHEARSED),
            unsettled=milestones.last(tx, milestones.UNSETTLED) is not None,
            quarantined=_quarantined(connection),
            held_alone=_alone(tx, stores.trust),
            ending=tuple(sorted(_ending(tx, stores.trust, now).items())),
            pending=max(0, now - (tree.oldest_pending(connection) or now)),
            one_cluster=_one_cluster(stores.data, stores.keyring.database),
            clock_doubted=clock_guard.judged(tx, now) is not Judged.RIGHT,
            shut=shut.is_shut,
            unsigned_lockdowns=shut.unsigned,
            vanished_lockdowns=shut.vanished,
        )


def _quarantined(connection: Connection) -> int:
    count = select(func.count()).select_from(tables.quarantine)
    return int(connection.execute(count).scalar_one())


def _alone(tx: KeyringTransaction, trust: Trust) -> tuple[str, ...]:
    seats = []
    for member in people.all_staff(tx):
        roles = {role for scope in trust.scopes(tx, member.id) for role in scope.roles}
        if roles:
            seats.append(Seat(frozenset(Role(role) for role in roles)))
    return tuple(sorted(role.value for role in held_alone(seats)))


def _ending(tx: KeyringTransaction, trust: Trust, now: int) -> dict[str, int]:
    """Return when the first vouch of each role or kind ends, of those that end soon or have."""
    found: dict[str, int] = {}
    for row in tx.lookups(keyring_tables.principal):
        # Whoever left, and a group with a successor, needs no vouch any more.
        held = [one for one in trust.believed(tx, row["id"]) if not one.is_revoked]
        if not held:
            continue
        last = max(held, key=lambda one: one.valid_until)
        if last.valid_until - now < VOUCH_SECONDS:
            name = _name(row["kind"], last.scope)
            found[name] = min(last.valid_until, found.get(name, last.valid_until))
    return found


def _name(kind: str, scope: Scope) -> str:
    if kind == PrincipalKind.STAFF.value:
        return "a person who is " + " and ".join(scope.roles)
    return f"the {kind} key" if kind in _SERVICES else f"the {kind} group"


def _one_cluster(data: Database, keyring: Database) -> bool:
    """Say whether both stores are databases of one PostgreSQL cluster, as far as it tells."""
    if data.is_sqlite or keyring.is_sqlite:
        return False
    found = [_cluster(database) for database in (data, keyring)]
    return found[0] is not None and found[0] == found[1]


def _cluster(database: Database) -> int | None:
    query = text("SELECT system_identifier FROM pg_control_system()")
    with database.reading() as connection:
        try:
            return int(connection.execute(query).scalar_one())
        except SQLAlchemyError:
            # A server that does not let this role ask.
            return None
