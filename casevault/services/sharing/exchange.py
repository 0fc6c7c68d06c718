"""Letters to other vaults: delivered, asked about, recalled; and what is heard of them.

The log knows of every message before a byte leaves. Only a receipt that the pinned key signed, for
this very message, says that something was delivered or answered; until it is here the same bytes
are sent again. A refusal from there bears no signature: it is shown and settles nothing. Must never
connect anywhere but to what a partner's entry pins at that moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from casevault.config import Settings
from casevault.crypto.exchange_cards import Card
from casevault.crypto.principals import PublicKeys
from casevault.domain.sharing.exchanging import Address, Message, Saying, Standing
from casevault.domain.sharing.partners import Partner, Pinned
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import CaseVaultError, Conflict, Invalid, NotFound, Refused, Tampered
from casevault.ids import new_id
from casevault.store.case import cases
from casevault.store.casework import objecting
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import partners, people, principals
from casevault.store.keys.partners import public_keys
from casevault.store.log.ledger import FAILED, SERVICE, Act, Touched
from casevault.store.sharing import envelopes, exchanges, hearing
from casevault.store.sharing.courier import Courier
from casevault.store.sharing.envelopes import Opened
from casevault.store.sharing.exchanges import Sent

_HOUR = 3600
_CODES = {Saying.ASK: "exchange.ask", Saying.RECALL: "exchange.recall"}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a round did: messages answered, those that were not, and what was new in answers."""

    answered: int
    failed: int
    news: int


