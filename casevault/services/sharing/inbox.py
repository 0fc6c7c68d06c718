"""What comes in for a team: submitted by referrers and other teams, taken over, merged, declined.

Whoever submits gets a receipt and reads nothing back: it is sealed for the team's intake group, so
that is a fact of keys. Taking over and merging write into a case first, under its keys, and only
then is the arrival gone. What another team referred is answered: its caseworker hears how far it
is. Must never keep what nobody claims beyond its date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from casevault.domain.sharing.arriving import A_DAY, MOST_WAITING, Declined, Intake
from casevault.domain.sharing.exchanging import Standing, may_follow
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import (
    Busy,
    Conflict,
    FieldError,
    Invalid,
    KeyUnavailable,
    NotFound,
    Refused,
)
from casevault.ids import TeamId, new_id
from casevault.store.case import cases
from casevault.store.casework import objecting
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people
from casevault.store.log.ledger import REFUSED, Act, Touched
from casevault.store.sharing import arrivals, exchanges, hearing, intakes, unpacking
from casevault.store.sharing.arrivals import Arrival, ArrivalKind, ArrivalState
from casevault.store.staff import intake_groups

_DAY = 86_400
_CODES = {ArrivalState.TAKEN: "intake.take", ArrivalState.MERGED: "intake.merge"}


class Box(StrEnum):
    """Which part of an inbox: what waits, what is to be answered still, what was called back."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    RECALLED = "recalled"


class Later(StrEnum):
    """What a team says of a referral that it accepted, or that was called back."""

    COMPLETED = "completed"
    DECLINED = "declined"
    # That it was called back.
    NOTED = "noted"


_FROM: Mapping[Later, frozenset[ArrivalState]] = MappingProxyType(
    {
        Later.COMPLETED: arrivals.ACCEPTED,
        Later.DECLINED: arrivals.ACCEPTED,
        Later.NOTED: frozenset({ArrivalState.RECALLED}),
    }
)


@dataclass(frozen=True, slots=True)
class Opened:
    """An arrival and what it says."""

    arrival: Arrival
    intake: Intake = field(repr=False)


