"""From a hit to help: asking for a case that a search named, and deciding about it.

Whoever holds the case decides; what they give ends at a date and is never more, nor longer, than
they hold themselves. Must never tell whether a case of another team exists.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto.sealing import Key
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, FieldError, Invalid, NotFound, Refused, Tampered
from casevault.ids import NO_TEAM, TeamId, new_id, parse_reference
from casevault.store.case import cases
from casevault.store.case.held_case import HeldCase
from casevault.store.casework import access_requests, breaking, caseload, handing, holding, rekeying
from casevault.store.casework.access_requests import ANSWER, REASON, AccessRequest, RequestState
from casevault.store.casework.held import Desk
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, principals
from casevault.store.keys.grants import Grantee, Object
from casevault.store.log.ledger import Act, Touched

MAX_DAYS = 92
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Listed:
    """A request as somebody sees it; a text that is not for them, or does not open, is None."""

    request: AccessRequest
    reference: str | None
    reason: str | None = field(repr=False)
    answer: str | None = field(repr=False)
    mine: bool


class AccessRequests:
    """The use cases of asking for a case."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    def ask(
        self, caller: Caller, reference: str, reason: str, compartments: Iterable[str], until: int
    ) -> AccessRequest:
        """Ask the holders of a case of the own team; the reason is sealed to them."""
        stores, now = self._stores, self._stores.now()
        team = min(caller.actor.teams, default=NO_TEAM)
        self._gate.require(caller, Permission.ACCESS_ASK, Subject("access-request", team=team))
        case = self._case(caller, reference)
        _check_until(until, now)
        names = tuple(sorted(set(compartments)))
        with self._desk.recording_failure(caller, case.id), stores.keyring.reading() as tx:
            held = caller.keys.open(tx, Object(ObjectKind.CASE, case.id, case.team))
            self._check_new(tx, caller, case, is_held=set(names) <= held.keys())
        request = AccessRequest(
            new_id(), case.id, case.team, caller.staff, names, until, now, reason=b""
        )
        act = _act("access.ask", caller, request, "permit:team")
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            people.alone(tx, caller.staff)
            holding.require_there(tx, case.id)
            self._check_new(tx, caller, case, is_held=False)
            readers = self._holders(tx, case)
            text = access_requests.write(tx, caller, request, REASON, reason, readers, now)
            kept = replace(request, reason=text)
            access_requests.add(tx, kept)
        return kept

    def list_(self, caller: Caller) -> list[Listed]:
        """Return the caller's own requests, and those that wait for who holds the case."""
        stores = self._stores
        self._gate.require(caller, Permission.ACCESS_LIST, Subject("access-request"))
        with stores.keyring.reading() as tx:
            reach, now = caseload.reach(tx, caller), stores.now()
            shown = [
                one
                for one in access_requests.all_(tx, now)
                if one.asker == caller.staff or (one.waits(now) and one.case in reach)
            ]
            texts = {
                one.id: (_text(tx, caller, one, REASON), _text(tx, caller, one, ANSWER))
                for one in shown
            }
        with stores.data.reading() as connection:
            rows = cases.find_cases(connection, stores.roots, [one.case for one in shown])
        touched = tuple(Touched("access-request", one.id) for one in shown)
        stores.ledger.record(
            Act(
                "access.list",
                caller.on_ledger,
                rule="permit:role",
                touched=touched,
                count=len(shown),
            )
        )
        return [
            Listed(
                one,
                None if (row := rows.get(one.case)) is None else row.reference,
                *texts[one.id],
                mine=one.asker == caller.staff,
            )
            for one in shown
        ]

    def decide(self, caller: Caller, request_id: UUID, grant: bool, answer: str) -> AccessRequest:
        """Grant or decline, with a reason that who asked can read."""
        return rekeying.tried_twice(lambda: self._decide(caller, request_id, grant, answer))

    def _decide(self, caller: Caller, request_id: UUID, grant: bool, answer: str) -> AccessRequest:
        stores, touched = self._stores, (Touched("access-request", request_id),)
        request = self._waiting(caller, request_id)
        subject = Subject(
            "case",
            TeamId(request.team),
            holds_grant=True,
            self_act=request.asker == caller.staff,
        )
        self._gate.require(caller, Permission.ACCESS_DECIDE, subject, touched)
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, request.case, Permission.ACCESS_DECIDE)
        if not grant:
            act = _act("access.decline", caller, request, "permit:caseload")
            with stores.ledger.giving(act), stores.keyring.writing() as tx:
                return self._answer(tx, caller, request, RequestState.DECLINED, answer)
        return self._grant(caller, request, held, answer)

    def _grant(
        self, caller: Caller, request: AccessRequest, held: HeldCase, answer: str
    ) -> AccessRequest:
        stores, now = self._stores, self._stores.now()
        with self._desk.recording_failure(caller, request.case):
            keys = _passed_on(held, request)
        breaking.check_not_refused(self._desk, stores, caller, held, request.asker)
        with self._desk.recording_failure(caller, request.case), stores.keyring.reading() as tx:
            receiver = handing.member(stores, tx, held.case.team, request.asker)
        act = _act("access.grant", caller, request, "permit:caseload")
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            rekeying.check_newest(tx, held)
            done = self._answer(tx, caller, request, RequestState.GRANTED, answer)
            grants.give(
                tx,
                held.target,
                keys,
                caller.keys.granter,
                [(receiver, frozenset(keys))],
                purpose="access-request",
                issued_at=now,
                expires_at=request.until,
            )
        return done

    def _answer(
        self,
        tx: KeyringTransaction,
        caller: Caller,
        request: AccessRequest,
        to: RequestState,
        text: str,
    ) -> AccessRequest:
        now = self._stores.now()
        present = access_requests.find(tx, request.id, lock=True)
        if not present.waits(now):
            raise _decided()
        asker = Grantee(request.asker, self._stores.trust.public_keys(tx, request.asker))
        sealed = access_requests.write(tx, caller, present, ANSWER, text, [asker], now)
        done = replace(present, state=to, decider=caller.staff, decided_at=now, answer=sealed)
        access_requests.change(tx, done)
        return done

    def _waiting(self, caller: Caller, request_id: UUID) -> AccessRequest:
        """Return a request that the caller may know of: their own, or for a case they hold."""
        stores, touched = self._stores, (Touched("access-request", request_id),)
        with stores.keyring.reading() as tx:
            reach = caseload.reach(tx, caller)
            known = {one.id: one for one in access_requests.all_(tx, stores.now())}
        found = known.get(request_id)
        if found is None or (found.asker != caller.staff and found.case not in reach):
            self._gate.require(
                caller, Permission.ACCESS_DECIDE, Subject("access-request"), touched, hide=True
            )
            raise NotFound()
        if not found.waits(stores.now()):
            self._gate.deny(caller, Permission.ACCESS_DECIDE, "refused:access.decided", touched)
            raise _decided()
        return found

    def _case(self, caller: Caller, text: str) -> CaseMetadata:
        stores, reference = self._stores, parse_reference(text)
        with stores.data.reading() as connection:
            wanted = None if reference is None else cases.id_of_reference(connection, reference)
            found = None if wanted is None else cases.find_case(connection, stores.roots, wanted)
        if found is None or found.team not in caller.actor.teams:
            # Another team's case looks like one that is not.
            self._gate.deny(caller, Permission.ACCESS_ASK, "deny:other-team")
            raise NotFound()
        return found

    def _check_new(
        self, tx: KeyringTransaction, caller: Caller, case: CaseMetadata, *, is_held: bool
    ) -> None:
        if is_held:
            raise Conflict("You can open this case already.", code="access.held")
        now = self._stores.now()
        for one in access_requests.all_(tx, now):
            if (one.case, one.asker) == (case.id, caller.staff) and one.waits(now):
                raise Conflict("You have asked for this case already.", code="access.asked")

    def _holders(self, tx: KeyringTransaction, case: CaseMetadata) -> list[Grantee]:
        """Return who is to read the reason: the team's supervisors, and who holds the case."""
        trust = self._stores.trust
        found = trust.groups(tx, PrincipalKind.OVERSIGHT, case.team)
        holders = principals.principals(tx, sorted(grants.holders_of(tx, case.id)))
        for row in holders:
            public = trust.standing(tx, row.id, case.team)
            if row.kind is PrincipalKind.STAFF and public is not None:
                found.append(Grantee(row.id, public))
        return found


