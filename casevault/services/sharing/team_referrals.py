"""Referrals to teams of the own organisation: a sealed copy of what was agreed to, in their inbox.

Their intake group opens it, and nobody else there; the case itself stays with its team. It is
recorded as sent before the copy exists: what was cut off in between shows as undelivered and is
sent once more, never twice. Must never send other bytes than the survivor agreed to.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.sharing import referral
from casevault.domain.sharing.referral import ReferralState
from casevault.domain.staff.access import Permission
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Conflict, Refused
from casevault.ids import new_id
from casevault.store.case.records import kept
from casevault.store.casework import rekeying
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import FAILED, Act, Touched
from casevault.store.sharing import arrivals, leaving, referral_traces, sending
from casevault.store.sharing.arrivals import Arrival, ArrivalKind
from casevault.store.sharing.leaving import COMPARTMENTS, TEAM, Leaving, Sender
from casevault.store.sharing.referral_ends import DIGEST
from casevault.store.sharing.referral_traces import ARRIVAL
from casevault.store.staff import intake_groups

_KIND = DocumentKind.REFERRAL
_NARRATIVE = Compartment.NARRATIVE.value


class TeamReferrals:
    """The use case of a referral that goes to a team."""

    def __init__(self, stores: Stores, gate: Gate, sender: Sender, *, needs_approval: bool) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)
        self._sender = sender
        self._approved = needs_approval

    def send(self, caller: Caller, case_id: UUID, row: UUID) -> ReferralState:
        """Put what was agreed to into the team's inbox.

        :raises Conflict: it was not agreed to, not approved, would be other bytes by now, or the
            team takes nothing in. :raises Busy: too much waits there. :raises Refused: consent
            does not cover it, or somebody who would read it is not to see the case.
        """
        return rekeying.tried_twice(lambda: self._send(caller, case_id, row))

    def _send(self, caller: Caller, case_id: UUID, row: UUID) -> ReferralState:
        def work(change: Change) -> tuple[tuple[Arrival, Leaving, int], Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            record = found.record
            team = self._team(record)
            is_new = not self._is_undelivered(case_id, row, record)
            if is_new:
                sending.require_sendable(record, approved=not self._approved)
            digest = record.marks[DIGEST]
            out = sending.allowed(self._stores, self._sender, change, record, digest)
            sending.require_no_files(out)
            self._require_open(team)
            self._require_wanted(change, team)
            if is_new:
                record = self._sent(record)
                change.amend(_NARRATIVE, row, record.encode(), found.version)
            arrival = self._arrival(caller, case_id, row, team, record)
            touched = (Touched(_KIND.value, row), Touched("team", team))
            rule = out.found.answer.rule
            version = sending.version_of(change)
            return (arrival, out, version), Done("referral.send", out.found.names, touched, rule)

        made = self._desk.change(caller, case_id, Permission.CASE_REFER, COMPARTMENTS, work)
        self._deliver(caller, *made)
        return ReferralState.SENT

    def _deliver(self, caller: Caller, arrival: Arrival, out: Leaving, version: int) -> None:
        stores = self._stores
        try:
            with sending.while_named(stores, arrival.about, version) as tx:
                arrivals.receive(stores, tx, arrival, {arrivals.PACKED: out.packed.decode()})
        except BaseException:
            touched = (Touched("case", arrival.about), Touched("team", arrival.team))
            act = Act("referral.send_failed", caller.on_ledger, rule="failed:store")
            stores.ledger.record(replace(act, outcome=FAILED, touched=touched))
            raise

    def _team(self, record: Record) -> UUID:
        recipient = leaving.recipient_of(record)
        if recipient.mark != TEAM:
            raise Conflict(
                "This letter is not for a team of your own organisation.",
                code="referral.to-partner",
                hint="Send it by a link with a code, as a package, or on paper.",
            )
        return recipient.id

    def _is_undelivered(self, case_id: UUID, row: UUID, record: Record) -> bool:
        with self._stores.keyring.reading() as tx:
            traces = referral_traces.of_cases(tx, [case_id], self._stores.now())
        today = self._stores.clock.now().date()
        return referral_traces.is_undelivered(record, traces.get(row), today)

    def _require_open(self, team: UUID) -> None:
        stores = self._stores
        with stores.keyring.reading() as tx:
            if not stores.trust.groups(tx, PrincipalKind.INTAKE, team):
                raise arrivals.closed()
            arrivals.require_room(tx, team, stores.now())

    def _require_wanted(self, change: Change, team: UUID) -> None:
        """Refuse if the survivor does not want somebody who opens the team's inbox."""
        refused = {
            Record.decode(one.content).about
            for one in change.documents(_NARRATIVE, [DocumentKind.REFUSED_STAFF.value])
        }
        with self._stores.keyring.reading() as tx:
            if refused & intake_groups.readers(self._stores, tx, team):
                raise Refused(
                    "The survivor does not want somebody who opens that team's inbox to see this.",
                    code="referral.refused-staff",
                    hint="Choose another team. Only the survivor can take this back.",
                )

    def _sent(self, record: Record) -> Record:
        marks = {
            referral.STAGE: ReferralState.SENT.value,
            referral.SENT_ON: self._stores.clock.now().date().isoformat(),
            ARRIVAL: str(new_id()),
        }
        return record.marked(**marks)

    def _arrival(
        self, caller: Caller, case_id: UUID, row: UUID, team: UUID, record: Record
    ) -> Arrival:
        named = leaving.named(record, ARRIVAL)
        return Arrival(
            id=named or new_id(),
            kind=ArrivalKind.REFERRAL,
            about=case_id,
            team=team,
            at=self._stores.now(),
            referral=row,
            sender=caller.staff,
            sealed=None,
            reference=record.marks[leaving.REFERENCE],
        )
