"""One case of somebody who leaves: handed over if somebody is named, then given new keys.

Every step can be cut off and done again. A case whose content or keys do not open costs the
others nothing: what can be taken without opening it is taken, and it is named.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.staff.access import Permission
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import KeyUnavailable, NotFound, Tampered
from casevault.store.case.held_case import HeldCase
from casevault.store.case.manifests import Manifest
from casevault.store.case.records import kept
from casevault.store.casework import handing, rekeying
from casevault.store.casework.held import Desk
from casevault.store.context import intents
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals
from casevault.store.keys.grants import Object
from casevault.store.log.ledger import Act, Touched

_NARRATIVE = Compartment.NARRATIVE.value
_TASK = DocumentKind.TASK.value


@dataclass(frozen=True, slots=True)
class OpenTask:
    """Something that the person who leaves was to do. `due` is ``2026-11-30``."""

    case: UUID
    record: UUID
    due: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one case; `why` says why it was not handed over, or not opened."""

    case: UUID
    handed_over: bool = False
    someone_holds_it: bool = True
    why: str | None = None
    tasks: tuple[OpenTask, ...] = ()


class Handover:
    """Takes somebody's cases away from them, with the caller's keys."""

    def __init__(self, stores: Stores, desk: Desk, caller: Caller, leaver: UUID) -> None:
        self._stores = stores
        self._desk = desk
        self._caller = caller
        self._leaver = leaver

    def settle(self, case: UUID, successor: UUID | None) -> Settled:
        """Give the case to a successor, if any, then new keys to everybody but who leaves."""
        try:
            return rekeying.tried_twice(lambda: self._settle(case, successor))
        except (KeyUnavailable, NotFound, Tampered):
            # Recorded already, and an alarm where it is one.
            self._take(case)
            return Settled(case, why="unreadable")

    def _settle(self, case: UUID, successor: UUID | None) -> Settled:
        stores, caller = self._stores, self._caller
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case, Permission.CASE_REVOKE)
            with stores.keyring.reading() as tx:
                own = bool(grants.of_object(tx, held.target, [self._leaver]))
            act = self._act(case) if own else None
            try:
                with self._desk.recording_failure(caller, case):
                    manifests = {name: held.manifest(connection, name) for name in held.versions}
                    tasks = self._tasks(held, connection, manifests[_NARRATIVE])
                    wanted = successor if own else None
                    unwanted = wanted is not None and handing.refuses(
                        held, connection, wanted, manifests[_NARRATIVE]
                    )
            except Tampered:
                rekeying.regrant(stores, caller, held, self._leaver, act)
                return Settled(case, why="unreadable")
        given = wanted is not None and not unwanted
        if wanted is not None and given:
            self._give(held, wanted)
        with self._desk.recording_failure(caller, case):
            rekeying.renew(stores, caller, held, manifests, self._leaver, act)
        why = "refused-staff" if unwanted else None
        return Settled(case, given, self._someone_holds(case), why, tasks)

    def _tasks(
        self, held: HeldCase, connection: Connection, manifest: Manifest
    ) -> tuple[OpenTask, ...]:
        found = map(kept, held.documents(connection, manifest, [_TASK]))
        return tuple(
            OpenTask(held.case.id, task.id, task.date)
            for task in found
            if task.is_open_task_of(self._leaver)
        )

    def _give(self, held: HeldCase, successor: UUID) -> None:
        stores, caller, case = self._stores, self._caller, held.case
        with stores.keyring.reading() as tx:
            receiver = handing.member(stores, tx, case.team, successor)
            gift = handing.gift(stores, tx, held, self._leaver, successor, None)
        act = Act(
            "case.assign",
            caller.on_ledger,
            rule="permit:team",
            purpose="treatment",
            touched=(Touched("case", case.id), Touched("staff", successor)),
            fields=tuple(sorted(name for _, names in gift.parts for name in names)),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            rekeying.check_newest(tx, held)
            granter, now = caller.keys.granter, stores.now()
            handing.give(tx, granter, receiver, [gift], purpose="handover", now=now)

    def _someone_holds(self, case: UUID) -> bool:
        """Say whether a person holds the case by a grant of their own."""
        with self._stores.keyring.reading() as tx:
            return principals.are_people(tx, grants.holders_of(tx, case) - {self._leaver})

    def _take(self, case: UUID) -> None:
        """Take the leaver's own grants without opening anything, unless they are the last."""
        stores, leaver = self._stores, self._leaver
        target = Object(ObjectKind.CASE, case)
        with stores.keyring.reading() as tx:
            own = grants.of_object(tx, target, [leaver])
            others = grants.holders_of(tx, case) - {leaver}
            for group in tuple(others):
                others |= grants.holders_of(tx, group) - {leaver}
            is_safe = principals.are_people(tx, others)
        if own and is_safe:

            def mark(connection: Connection) -> None:
                with contextlib.suppress(Tampered):
                    rekeying.mark_due(stores, connection, case)

            intents.taking(stores, self._act(case), lambda tx: _drop(tx, target, leaver), mark)

    def _act(self, case: UUID) -> Act:
        return Act(
            "case.revoke",
            self._caller.on_ledger,
            rule="permit:team",
            touched=(Touched("case", case), Touched("staff", self._leaver)),
        )


def _drop(tx: KeyringTransaction, target: Object, leaver: UUID) -> None:
    grants.take(tx, target, leaver)
