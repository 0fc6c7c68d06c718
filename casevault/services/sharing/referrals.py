"""Referrals of a case: written, previewed, agreed to, approved, sent.

What leaves is made three times from what the case holds (`store.sharing.leaving`): for the preview,
when the survivor agrees to it, when it is sent; other bytes than were agreed to are sent to nobody.
No request names a field: categories are ticked, and consent and the service's needs decide. Must
never return a code twice, nor keep it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from casevault.crypto import collecting as locks
from casevault.crypto.credentials import PassphraseKdf
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.sharing import collecting, referral
from casevault.domain.sharing.collecting import Offer
from casevault.domain.sharing.packing import PackageOffer
from casevault.domain.sharing.referral import ReferralState, stage_of
from casevault.domain.staff.access import Permission
from casevault.domain.staff.approvals import ApprovedAct
from casevault.errors import Conflict, NotFound
from casevault.ids import new_id, new_reference
from casevault.store.case import files
from casevault.store.case.records import Kept, kept
from casevault.store.casework import case_approvals, holding
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched
from casevault.store.sharing import collect_pages, leaving, parcels, sending
from casevault.store.sharing.collect_pages import PAGE, CollectPage
from casevault.store.sharing.leaving import COMPARTMENTS, Leaving, Recipient, Sender
from casevault.store.sharing.parcels import Content, Parcel
from casevault.store.sharing.referral_ends import (
    DIGEST,
    GROUNDS,
    LANGUAGE,
    PACKAGE,
    without_agreement,
)

_KIND = DocumentKind.REFERRAL
_NARRATIVE = Compartment.NARRATIVE.value
_S = ReferralState


@dataclass(frozen=True, slots=True)
class Sent:
    """A page that waits: its id, the code to say by phone (never shown again), until when."""

    page: UUID
    code: str = field(repr=False)
    expires_at: int


class Referrals:
    """The use cases of a referral until it has left."""

    def __init__(
        self,
        stores: Stores,
        gate: Gate,
        kdf: PassphraseKdf,
        sender: Sender,
        *,
        needs_approval: bool,
    ) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)
        self._kdf = kdf
        self._sender = sender
        self._approved = needs_approval

    # --- writing ---------------------------------------------------------------------------------

    def draft(
        self,
        caller: Caller,
        case_id: UUID,
        recipient: Recipient,
        content: Mapping[str, Any],
    ) -> UUID:
        """Write a referral to an organisation of the directory or a team; nothing leaves yet."""
        stores = self._stores
        marks = {
            referral.STAGE: _S.DRAFT.value,
            recipient.mark: str(recipient.id),
            # Not the case's: it names this letter, to whoever holds it.
            leaving.REFERENCE: "R" + new_reference().removeprefix("CV"),
        }

        def work(changes: Mapping[UUID, Change]) -> tuple[UUID, Done]:
            checked = self._checked(recipient, content)
            record = Record.new(checked, caller.staff, stores.now(), None, **marks)
            row = changes[case_id].add(_NARRATIVE, _KIND.value, record.encode())
            return row, _done("add", row, _names(checked))

        return self._desk.make(caller, [case_id], Permission.CASE_REFER, [_NARRATIVE], _KIND, work)

    def amend(
        self, caller: Caller, case_id: UUID, row: UUID, content: Mapping[str, Any], version: int
    ) -> int:
        """Write a referral anew before it is sent; what was agreed to is to be agreed to again."""
        now = self._stores.now()

        def work(change: Change) -> tuple[int, Done]:
            found = _found(change, row)
            _require(found.record, _S.DRAFT, _S.CONSENTED)
            checked = self._checked(leaving.recipient_of(found.record), content)
            grown = found.record.corrected(checked, caller.staff, now, "")
            grown = without_agreement(grown).marked(**{referral.STAGE: _S.DRAFT.value})
            change.amend(_NARRATIVE, row, grown.encode(), version)
            return version + 1, _done("amend", row, _names(checked))

        return self._desk.change(caller, case_id, Permission.CASE_REFER, [_NARRATIVE], work)

    # --- leaving ---------------------------------------------------------------------------------

    def preview(self, caller: Caller, case_id: UUID, row: UUID) -> Leaving:
        """Return the bytes that would leave, and why the rest stays; both are on the ledger."""
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_READ)
            with self._desk.recording_failure(caller, case_id):
                read = leaving.reader(held, connection)
                found = [one for one in read(_NARRATIVE, [_KIND.value]) if one.row == row]
                if not found:
                    raise NotFound(code="document")
                record = kept(found[0]).record
                shown = leaving.prepared(self._stores, self._sender, read, record, case_id)
        self._stores.ledger.record(
            Act(
                "referral.preview",
                caller.on_ledger,
                rule=shown.found.answer.rule,
                purpose="treatment",
                touched=(Touched("case", case_id), Touched(_KIND.value, row), *_files(shown)),
                fields=shown.found.names,
            )
        )
        return shown

    def agree(
        self,
        caller: Caller,
        case_id: UUID,
        row: UUID,
        digest: str,
        language: str,
        *,
        ask: bool = False,
    ) -> ReferralState:
        """Note that the survivor agreed to exactly what a preview showed.

        `ask`: a supervisor shall approve it, also where no policy wants that.

        :raises Refused: something was ticked that no consent covers.
        :raises Conflict: it would be other bytes by now.
        """

        def work(change: Change) -> tuple[ReferralState, Done]:
            found = _found(change, row)
            stage = referral.moved(stage_of(found.record), _S.CONSENTED)
            out = self._allowed(change, found.record, digest)
            marks = {
                referral.STAGE: stage.value,
                DIGEST: out.digest,
                LANGUAGE: language,
                GROUNDS: " ".join(sorted(str(one) for one in out.found.answer.grounds)),
            }
            if self._approved or ask:
                marks |= case_approvals.asked(
                    self._stores, caller, change.case, ApprovedAct.CASE_REFER, _signed(out.digest)
                )
            marked = without_agreement(found.record).marked(**marks)
            change.amend(_NARRATIVE, row, marked.encode(), found.version)
            return stage, _done("agree", row, out.found.names, out.found.answer.rule)

        return self._desk.change(caller, case_id, Permission.CASE_REFER, COMPARTMENTS, work)

    def decide(
        self, caller: Caller, case_id: UUID, row: UUID, *, approve: bool, reason: str | None
    ) -> str:
        """Approve or decline what somebody else is about to send; return its state."""
        desk = self._desk
        desk.require_not_own(caller, case_id, Permission.CASE_DECIDE, _NARRATIVE, row)

        def work(change: Change) -> tuple[str, Done]:
            found = _found(change, row)
            _require(found.record, _S.CONSENTED)
            decided = case_approvals.decided(
                self._stores,
                caller,
                change.case,
                found.record,
                ApprovedAct.CASE_REFER,
                _signed(found.record.marks.get(DIGEST, "")),
                approve=approve,
                reason=reason,
            )
            change.amend(_NARRATIVE, row, decided.encode(), found.version)
            act = "approve" if approve else "decline"
            return decided.marks["state"], _done(act, row, (), "permit:approval")

        return desk.change(caller, case_id, Permission.CASE_DECIDE, [_NARRATIVE], work)

    def send(self, caller: Caller, case_id: UUID, row: UUID, offer: Offer) -> Sent:
        """Put what was agreed to behind a link; return the code, which nobody can show again.

        :raises Conflict: it was not agreed to, not approved, or would be other bytes by now.
        """
        offer.check()
        code, page_id = locks.new_code(collecting.CODE_DIGITS), new_id()
        # Slow on purpose, so before anything is locked; what is sealed is looked at again below.
        shown = self.preview(caller, case_id, row)
        sending.require_no_files(shown)
        place = collect_pages.place(self._stores.organisation, page_id)
        with self._kdf.queued(reserved=True):
            lock, sealed = locks.close(self._kdf, place, code, shown.packed)
        expires_at = self._stores.now() + offer.days * collecting.DAY_SECONDS
        page = CollectPage(
            id=page_id,
            case=case_id,
            referral=row,
            sender=caller.staff,
            language=offer.language,
            fields=shown.found.names,
            expires_at=expires_at,
            openings=offer.openings,
            tries=collecting.TRIES,
            lock=lock,
            sealed=sealed,
        )

        def work(change: Change) -> tuple[Sent, Done]:
            found = self._sendable(change, row, shown)
            with self._stores.keyring.writing() as tx:
                holding.require_there(tx, case_id)
                # Keys first: until the case says so, nobody has the code.
                collect_pages.add(tx, page)
            marks = {
                referral.STAGE: _S.SENT.value,
                referral.SENT_ON: self._today(),
                PAGE: str(page_id),
            }
            change.amend(_NARRATIVE, row, found.record.marked(**marks).encode(), found.version)
            done = _done("send", row, shown.found.names, shown.found.answer.rule)
            return Sent(page_id, code, expires_at), done

        return self._desk.change(caller, case_id, Permission.CASE_REFER, COMPARTMENTS, work)

    def hand_over(self, caller: Caller, case_id: UUID, row: UUID) -> bytes:
        """Note that a letter is given on paper, to a lawyer or an authority; return its bytes.

        :raises Conflict: as `send`.
        """
        shown = self.preview(caller, case_id, row)

        def work(change: Change) -> tuple[bytes, Done]:
            found = self._sendable(change, row, shown)
            marks = {
                referral.STAGE: _S.RECEIVED.value,
                referral.SENT_ON: self._today(),
                referral.ON_PAPER: "yes",
            }
            change.amend(_NARRATIVE, row, found.record.marked(**marks).encode(), found.version)
            return shown.packed, _left(row, shown)

        return self._desk.change(caller, case_id, Permission.CASE_REFER, COMPARTMENTS, work)

    def pack(self, caller: Caller, case_id: UUID, row: UUID, offer: PackageOffer) -> Parcel:
        """Seal what was agreed to into a package, which is kept nowhere: hand it over now.

        :raises Conflict: as `send`; or nobody has compared a key with the recipient.
        """
        # All that is slow before anything is locked.
        shown = self.preview(caller, case_id, row)
        name, content = self._sender.name, self._content(caller, case_id, shown)
        ready = None
        if not offer.to_key:
            with self._kdf.queued(reserved=True):
                ready = parcels.under_words(self._stores, name, content, offer)

        def work(change: Change) -> tuple[Parcel, Done]:
            found = self._sendable(change, row, shown)
            partner = leaving.named(found.record, leaving.PARTNER)
            parcel = ready or parcels.to_partner(self._stores, name, partner, content, offer)
            marks = {
                referral.STAGE: _S.SENT.value,
                referral.SENT_ON: self._today(),
                PACKAGE: str(parcel.id),
            }
            change.amend(_NARRATIVE, row, found.record.marked(**marks).encode(), found.version)
            return parcel, _left(row, shown)

        return self._desk.change(caller, case_id, Permission.CASE_REFER, COMPARTMENTS, work)

    def _content(self, caller: Caller, case_id: UUID, shown: Leaving) -> Content:
        """Return a letter with its files, each exactly the one that the letter names."""
        wanted = {one.row: one.digest for one in shown.found.files}
        if not wanted:
            return Content(shown.packed)
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_REFER)
            with self._desk.recording_failure(caller, case_id):
                known = [one for one in files.of_case(held, connection) if one.row in wanted]
        with self._desk.recording_failure(caller, case_id):
            read = [files.packed(stores.data, one, wanted[one.row]) for one in known]
        return Content(shown.packed, tuple(sorted(read, key=lambda one: one.name)))

    def _sendable(self, change: Change, row: UUID, shown: Leaving) -> Kept:
        found = _found(change, row)
        # A team of our own has an inbox: nothing for it is put behind a link or on a disk.
        leaving.require_partner(found.record)
        sending.require_sendable(found.record, approved=not self._approved)
        self._allowed(change, found.record, found.record.marks[DIGEST])
        sending.require_same(shown.digest, found.record.marks[DIGEST])
        return found

    def _allowed(self, change: Change, record: Record, digest: str) -> Leaving:
        return sending.allowed(self._stores, self._sender, change, record, digest)

    def _checked(self, recipient: Recipient, content: Mapping[str, Any]) -> dict[str, Any]:
        with self._stores.keyring.reading() as tx:
            name = leaving.name_of(tx, recipient)
        return self._stores.dictionary.validate(_KIND, {**content, "recipient": name})

    def _today(self) -> str:
        return self._stores.clock.now().date().isoformat()


def _found(change: Change, row: UUID) -> Kept:
    return kept(change.document(_NARRATIVE, _KIND.value, row))


def _require(record: Record, *stages: ReferralState) -> None:
    if stage_of(record) not in stages:
        raise Conflict("The referral cannot go there from here.", code="referral.transition")


def _files(shown: Leaving) -> tuple[Touched, ...]:
    return tuple(Touched("file", one.row) for one in shown.found.files)


def _left(row: UUID, shown: Leaving) -> Done:
    found = shown.found
    done = _done("send", row, found.names, found.answer.rule)
    return replace(done, also=(*done.also, *_files(shown)))


def _signed(digest: str) -> dict[str, str]:
    return {"referral": digest}


def _names(content: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{_KIND.value}.{name}" for name in sorted(content))


def _done(act: str, row: UUID, fields: tuple[str, ...] = (), rule: str = "permit:caseload") -> Done:
    return Done(f"{_KIND.value}.{act}", fields, (Touched(_KIND.value, row),), rule)
