"""Covering for a colleague: what they hold of their team, given to another one until a date.

The grants end by themselves; the sweep then has the cases get new keys. Done in batches, each
with its entry before it gives anything; asked for again, it gives only what is still lacking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from casevault.domain.staff.access import Permission, Subject
from casevault.errors import FieldError, Invalid, KeyUnavailable, NotFound, Refused, Tampered
from casevault.ids import NO_TEAM, TeamId
from casevault.store.casework import caseload, handing, rekeying
from casevault.store.casework.handing import Gift
from casevault.store.casework.held import Desk
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.keys.grants import Grantee
from casevault.store.log.ledger import REFUSED, Act, Touched

MAX_DAYS = 92
_BATCH = 25
_DAY = 86_400
# Told after each batch: how many cases that were, of how many in all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A case that was not given, and why: ``refused-staff`` or ``unreadable``."""

    case: UUID
    why: str


@dataclass(frozen=True, slots=True)
class Covered:
    """How many cases were given, how many they could open as long already, and what was not."""

    given: int
    held_already: int
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class _Cover:
    """Who covers for whom, until when."""

    absent: UUID
    receiver: Grantee
    until: int

    @property
    def staff(self) -> tuple[Touched, ...]:
        return Touched("staff", self.absent), Touched("staff", self.receiver.id)


@dataclass
class _Batch:
    """What is to become of some cases."""

    gifts: list[Gift] = field(default_factory=list)
    held_already: int = 0
    skipped: list[Skipped] = field(default_factory=list)


class Covers:
    """The use case of covering."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    def give(
        self,
        caller: Caller,
        absent: UUID,
        by: UUID,
        until: int,
        progress: Progress = lambda _done, _of: None,
    ) -> Covered:
        """Give `by` what `absent` holds of the team, until then (Unix seconds), 92 days at most.

        :raises Refused: `by` is not vouched for in that team.
        """
        stores = self._stores
        touched = (Touched("staff", absent), Touched("staff", by))
        with stores.keyring.reading() as tx:
            team = handing.team_of(stores, tx, absent) or NO_TEAM
        subject = Subject("staff", team=TeamId(team))
        self._gate.require(caller, Permission.COVER_GIVE, subject, touched)
        self._check(caller, absent, by, until)
        cover = _Cover(absent, self._receiver(caller, team, by, touched), until)
        with stores.keyring.reading() as tx:
            held = caseload.own(tx, absent)
        wanted = sorted(caseload.of_team(stores, held, team))
        found = _Batch()
        for at in range(0, max(1, len(wanted)), _BATCH):
            some = wanted[at : at + _BATCH]
            done = self._batch(caller, cover, some)
            found.gifts += done.gifts
            found.held_already += done.held_already
            found.skipped += done.skipped
            progress(len(some), len(wanted))
        return Covered(len(found.gifts), found.held_already, tuple(found.skipped))

    def _check(self, caller: Caller, absent: UUID, by: UUID, until: int) -> None:
        now = self._stores.now()
        fault = None
        if absent == by:
            fault = Invalid(
                "Name two people: nobody covers for themselves.",
                code="cover.self",
                errors=(FieldError("/by", "cover.self"),),
            )
        elif not now < until <= now + MAX_DAYS * _DAY:
            fault = Invalid(
                "A cover ends at a future moment, within 92 days.",
                code="cover.until",
                errors=(FieldError("/until", "cover.until"),),
            )
        if fault is not None:
            self._gate.deny(caller, Permission.COVER_GIVE, "refused:" + fault.code)
            raise fault

    def _receiver(
        self, caller: Caller, team: UUID, by: UUID, touched: tuple[Touched, ...]
    ) -> Grantee:
        stores = self._stores
        try:
            with stores.keyring.reading() as tx:
                return handing.member(stores, tx, team, by)
        except Refused:
            self._gate.deny(caller, Permission.COVER_GIVE, "deny:other-team", touched)
            raise

    def _batch(self, caller: Caller, cover: _Cover, some: Sequence[UUID]) -> _Batch:
        return rekeying.tried_twice(lambda: self._batch_once(caller, cover, some))

    def _batch_once(self, caller: Caller, cover: _Cover, some: Sequence[UUID]) -> _Batch:
        stores, found = self._stores, _Batch()
        for case in some:
            self._look(caller, cover, case, found)
        refused = tuple(Touched("case", one.case) for one in found.skipped)
        if refused:
            stores.ledger.record(
                Act(
                    "case.cover",
                    caller.on_ledger,
                    rule="refused:skipped",
                    outcome=REFUSED,
                    touched=(*refused, *cover.staff),
                )
            )
        given = tuple(Touched("case", gift.held.case.id) for gift in found.gifts)
        act = Act(
            "case.cover",
            caller.on_ledger,
            rule="permit:team",
            purpose="treatment",
            touched=(*given, *cover.staff),
            count=len(given),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            for gift in found.gifts:
                rekeying.check_newest(tx, gift.held)
            handing.give(
                tx,
                caller.keys.granter,
                cover.receiver,
                found.gifts,
                purpose="cover",
                now=stores.now(),
            )
        return found

    def _look(self, caller: Caller, cover: _Cover, case: UUID, found: _Batch) -> None:
        stores = self._stores
        try:
            with stores.data.reading() as connection:
                held = self._desk.hold(caller, connection, case, Permission.CASE_ASSIGN)
                with self._desk.recording_failure(caller, case):
                    unwanted = handing.refuses(held, connection, cover.receiver.id)
            with self._desk.recording_failure(caller, case), stores.keyring.reading() as tx:
                gift = handing.gift(stores, tx, held, cover.absent, cover.receiver.id, cover.until)
        except (Tampered, KeyUnavailable, NotFound):
            # Recorded, and no reason to leave a colleague without the others.
            found.skipped.append(Skipped(case, "unreadable"))
            return
        if unwanted:
            found.skipped.append(Skipped(case, "refused-staff"))
        elif gift.parts:
            found.gifts.append(gift)
        else:
            found.held_already += 1