def _passed_on(held: HeldCase, request: AccessRequest) -> dict[str, Key]:
    """Return the keys that were asked for, if the caller may pass them on for so long."""
    found = {}
    for name in request.compartments:
        found[name] = held.newest_key(name)
        opened = held.keys[name]
        ends = opened.expires_at
        if opened.purpose == grants.BREAK_GLASS or (ends is not None and ends < request.until):
            raise Refused(
                "You do not hold this for so long yourself.",
                code="access.shorter",
                hint="A supervisor of the team can decide it.",
            )
    return found


def _check_until(until: int, now: int) -> None:
    if not now < until <= now + MAX_DAYS * _DAY:
        raise Invalid(
            "Choose an end in the next 92 days.",
            code="access.until",
            errors=(FieldError("/until", "access.until"),),
        )


def _text(tx: KeyringTransaction, caller: Caller, request: AccessRequest, part: str) -> str | None:
    try:
        return access_requests.read(tx, caller, request, part)
    except Tampered:
        return None


def _decided() -> Conflict:
    return Conflict("This was decided already.", code="access.decided")


def _act(code: str, caller: Caller, request: AccessRequest, rule: str) -> Act:
    return Act(
        code,
        caller.on_ledger,
        rule=rule,
        purpose="treatment",
        touched=(
            Touched("case", request.case),
            Touched("access-request", request.id),
            Touched("staff", request.asker),
        ),
        fields=request.compartments,
    )