class Inbox:
    """The use cases of what comes in."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def submit(
        self,
        caller: Caller,
        team: str,
        identity: Mapping[str, Any],
        profile: Mapping[str, Any],
        words: str,
    ) -> UUID:
        """Seal an intake to a team, named as people call it; return its receipt.

        :raises Busy: too many of this referrer today, or too many wait there already.
        """
        stores = self._stores
        self._gate.require(caller, Permission.INTAKE_SUBMIT, Subject("intake"))
        intake = Intake(*intakes.checked(stores, identity, profile), words)
        to = self._team_named(team)
        self._require_room(caller, to)
        arrival = Arrival(
            id=new_id(),
            kind=ArrivalKind.INTAKE,
            about=to,
            team=to,
            at=stores.now(),
            referral=None,
            sender=caller.staff,
            sealed=None,
        )
        touched = (Touched("arrival", arrival.id), Touched("team", to))
        act = Act("intake.submit", caller.on_ledger, rule="permit:role", touched=touched)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            arrivals.receive(stores, tx, arrival, intake.encode())
        return arrival.id

    def unpack(self, caller: Caller, sealed: bytes) -> UUID:
        """Take a package that came by hand into the inbox of the caller's team; return its id.

        It is opened with the key of the intake group and sealed anew like everything that comes
        in; who sent it is known only if their key was compared.

        :raises Invalid: it is damaged, too old, or holds something else.
        :raises Conflict: it came before.
        """
        stores, now = self._stores, self._stores.now()
        with stores.keyring.reading() as tx:
            mine = sorted(intake_groups.teams_of(tx, caller))
        first = (mine or sorted(caller.actor.teams) or [TeamId(UUID(int=0))])[0]
        subject = Subject("inbox", first, holds_grant=first in mine)
        self._gate.require(caller, Permission.INBOX_DECIDE, subject)
        try:
            with stores.keyring.reading() as tx:
                team, package = unpacking.opened(tx, caller, sealed)
                unpacking.require_new(tx, package.statement, now)
                sender, signed = unpacking.signer_of(tx, package.statement)
                arrivals.require_room(tx, team, now)
            intake = intakes.of_package(self._stores, package, sender, signed)
        except (Invalid, Conflict, Refused, Busy) as error:
            act = self._act(caller, "intake.unpack", ())
            stores.ledger.record(replace(act, rule="refused:" + error.code, outcome=REFUSED))
            raise
        arrival = Arrival(
            id=package.statement.id,
            kind=ArrivalKind.INTAKE,
            about=team,
            team=team,
            at=now,
            referral=None,
            sender=None,
            sealed=None,
        )
        act = self._act(caller, "intake.unpack", (Touched("arrival", arrival.id),))
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            unpacking.require_new(tx, package.statement, now)
            arrivals.receive(stores, tx, arrival, intake.encode())
        return arrival.id

    def list_(self, caller: Caller, box: Box = Box.WAITING) -> list[Arrival]:
        """Return what is in the inboxes that the caller can open, oldest first."""
        stores, now = self._stores, self._stores.now()
        with stores.keyring.reading() as tx:
            mine = sorted(intake_groups.teams_of(tx, caller))
        teams = mine or sorted(caller.actor.teams) or [TeamId(UUID(int=0))]
        for team in teams:
            subject = Subject("inbox", TeamId(team), holds_grant=team in mine)
            self._gate.require(caller, Permission.INBOX_LIST, subject)
        with stores.keyring.reading() as tx:
            known = arrivals.inbox(tx, mine)
        found = [one for one in known if _box_of(one, now) is box]
        touched = tuple(Touched("arrival", one.id) for one in found[:MOST_WAITING])
        self._record(caller, "intake.list", touched, count=len(found))
        return found

    def read(
        self, caller: Caller, arrival_id: UUID, permission: Permission = Permission.INBOX_LIST
    ) -> Opened:
        """Return what came in, to somebody of the team's intake group."""
        found, content = self._opened(caller, arrival_id, permission)
        return Opened(found, self._intake_of(caller, content))

    def _opened(
        self, caller: Caller, arrival_id: UUID, permission: Permission
    ) -> tuple[Arrival, Mapping[str, Any]]:
        found = self._found(caller, arrival_id, permission)
        if found.state is ArrivalState.RECALLED:
            raise NotFound(
                "This letter was called back by whoever sent it.", code="intake.recalled"
            )
        if not found.is_waiting(self._stores.now()):
            raise NotFound()
        act = self._act(caller, "intake.read", _touched(found))
        content = self._content(caller, found, act)
        is_letter = found.kind is ArrivalKind.REFERRAL or unpacking.PACKAGE in content
        if found.state is ArrivalState.WAITING and is_letter:
            # From here on it cannot be called back unread.
            with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
                arrivals.see(tx, arrival_id)
                exchanges.note_read(tx, arrival_id)
        else:
            self._stores.ledger.record(act)
        return found, content

    def _content(self, caller: Caller, found: Arrival, act: Act) -> Mapping[str, Any]:
        """Return what an arrival says, but of a case of which nothing leaves at present."""
        with self._stores.keyring.reading() as tx:
            try:
                if found.kind is ArrivalKind.REFERRAL:
                    objecting.require_leaving(tx, found.about)
            except Conflict as error:
                rule = "refused:" + error.code
                self._stores.ledger.record(replace(act, rule=rule, outcome=REFUSED))
                raise
            content = arrivals.read(tx, caller, found)
        if content is None:
            raise KeyUnavailable()
        return content

    def decline(self, caller: Caller, arrival_id: UUID, reason: Declined, words: str = "") -> None:
        """Take it out of the inbox; what it said is erased, the reason is a code.

        `words` are for the colleague who referred somebody, sealed like every answer.
        """
        # Also what cannot be read, because what is in it does not hold.
        found, _ = self._opened(caller, arrival_id, Permission.INBOX_DECIDE)
        act = self._act(caller, "intake.decline", _touched(found))
        act = replace(act, filters=(reason.value,))
        team = self._asking(found, words)
        with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
            self._settle(tx, caller, found.id, ArrivalState.DECLINED, reason.value)
            self._say(tx, found, team, words)
            self._tell_vault(tx, found, Standing.DECLINED, words)

    def claim(self, caller: Caller, arrival_id: UUID) -> Opened:
        """Return what is about to be written into a case; it stays until `claimed`.

        :raises Conflict: a colleague is just doing that.
        """
        opened = self.read(caller, arrival_id, Permission.INBOX_DECIDE)
        with self._stores.keyring.writing() as tx:
            arrivals.claim(tx, arrival_id, caller.staff, self._stores.now())
        return opened

    def claimed(self, caller: Caller, opened: Opened, state: ArrivalState, case: UUID) -> None:
        """Note that it is in a case now, under the case's own keys."""
        found = opened.arrival
        touched = (*_touched(found), Touched("case", case))
        act = self._act(caller, _CODES[state], touched)
        with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
            self._settle(tx, caller, found.id, state)
            self._tell_vault(tx, found, Standing.ACCEPTED, "")

    def answer(self, caller: Caller, arrival_id: UUID, answer: Later, words: str) -> None:
        """Say what became of a referral that was accepted, or that a recall was noted.

        :raises Conflict: it is not at that point.
        """
        stores = self._stores
        found = self._found(caller, arrival_id, Permission.INBOX_DECIDE)
        if found.kind is not ArrivalKind.REFERRAL or found.is_over(stores.now()):
            raise NotFound()
        act = self._act(caller, "intake.answer", _touched(found))
        act = replace(act, filters=(answer.value,))
        team = self._asking(found, words)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = arrivals.find(tx, arrival_id, lock=True)
            if present.state not in _FROM[answer]:
                raise Conflict(
                    "The referral cannot go there from here.", code="referral.transition"
                )
            if answer is Later.NOTED:
                arrivals.drop(tx, [arrival_id])
            else:
                arrivals.settle(tx, present, ArrivalState(answer.value))
                self._say(tx, present, team, words)

    def _found(self, caller: Caller, arrival_id: UUID, permission: Permission) -> Arrival:
        """Return an arrival in an inbox that the caller can open, else as if there were none."""
        with self._stores.keyring.reading() as tx:
            found, mine = _find(tx, arrival_id), intake_groups.teams_of(tx, caller)
        team = TeamId(UUID(int=0) if found is None else found.team)
        subject = Subject("inbox", team, holds_grant=team in mine)
        touched = (Touched("arrival", arrival_id),)
        self._gate.require(caller, permission, subject, touched, hide=True)
        if found is None or found.kind is ArrivalKind.ANSWER:
            raise NotFound()
        return found

    def _asking(self, found: Arrival, words: str) -> UUID:
        """Return the team that referred somebody; nobody else is answered in words."""
        if found.kind is not ArrivalKind.REFERRAL:
            with self._stores.keyring.reading() as tx:
                is_vault = exchanges.received(tx, found.id) is not None
            if words and not is_vault:
                raise Invalid(
                    "Nobody is told these words.",
                    code="intake.words",
                    errors=(FieldError("/words", "intake.words"),),
                )
            return found.team
        with self._stores.data.reading() as connection:
            case = cases.find_case(connection, self._stores.roots, found.about)
        # A case that is erased takes its referrals with it; this one went at this moment.
        if case is None:
            raise NotFound()
        return case.team

    def _say(self, tx: KeyringTransaction, found: Arrival, team: UUID, words: str) -> None:
        if words and found.referral is not None:
            about = (found.about, team, found.referral, found.sender)
            arrivals.keep_words(self._stores, tx, *about, words)

    def _tell_vault(
        self, tx: KeyringTransaction, found: Arrival, standing: Standing, words: str
    ) -> None:
        """Keep the answer for the vault that brought a letter, which hears it when it asks."""
        letter = exchanges.received(tx, found.id, lock=True)
        if letter is not None and may_follow(letter.standing, standing):
            hearing.answered(self._stores, tx, letter, standing, words)

    def _intake_of(self, caller: Caller, content: Mapping[str, Any]) -> Intake:
        if unpacking.PACKAGE in content:
            with self._stores.keyring.reading() as tx:
                package = unpacking.of_vault(tx, caller, content)
            return intakes.of_package(self._stores, package, str(content["from"]), "known")
        packed = content.get(arrivals.PACKED)
        if packed is None:
            return Intake.decode(content)
        return Intake.of_referral(str(packed).encode())

    def _settle(
        self, tx: KeyringTransaction, by: Caller, one: UUID, state: ArrivalState, why: str = ""
    ) -> None:
        present = arrivals.find(tx, one, lock=True)
        arrivals.require_free(present, by.staff, self._stores.now())
        arrivals.settle(tx, present, state, why)

    def _team_named(self, name: str) -> UUID:
        wanted = " ".join(name.split()).casefold()
        with self._stores.keyring.reading() as tx:
            for team, known in people.teams(tx).items():
                if " ".join(known.split()).casefold() == wanted:
                    return team
        raise NotFound("There is no team with this name.", code="transfer.team")

    def _require_room(self, caller: Caller, team: UUID) -> None:
        now = self._stores.now()
        with self._stores.keyring.reading() as tx:
            mine = arrivals.sent_by(tx, caller.staff, now - _DAY)
            waiting = sum(one.is_waiting(now) for one in arrivals.about(tx, [team]))
        if mine >= A_DAY or waiting >= MOST_WAITING:
            act = Act("intake.limited", caller.on_ledger, rule="refused:limit", outcome=REFUSED)
            self._stores.ledger.record(act)
            raise Busy("Too much was sent today. Call the team instead.", code="intake.limited")

    def _record(
        self, caller: Caller, code: str, touched: tuple[Touched, ...], count: int | None = None
    ) -> None:
        self._stores.ledger.record(replace(self._act(caller, code, touched), count=count))

    @staticmethod
    def _act(caller: Caller, code: str, touched: tuple[Touched, ...]) -> Act:
        return Act(code, caller.on_ledger, rule="permit:team", purpose="treatment", touched=touched)


def _touched(found: Arrival) -> tuple[Touched, ...]:
    """Return what an entry is about: of a referral also the case that it tells of."""
    if found.kind is not ArrivalKind.REFERRAL or found.referral is None:
        return (Touched("arrival", found.id),)
    return (
        Touched("arrival", found.id),
        Touched("case", found.about),
        Touched("referral", found.referral),
    )


def _box_of(one: Arrival, now: int) -> Box | None:
    if one.is_over(now):
        return None
    if one.is_open:
        return Box.WAITING
    if one.kind is ArrivalKind.REFERRAL and one.state in arrivals.ACCEPTED:
        return Box.ACCEPTED
    return Box.RECALLED if one.is_recalled(now) else None


def _find(tx: KeyringTransaction, arrival_id: UUID) -> Arrival | None:
    try:
        return arrivals.find(tx, arrival_id)
    except NotFound:
        return None
