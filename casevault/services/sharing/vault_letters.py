"""Referrals to the vault of a partner: asked first without anybody in it, then sealed and sent.

The case says that a letter has left before there is a letter: what was cut off in between shows as
undelivered and is sent again. Delivering, asking and recalling is `services.sharing.exchange`'s.
Must never send other bytes than the survivor agreed to, nor name anybody in a question.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.sharing import referral
from casevault.domain.sharing.exchanging import LETTER_DAYS, Message, Saying
from casevault.domain.sharing.partners import Partner, Pinned
from casevault.domain.sharing.referral import ReferralState, stage_of
from casevault.domain.staff.access import Permission
from casevault.errors import Conflict
from casevault.ids import new_id
from casevault.store.case.records import kept
from casevault.store.casework import rekeying
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.keys import partners
from casevault.store.log.ledger import FAILED, Act, Touched
from casevault.store.sharing import envelopes, exchanges, leaving, parcels, sending
from casevault.store.sharing.exchanges import MARK, Sent
from casevault.store.sharing.leaving import COMPARTMENTS, PARTNER, Sender
from casevault.store.sharing.referral_ends import DIGEST

_KIND = DocumentKind.REFERRAL
_NARRATIVE = Compartment.NARRATIVE.value
_SECONDS = LETTER_DAYS * 86_400
_BEFORE = (ReferralState.DRAFT, ReferralState.CONSENTED)


class _Ready(NamedTuple):
    """What is about to be sealed: to whom, under which name, which bytes (none: a question)."""

    partner: Partner
    pinned: Pinned
    record: Record
    packed: bytes | None
    # The version in which the case says that this letter leaves.
    version: int


class VaultLetters:
    """The use cases of whoever writes to the vault of a partner."""

    def __init__(self, stores: Stores, gate: Gate, sender: Sender, *, needs_approval: bool) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)
        self._sender = sender
        self._approved = needs_approval

    def ask_first(self, caller: Caller, case_id: UUID, row: UUID) -> Sent:
        """Make the question whether a partner could help: which help, how soon, nobody's data.

        :raises Conflict: it was sent already, or nobody has pinned a vault of this partner.
        """
        return rekeying.tried_twice(lambda: self._ask_first(caller, case_id, row))

    def _ask_first(self, caller: Caller, case_id: UUID, row: UUID) -> Sent:
        def work(change: Change) -> tuple[_Ready, Done]:
            record = kept(change.document(_NARRATIVE, _KIND.value, row)).record
            if stage_of(record) not in _BEFORE:
                raise Conflict(
                    "The referral cannot go there from here.", code="referral.transition"
                )
            ready = _Ready(*self._recipient(record), record, None, sending.version_of(change))
            touched = (Touched(_KIND.value, row), Touched("partner", ready.partner.id))
            fields = ("referral.service", "referral.urgency")
            return ready, Done("exchange.question", fields, touched)

        ready = self._desk.change(caller, case_id, Permission.CASE_REFER, [_NARRATIVE], work)
        return self._kept(caller, case_id, row, new_id(), ready)

    def send(self, caller: Caller, case_id: UUID, row: UUID) -> Sent:
        """Make the letter that a partner's vault is to get, of what was agreed to.

        :raises Conflict: it was not agreed to, not approved, would be other bytes by now, or nobody
            has pinned a vault of this partner.
        """
        return rekeying.tried_twice(lambda: self._send(caller, case_id, row))

    def _send(self, caller: Caller, case_id: UUID, row: UUID) -> Sent:
        def work(change: Change) -> tuple[tuple[_Ready, UUID], Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            record = found.record
            partner, pinned = self._recipient(record)
            is_new = not self._is_unmade(record)
            if is_new:
                sending.require_sendable(record, approved=not self._approved)
            digest = record.marks[DIGEST]
            out = sending.allowed(self._stores, self._sender, change, record, digest)
            sending.require_no_files(out)
            if is_new:
                record = self._sent(record)
                change.amend(_NARRATIVE, row, record.encode(), found.version)
            ready = _Ready(partner, pinned, record, out.packed, sending.version_of(change))
            touched = (Touched(_KIND.value, row), Touched("partner", partner.id))
            letter = leaving.named(record, MARK) or new_id()
            done = Done("referral.send", out.found.names, touched, out.found.answer.rule)
            return (ready, letter), done

        ready, letter = self._desk.change(
            caller, case_id, Permission.CASE_REFER, COMPARTMENTS, work
        )
        return self._kept(caller, case_id, row, letter, ready)

    def _recipient(self, record: Record) -> tuple[Partner, Pinned]:
        recipient = leaving.recipient_of(record)
        if recipient.mark == PARTNER:
            with self._stores.keyring.reading() as tx:
                found = partners.find(tx, recipient.id)
            if found.key is not None and found.pinned is not None:
                return found, found.pinned
        raise Conflict(
            "Nobody has pinned a vault of this recipient.",
            code="referral.no-vault",
            hint="Compare their card's fingerprint by voice, or send it another way.",
        )

    def _is_unmade(self, record: Record) -> bool:
        """Say whether a letter was cut off between the case, which names it, and its making."""
        letter = leaving.named(record, MARK)
        if letter is None or stage_of(record) is not ReferralState.SENT:
            return False
        with self._stores.keyring.reading() as tx:
            return not exchanges.is_there(tx, letter)

    def _sent(self, record: Record) -> Record:
        marks = {
            referral.STAGE: ReferralState.SENT.value,
            referral.SENT_ON: self._stores.clock.now().date().isoformat(),
            MARK: str(new_id()),
        }
        return record.marked(**marks)

    def _kept(self, caller: Caller, case_id: UUID, row: UUID, letter: UUID, ready: _Ready) -> Sent:
        stores = self._stores
        try:
            one = self._sealed(caller, case_id, row, letter, ready)
            with sending.while_named(stores, case_id, ready.version) as tx:
                exchanges.add(tx, one)
        except BaseException:
            touched = (Touched("case", case_id), Touched(_KIND.value, row))
            act = Act("referral.send_failed", caller.on_ledger, rule="failed:store")
            stores.ledger.record(replace(act, outcome=FAILED, touched=touched))
            raise
        return one

    def _sealed(
        self, caller: Caller, case_id: UUID, row: UUID, letter: UUID, ready: _Ready
    ) -> Sent:
        stores, now = self._stores, self._stores.now()
        partner, until = ready.partner, now + _SECONDS
        message = self._message(ready, until)
        with stores.keyring.reading() as tx:
            own = envelopes.organisation(tx)
        to = partners.public_keys(partner.key or b"")
        sealed = envelopes.seal(own, to, message, (letter, now, until))
        return Sent(
            id=letter,
            case=case_id,
            referral=row,
            partner=partner.id,
            sender=caller.staff,
            saying=message.saying,
            reference=message.reference,
            at=now,
            expires_at=until,
            digest=hashlib.sha256(sealed).digest(),
            message=sealed,
        )

    def _message(self, ready: _Ready, until: int) -> Message:
        reference = ready.record.marks[leaving.REFERENCE]
        if ready.packed is None:
            content = ready.record.current.content
            return Message(
                Saying.QUESTION,
                reference,
                to=partners.public_keys(ready.pinned.team_key).key_id,
                service=content["service"],
                urgency=content["urgency"],
            )
        name = self._sender.name
        sealed = parcels.for_vault(self._stores, name, ready.pinned, ready.packed, until)
        return Message(Saying.LETTER, reference, sealed=sealed)