class Exchange:
    """The use cases of whoever sends. `name` and `address` are what our card says of us."""

    def __init__(
        self, stores: Stores, gate: Gate, courier: Courier, name: str, address: str
    ) -> None:
        self._stores = stores
        self._gate = gate
        self._courier = courier
        self._name = name
        self._address = address

    @classmethod
    def of(cls, stores: Stores, gate: Gate, settings: Settings) -> Exchange:
        """Return what talks to the vaults of partners, as the configuration says."""
        courier = Courier(settings.exchange_authorities, settings.exchange_plain_loopback)
        return cls(stores, gate, courier, settings.organisation_name, settings.exchange_address)

    # --- who is whom -----------------------------------------------------------------------------

    def card(self, caller: Caller, team: str) -> tuple[str, str]:
        """Return the card of a team, and the organisation's fingerprint to read out.

        :raises Conflict: the configuration says nowhere where this vault answers.
        """
        self._gate.require(caller, Permission.PARTNER_READ, Subject("partner"))
        if not self._address:
            raise Conflict(
                "This vault has no address for others.",
                code="exchange.no-address",
                hint="Set exchange_address in the configuration file.",
            )
        stores = self._stores
        with stores.keyring.reading() as tx:
            own = envelopes.organisation(tx)
            card = Card(
                organisation=self._name,
                address=str(Address.of(self._address)),
                team=team,
                keys=own.public,
                team_keys=self._team_keys(tx, team),
                made_at=stores.now(),
            )
        stores.ledger.record(Act("exchange.card", caller.on_ledger, rule="permit:role"))
        return card.sign(own), own.public.fingerprint

    def pin(
        self, caller: Caller, partner: UUID, card: str, fingerprint: str, version: int
    ) -> Partner:
        """Keep where a partner's vault is, if this is the fingerprint that the partner read out.

        :raises Refused: it is another one, or the vault answers without TLS.
        :raises Invalid: the card was changed.
        """
        self._gate.require(caller, Permission.PARTNER_KEY, Subject("partner"))
        touched = (Touched("partner", partner),)
        try:
            read = Card.read(card)
        except Tampered:
            raise Invalid(
                "This card was cut off or changed on its way. Ask for it again.",
                code="exchange.card",
            ) from None
        if "".join(fingerprint.lower().split()) != "".join(read.keys.fingerprint.split()):
            self._gate.deny(caller, Permission.PARTNER_KEY, "deny:fingerprint", touched)
            raise Refused(
                "This is not the fingerprint of these keys. Ask the partner to read out theirs.",
                code="partner.fingerprint",
            )
        self._courier.require_may(Address.of(read.address))
        pinned = Pinned(str(Address.of(read.address)), read.team, b"".join(read.team_keys.parts))
        act = Act("partner.key", caller.on_ledger, rule="permit:role", touched=touched)
        stores = self._stores
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            found = replace(
                partners.find(tx, partner, version),
                version=version + 1,
                key=b"".join(read.keys.parts),
                key_checked_by=caller.staff,
                pinned=pinned,
            )
            partners.change(tx, found)
        return found

    # --- sending ---------------------------------------------------------------------------------

    def deliver(self, letter: UUID) -> Sent:
        """Try to deliver a letter; return it as it stands then: `fault` says what came of it."""
        with self._stores.keyring.reading() as tx:
            one = exchanges.sent(tx, letter)
        self._one_round([one])
        with self._stores.keyring.reading() as tx:
            return exchanges.sent(tx, letter)

    def tell(self, letter: UUID) -> Sent | None:
        """Tell of a recall at once, if that can be done; a round does it otherwise."""
        try:
            return self.deliver(letter)
        except NotFound:
            # It was cut off before it was made.
            return None

    def run(self) -> Ran:
        """Deliver what waits, ask about what is open, tell of recalls; for a timer."""
        with self._stores.keyring.reading() as tx:
            found = exchanges.live(tx, self._stores.now())
        return self._one_round(found)

    def _one_round(self, letters: Iterable[Sent]) -> Ran:
        answered, failed, news = 0, 0, 0
        for one in letters:
            try:
                news += self._asked(one.id)
                answered += 1
            except Tampered:
                # Ours, not theirs: somebody changed a row.
                raise
            except CaseVaultError as error:
                failed += 1
                self._note(one, error.code)
        return Ran(answered, failed, news)

    def _asked(self, letter: UUID) -> bool:
        """Send what is to be sent about a letter, take the receipt in; say whether it says news."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            # As it is now: a round may take minutes, and what was called back in them stays here.
            one = exchanges.sent(tx, letter)
            if one.message is not None and objecting.stops_leaving(tx, one.case):
                raise Conflict("Nothing of this case leaves at present.", code="exchange.paused")
            partner, pinned = self._pinned(tx, one)
            saying, message_id, sealed = self._message(tx, one, partner)
        touched = (
            Touched("case", one.case),
            Touched("referral", one.referral),
            Touched("partner", partner.id),
        )
        code = _CODES.get(saying, "exchange.send")
        stores.ledger.record(
            Act(code, SERVICE, rule="permit:service", purpose="treatment", touched=touched)
        )
        try:
            answer = self._courier.carry(Address.of(pinned.address), sealed)
            receipt = self._receipt(partner, one, message_id, sealed, answer)
        except CaseVaultError as error:
            failed = Act(code, SERVICE, rule="failed:" + error.code, outcome=FAILED)
            stores.ledger.record(replace(failed, purpose="treatment", touched=touched))
            raise
        return self._take_in(one, partner, receipt)

    def _message(
        self, tx: KeyringTransaction, one: Sent, partner: Partner
    ) -> tuple[Saying, UUID, bytes]:
        if one.message is not None:
            return one.saying, one.id, one.message
        saying = Saying.RECALL if one.recalled else Saying.ASK
        now, fresh = self._stores.now(), new_id()
        message = Message(saying, one.reference, one.id)
        own, to = envelopes.organisation(tx), public_keys(partner.key or b"")
        sealed = envelopes.seal(own, to, message, (fresh, now, now + _HOUR))
        return saying, fresh, sealed

    def _receipt(
        self, partner: Partner, one: Sent, message: UUID, sealed: bytes, answer: bytes
    ) -> Message:
        """Return a receipt that the pinned key signed for exactly what was sent now."""
        with self._stores.keyring.reading() as tx:
            own = envelopes.organisation(tx)
        found: Opened = envelopes.opened(own, answer, self._stores.now())
        receipt = found.message
        same = (
            found.signer == public_keys(partner.key or b"")
            and receipt.saying is Saying.RECEIPT
            and receipt.about == message
            and receipt.reference == one.reference
            and receipt.digest == hashlib.sha256(sealed).digest()
        )
        if not same:
            raise Invalid("This is no receipt for what was sent.", code="exchange.receipt")
        return receipt

    def _take_in(self, one: Sent, partner: Partner, receipt: Message) -> bool:
        stores = self._stores
        with stores.data.reading() as connection:
            case = cases.find_case(connection, stores.roots, one.case)
        if case is None:
            raise NotFound()
        with stores.keyring.writing() as tx:
            present = exchanges.sent(tx, one.id, lock=True)
            if present.turn > one.turn:
                # Another round heard more while this one was on its way.
                exchanges.change(tx, replace(present, message=None))
                return False
            news = receipt.turn > present.turn and receipt.standing is not Standing.UNKNOWN
            if news and receipt.sealed:
                signer = public_keys(partner.key or b"")
                hearing.take_words(stores, tx, present, case.team, signer, receipt.sealed)
            exchanges.change(tx, present.heard(receipt, stores.now()))
        return news

    def _note(self, one: Sent, code: str) -> None:
        with self._stores.keyring.writing() as tx:
            try:
                present = exchanges.sent(tx, one.id, lock=True)
            except NotFound:
                # Its case was erased meanwhile.
                return
            exchanges.change(tx, replace(present, fault=code))

    @staticmethod
    def _pinned(tx: KeyringTransaction, one: Sent) -> tuple[Partner, Pinned]:
        try:
            found = partners.find(tx, one.partner)
        except NotFound:
            raise _not_pinned() from None
        if found.pinned is None or found.key is None:
            raise _not_pinned()
        return found, found.pinned

    def _team_keys(self, tx: KeyringTransaction, team: str) -> PublicKeys:
        wanted = [one for one, called in people.teams(tx).items() if called == team]
        for one in wanted:
            for group in principals.groups(tx, PrincipalKind.INTAKE, one):
                scopes = self._stores.trust.scopes(tx, group.id)
                # What nobody vouches for today is nobody's address.
                if any(scope.team == one for scope in scopes):
                    return group.public
        raise NotFound("There is no team with this name.", code="transfer.team")


def _not_pinned() -> Conflict:
    return Conflict(
        "It is not (any more) written down where the vault of this partner is.",
        code="exchange.not-pinned",
    )
