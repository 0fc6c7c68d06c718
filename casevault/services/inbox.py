"""What comes in for a team: submitted by referrers and other teams, taken over, merged, declined.

Whoever submits gets a receipt and reads nothing back: it is sealed for the team's intake group, so
that is a fact of keys. Taking over and merging write into a case first, under its keys, and only
then is the arrival gone. Must never keep what nobody claims beyond its date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from casevault.domain import dictionary
from casevault.domain.access import Permission, Subject
from casevault.domain.arriving import A_DAY, MOST_WAITING, Declined, Intake
from casevault.domain.casefile import DocumentKind
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
from casevault.store import arrivals, people, unpacking
from casevault.store.arrivals import Arrival, ArrivalKind, ArrivalState
from casevault.store.caller import Caller, Gate
from casevault.store.keyring import KeyringTransaction
from casevault.store.ledger import REFUSED, Act, Touched
from casevault.store.stores import Stores

_DAY = 86_400
_CODES = {ArrivalState.TAKEN: "intake.take", ArrivalState.MERGED: "intake.merge"}


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
        intake = Intake(*self._checked(identity, profile), words)
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
        teams = sorted(caller.actor.teams) or [TeamId(UUID(int=0))]
        self._gate.require(caller, Permission.INBOX_DECIDE, Subject("inbox", teams[0]))
        try:
            with stores.keyring.reading() as tx:
                team, package = unpacking.opened(tx, caller, sealed)
                unpacking.require_new(tx, package.statement, now)
                sender, signed = unpacking.signer_of(tx, package.statement)
                waiting = sum(one.is_waiting(now) for one in arrivals.about(tx, [team]))
            found = Intake.of_package(package.statement.kind, package.files)
            identity, profile = self._checked(found.identity, found.profile)
            letter = _letter(found.letter) | {"from": sender, "signed": signed}
            _check_words({**letter, "words": found.words})
        except (Invalid, Conflict, Refused) as error:
            act = self._act(caller, "intake.unpack", ())
            stores.ledger.record(replace(act, rule="refused:" + error.code, outcome=REFUSED))
            raise
        if waiting >= MOST_WAITING:
            raise Busy("Too much was sent today. Call the team instead.", code="intake.limited")
        intake = Intake(identity, profile, found.words, letter)
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

    def list_(self, caller: Caller) -> list[Arrival]:
        """Return what waits for the teams that the caller supervises, oldest first."""
        teams = sorted(caller.actor.teams)
        for team in teams or [TeamId(UUID(int=0))]:
            self._gate.require(caller, Permission.INBOX_LIST, Subject("inbox", team))
        with self._stores.keyring.reading() as tx:
            known = arrivals.about(tx, teams)
        found = [one for one in known if one.is_waiting(self._stores.now())]
        touched = tuple(Touched("arrival", one.id) for one in found[:MOST_WAITING])
        self._record(caller, "intake.list", touched, count=len(found))
        return found

    def read(
        self, caller: Caller, arrival_id: UUID, permission: Permission = Permission.INBOX_LIST
    ) -> Opened:
        """Return what came in, to somebody of the team's intake group."""
        touched = (Touched("arrival", arrival_id),)
        with self._stores.keyring.reading() as tx:
            found = _found(tx, arrival_id)
            team = TeamId(UUID(int=0) if found is None else found.team)
        self._gate.require(caller, permission, Subject("inbox", team), touched, hide=True)
        if found is None or not found.is_waiting(self._stores.now()):
            raise NotFound()
        with self._stores.keyring.reading() as tx:
            content = arrivals.read(tx, caller, found)
        if content is None:
            raise KeyUnavailable()
        self._record(caller, "intake.read", touched)
        return Opened(found, Intake.decode(content))

    def decline(self, caller: Caller, arrival_id: UUID, reason: Declined) -> None:
        """Take it out of the inbox; what it said is erased, the reason is a code."""
        found = self.read(caller, arrival_id, Permission.INBOX_DECIDE).arrival
        touched = (Touched("arrival", arrival_id),)
        act = self._act(caller, "intake.decline", touched)
        act = replace(act, filters=(reason.value,))
        with self._stores.ledger.giving(act):
            self._settle(found, ArrivalState.DECLINED, reason.value)

    def claim(self, caller: Caller, arrival_id: UUID) -> Opened:
        """Return what is about to be written into a case; it stays until `claimed`."""
        return self.read(caller, arrival_id, Permission.INBOX_DECIDE)

    def claimed(self, caller: Caller, opened: Opened, state: ArrivalState, case: UUID) -> None:
        """Note that it is in a case now, under the case's own keys."""
        touched = (Touched("arrival", opened.arrival.id), Touched("case", case))
        with self._stores.ledger.giving(self._act(caller, _CODES[state], touched)):
            self._settle(opened.arrival, state)

    def _settle(self, found: Arrival, state: ArrivalState, reason: str = "") -> None:
        with self._stores.keyring.writing() as tx:
            present = arrivals.find(tx, found.id, lock=True)
            if present.state is not ArrivalState.WAITING:
                raise Conflict("Somebody was quicker.", code="intake.settled")
            arrivals.settle(tx, present, state, reason)

    def _checked(
        self, identity: Mapping[str, Any], profile: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        faults: list[FieldError] = []
        found = []
        for kind, content in ((DocumentKind.IDENTITY, identity), (DocumentKind.PROFILE, profile)):
            try:
                found.append(self._stores.dictionary.validate(kind, content))
            except Invalid as error:
                faults += [FieldError(f"/{kind.value}{e.pointer}", e.code) for e in error.errors]
        if faults:
            raise Invalid("Some fields cannot be taken as they are.", errors=tuple(faults[:50]))
        return found[0], found[1]

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


def _letter(given: Mapping[str, str]) -> dict[str, str]:
    return {name: str(value) for name, value in given.items()}


def _check_words(texts: Mapping[str, str]) -> None:
    faults = tuple(
        FieldError(f"/{name}", f"field.{fault}")
        for name, text in texts.items()
        if text and (fault := dictionary.words_fault(text, long=name == "words")) is not None
    )
    if faults:
        raise Invalid("Some fields cannot be taken as they are.", errors=faults)


def _found(tx: KeyringTransaction, arrival_id: UUID) -> Arrival | None:
    try:
        return arrivals.find(tx, arrival_id)
    except NotFound:
        return None
