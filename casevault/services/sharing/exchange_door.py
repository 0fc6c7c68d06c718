"""The door for other vaults: a message is checked, what it asks for is done, a receipt goes back.

Nobody signs in here; the signature of a pinned key does. A letter is sealed to a team's intake
group before it came and is sealed once more on receipt: the service cannot read it. The same
message brings the same answer and happens once. Must never say anything to a key that nobody here
has compared, nor connect to anybody.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from casevault.crypto import packages
from casevault.domain.sharing.exchanging import (
    A_DAY,
    ANSWERED,
    Message,
    Saying,
    Standing,
    may_follow,
)
from casevault.domain.sharing.partners import Partner
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import (
    Busy,
    CaseVaultError,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    Tampered,
    Unrecorded,
)
from casevault.ids import NO_TEAM, TeamId, new_id
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import partners, principals
from casevault.store.log.ledger import Act, Actor, Touched
from casevault.store.sharing import arrivals, envelopes, exchanges, hearing, unpacking
from casevault.store.sharing.arrivals import Arrival, ArrivalKind
from casevault.store.sharing.envelopes import Opened
from casevault.store.sharing.exchanges import Received
from casevault.store.staff import intake_groups
from casevault.store.staff.failures import Failures

_DAY, _HOUR = 86_400, 3600


@dataclass(frozen=True, slots=True)
class Come:
    """What came, and what the partner is called now (None: they are in the directory no more)."""

    received: Received
    partner: str | None


class ExchangeDoor:
    """The use cases of whoever receives."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._failures = Failures(stores)

    def receive(self, sealed: bytes, request: str | None = None) -> bytes:
        """Do what a message asks for; return the sealed receipt.

        :raises Invalid: it is damaged, too old, or no message. :raises Refused: nobody pinned its
            signer, or it is sealed to keys of before. :raises Busy: too much came.
        """
        try:
            with self._stores.keyring.reading() as tx:
                own = envelopes.organisation(tx)
                opened = envelopes.opened(own, sealed, self._stores.now())
                partner = envelopes.known(tx, opened.signer)
            standing = self._done(opened, partner, request)
        except (Tampered, Unrecorded):
            raise
        except CaseVaultError as error:
            # Anybody can send anything to this door, as often as they like.
            rule = "refused:" + error.code
            about = hashlib.sha256(sealed).hexdigest()
            self._failures.record("exchange.refuse", rule, about, None, request)
            raise
        return self._receipt(opened, partner, standing)

    def _done(self, opened: Opened, partner: Partner, request: str | None) -> Received | None:
        acts: Mapping[Saying, Callable[[Opened, Partner, str | None], Received | None]] = {
            Saying.QUESTION: self._question,
            Saying.LETTER: self._letter,
            Saying.ASK: self._ask,
            Saying.RECALL: self._recall,
        }
        act = acts.get(opened.message.saying)
        if act is None:
            raise Invalid("This says nothing that a vault asks.", code="exchange.message")
        return act(opened, partner, request)

    # --- what comes in ---------------------------------------------------------------------------

    def _question(self, opened: Opened, partner: Partner, request: str | None) -> Received:
        before = self._before(opened, partner)
        if before is not None:
            self._note_asked(partner, before.id, request)
            return before
        stores = self._stores
        one = _received(opened, partner, self._team_of(opened.message.to), stores.now())
        act = self._act("exchange.receive", partner, one, request)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            exchanges.add(tx, one)
        return one

    def _letter(self, opened: Opened, partner: Partner, request: str | None) -> Received:
        before = self._before(opened, partner)
        if before is not None:
            self._note_asked(partner, before.id, request)
            return before
        stores, now = self._stores, self._stores.now()
        team = self._team_of(_recipient(opened.message.sealed))
        one = _received(opened, partner, team, now)
        arrival = Arrival(
            id=one.id,
            kind=ArrivalKind.INTAKE,
            about=team,
            team=team,
            at=now,
            referral=None,
            sender=None,
            sealed=None,
        )
        content = unpacking.kept_closed(opened.message.sealed, partner.name, opened.signer)
        act = self._act("exchange.receive", partner, one, request)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            arrivals.receive(stores, tx, arrival, content)
            exchanges.add(tx, one)
        return one

    def _ask(self, opened: Opened, partner: Partner, request: str | None) -> Received | None:
        with self._stores.keyring.reading() as tx:
            found = _theirs(tx, opened, partner)
        self._note_asked(partner, opened.message.about if found is None else found.id, request)
        return found

    def _recall(self, opened: Opened, partner: Partner, request: str | None) -> Received | None:
        """Take a letter out of the inbox; one that comes after its recall is not kept."""
        stores, now = self._stores, self._stores.now()
        with stores.keyring.reading() as tx:
            before = _theirs(tx, opened, partner)
            if before is None:
                self._require_few(tx, partner)
        if before is not None and before.standing is Standing.RECALLED:
            self._note_asked(partner, before.id, request)
            return before
        touched = before or Received(
            opened.message.about or new_id(),
            NO_TEAM,
            partner.id,
            Saying.LETTER,
            opened.message.reference,
            now,
            b"",
        )
        act = self._act("exchange.recalled", partner, touched, request)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = _theirs(tx, opened, partner, lock=True)
            after = replace(present or touched, standing=Standing.RECALLED)
            if present is None:
                exchanges.add(tx, after)
            else:
                exchanges.change(tx, after)
                arrivals.recall(tx, present.id)
        return after

    def _before(self, opened: Opened, partner: Partner) -> Received | None:
        """Return what this very message brought before; else there must be room for it."""
        with self._stores.keyring.reading() as tx:
            found = exchanges.received(tx, opened.id)
            if found is None:
                self._require_few(tx, partner)
                return None
        same = found.digest == opened.digest or found.standing is Standing.RECALLED
        if found.partner != partner.id or not same:
            raise Conflict("Something else came under this id.", code="exchange.again")
        return found

    def _require_few(self, tx: KeyringTransaction, partner: Partner) -> None:
        if exchanges.came_from(tx, partner.id, self._stores.now() - _DAY) >= A_DAY:
            raise Busy("Too much was sent today. Call the team instead.", code="exchange.limited")

    def _team_of(self, recipient: bytes) -> UUID:
        """Return the team to whose intake group something is sealed, if there is room for it."""
        stores, now = self._stores, self._stores.now()
        with stores.keyring.reading() as tx:
            teams = [
                group.team
                for group in principals.of_kind(tx, PrincipalKind.INTAKE)
                if group.public.key_id == recipient and group.team is not None
            ]
            if not teams:
                raise Refused(
                    "This is sealed to a key that no team here uses (any more).",
                    code="exchange.team-key",
                    hint="Ask for the card again, and compare the fingerprint.",
                )
            arrivals.require_room(tx, teams[0], now)
        return teams[0]

    def _receipt(self, opened: Opened, partner: Partner, one: Received | None) -> bytes:
        now = self._stores.now()
        message = Message(
            Saying.RECEIPT,
            opened.message.reference,
            opened.id,
            sealed=b"" if one is None else one.words,
            digest=opened.digest,
            standing=Standing.UNKNOWN if one is None else one.standing,
            was_read=one is not None and one.was_read,
            turn=0 if one is None else one.turn,
        )
        to = partners.public_keys(partner.key or b"")
        with self._stores.keyring.reading() as tx:
            own = envelopes.organisation(tx)
        return envelopes.seal(own, to, message, (new_id(), now, now + _HOUR))

    # --- what a team does with it ----------------------------------------------------------------

    def list_(self, caller: Caller) -> list[Come]:
        """Return what came for the teams whose inbox the caller can open, newest first."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            mine = sorted(intake_groups.teams_of(tx, caller))
        for team in mine or sorted(caller.actor.teams) or [NO_TEAM]:
            subject = Subject("inbox", TeamId(team), holds_grant=team in mine)
            self._gate.require(caller, Permission.INBOX_LIST, subject)
        with stores.keyring.reading() as tx:
            found = exchanges.of_teams(tx, mine)
            names = {one.id: one.name for one in partners.all_(tx)}
        act = Act("exchange.list", caller.on_ledger, rule="permit:team", count=len(found))
        stores.ledger.record(act)
        return [Come(one, names.get(one.partner)) for one in found]

    def answer(self, caller: Caller, letter: UUID, answer: Standing, words: str) -> Come:
        """Say whether the team can help; the partner's vault hears it when it asks next.

        :raises Conflict: it was recalled, or said already, or a letter waits in the inbox still.
        """
        stores, touched = self._stores, (Touched("arrival", letter),)
        with stores.keyring.reading() as tx:
            found, mine = exchanges.received(tx, letter), intake_groups.teams_of(tx, caller)
            names = {one.id: one.name for one in partners.all_(tx)}
        team = NO_TEAM if found is None else TeamId(found.team)
        subject = Subject("inbox", team, holds_grant=team in mine)
        self._gate.require(caller, Permission.INBOX_DECIDE, subject, touched, hide=True)
        if found is None:
            raise NotFound()
        act = Act("exchange.answer", caller.on_ledger, rule="permit:team", touched=touched)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = exchanges.received(tx, letter, lock=True) or found
            _require_sayable(present, answer)
            after = hearing.answered(stores, tx, present, answer, words)
        return Come(after, names.get(found.partner))

    def _note_asked(self, partner: Partner, letter: UUID | None, request: str | None) -> None:
        touched = [Touched("partner", partner.id)]
        if letter is not None:
            touched.append(Touched("arrival", letter))
        act = Act("exchange.asked", Actor(request=request), rule="permit:pinned")
        self._stores.ledger.record(replace(act, touched=tuple(touched)))

    @staticmethod
    def _act(code: str, partner: Partner, one: Received, request: str | None) -> Act:
        touched = (Touched("arrival", one.id), Touched("partner", partner.id))
        actor = Actor(request=request)
        return Act(code, actor, rule="permit:pinned", purpose="treatment", touched=touched)


def _require_sayable(one: Received, answer: Standing) -> None:
    if one.saying is Saying.LETTER and one.standing not in ANSWERED | {Standing.RECALLED}:
        raise Conflict(
            "This letter lies in your inbox: take it over or decline it there.",
            code="exchange.in-inbox",
        )
    if answer not in ANSWERED or not may_follow(one.standing, answer):
        raise Conflict("This cannot be said (any more).", code="exchange.answered")


def _recipient(sealed: bytes) -> bytes:
    try:
        return packages.read_outside(io.BytesIO(sealed))[1]
    except Tampered:
        raise Invalid("This message was cut off or changed.", code="exchange.damaged") from None


def _received(opened: Opened, partner: Partner, team: UUID, now: int) -> Received:
    said = opened.message
    return Received(
        opened.id,
        team,
        partner.id,
        said.saying,
        said.reference,
        now,
        opened.digest,
        said.service,
        said.urgency,
    )


def _theirs(
    tx: KeyringTransaction, opened: Opened, partner: Partner, *, lock: bool = False
) -> Received | None:
    """Return what a message is about if this partner sent it, under this reference."""
    about = opened.message.about
    found = None if about is None else exchanges.received(tx, about, lock=lock)
    if found is None:
        return None
    if (found.partner, found.reference) != (partner.id, opened.message.reference):
        raise Conflict("Something else came under this id.", code="exchange.again")
    return found
