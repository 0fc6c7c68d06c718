"""Breaking the glass as people ask for it, see it and review it.

Who asks seals a reason that they cannot read back. A holder of the team's oversight approves it
(`services.staff.approvals`); a member of its duty group opens the case at once. The DPO looks at
each within 72 hours, never at one that they had a hand in. Must never open anything without an
entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.domain.audit.oversight import Finding
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.staff.access import Permission, Role, Subject
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, NotFound, Tampered
from casevault.ids import NO_TEAM, new_id, parse_reference
from casevault.store.case import case_keys, cases
from casevault.store.case.held_case import HeldCase
from casevault.store.casework import breaking, dossiers, holding
from casevault.store.casework.dossiers import Dossier, State
from casevault.store.casework.held import Desk
from casevault.store.context import approvals
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people
from casevault.store.keys.grants import Grantee, Object
from casevault.store.log.ledger import FAILED, Act, Touched


@dataclass(frozen=True, slots=True)
class Emergency:
    """A dossier as somebody sees it; without a reason if its text does not open."""

    dossier: Dossier
    state: State
    reference: str | None
    reason: str | None = field(default=None, repr=False)
    overdue: bool = False


class Emergencies:
    """The use cases of breaking the glass."""

    def __init__(self, stores: Stores, gate: Gate, *, closed: bool) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)
        self._closed = closed

    def ask(
        self, caller: Caller, case: UUID | str, reason: str, compartments: Iterable[str]
    ) -> Dossier:
        """Ask to open a case of the own team for three hours; who is on duty opens it at once.

        :raises NotFound: there is no such case in the caller's team.
        """
        stores = self._stores
        team = min(caller.actor.teams, default=NO_TEAM)
        self._gate.require(caller, Permission.BREAK_GLASS_ASK, Subject("break-glass", team=team))
        if self._closed:
            fault = breaking.closed()
            self._gate.deny(caller, Permission.BREAK_GLASS_ASK, "refused:" + fault.code)
            raise fault
        found = self._case(caller, case)
        names = tuple(sorted(set(compartments)))
        with self._desk.recording_failure(caller, found.id), stores.keyring.reading() as tx:
            target = Object(ObjectKind.CASE, found.id, found.team)
            held = caller.keys.open(tx, target).keys()
            on_duty = caller.keys.open_on_duty(tx, target)
            versions = case_keys.of_case(tx, found.id)
            self._check_new(tx, caller, found.id, is_held=set(names) <= held)
        dossier = Dossier(
            new_id(), found.id, found.team, caller.staff, names, stores.now(), reason=b""
        )
        if set(names) <= on_duty.keys():
            whole = HeldCase(stores.organisation, found, on_duty, versions)
            return self._open(caller, whole, dossier, reason)
        return self._wait(caller, dossier, reason)

    def list_(self, caller: Caller) -> list[Emergency]:
        """Return what waits: to the DPO what was opened, to supervisors all of their teams."""
        stores = self._stores
        self._gate.require(caller, Permission.BREAK_GLASS_LIST, Subject("break-glass"))
        now = stores.now()
        with stores.keyring.reading() as tx:
            shown = [one for one in dossiers.waiting(tx, now) if _sees(caller, one)]
            texts = {one.id: self._reason(tx, caller, one) for one in shown}
        with stores.data.reading() as connection:
            rows = cases.find_cases(connection, stores.roots, [one.case for one in shown])
        touched = tuple(
            part
            for one in shown
            for part in (Touched("break-glass", one.id), Touched("case", one.case))
        )
        alarms = [
            Act(
                "breakglass.list",
                caller.on_ledger,
                rule="failed:tampered",
                outcome=FAILED,
                touched=(Touched("break-glass", one.id),),
            )
            for one in shown
            if texts[one.id] is None
        ]
        listed = Act(
            "breakglass.list",
            caller.on_ledger,
            rule="permit:role",
            touched=touched,
            count=len(shown),
        )
        stores.ledger.record(listed, *alarms)
        found = []
        for one in shown:
            row = rows.get(one.case)
            reference = None if row is None else row.reference
            late = one.is_overdue(now)
            found.append(Emergency(one, one.state(now), reference, texts[one.id], late))
        return found

    def review(self, caller: Caller, dossier_id: UUID, outcome: Finding, note: str) -> None:
        """Note what the DPO found; the note is sealed to the DPO's group."""
        stores, touched = self._stores, (Touched("break-glass", dossier_id),)
        with stores.keyring.reading() as tx:
            known = {one.id: one for one in dossiers.all_(tx)}.get(dossier_id)
        own = known is not None and caller.staff in (known.asker, known.opened_by)
        subject = Subject("break-glass", self_act=own)
        self._gate.require(caller, Permission.BREAK_GLASS_REVIEW, subject, touched)
        fault = _not_to_review(known, stores.now())
        if known is None or fault is not None:
            error = fault or NotFound()
            self._gate.deny(caller, Permission.BREAK_GLASS_REVIEW, "refused:" + error.code, touched)
            raise error
        act = Act(
            "breakglass.review",
            caller.on_ledger,
            rule="permit:role",
            touched=(*touched, Touched("case", known.case), Touched("staff", known.asker)),
            filters=(outcome.value,),
        )
        now = stores.now()
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = dossiers.find(tx, dossier_id, lock=True)
            again = _not_to_review(present, now)
            if again is not None:
                raise again
            readers = self._readers(tx, PrincipalKind.DPO, PrincipalKind.RECOVERY)
            sealed = dossiers.write(tx, caller, present, dossiers.NOTE, note, readers, now)
            done = replace(present, reviewer=caller.staff, reviewed_at=now, note=sealed)
            dossiers.change(tx, done)

    def _case(self, caller: Caller, case: UUID | str) -> CaseMetadata:
        stores = self._stores
        with stores.data.reading() as connection:
            given = case if isinstance(case, UUID) else None
            reference = None if isinstance(case, UUID) else parse_reference(case)
            wanted = given if reference is None else cases.id_of_reference(connection, reference)
            found = None if wanted is None else cases.find_case(connection, stores.roots, wanted)
        if found is None or found.team not in caller.actor.teams:
            # Another team's case looks like one that is not.
            touched = () if given is None else (Touched("case", given),)
            self._gate.deny(caller, Permission.BREAK_GLASS_ASK, "deny:other-team", touched)
            raise NotFound()
        return found

    def _check_new(
        self, tx: KeyringTransaction, caller: Caller, case: UUID, *, is_held: bool
    ) -> None:
        if is_held:
            raise Conflict("You can open this case already.", code="break-glass.held")
        now = self._stores.now()
        for one in dossiers.waiting(tx, now):
            asked = (one.case, one.asker) == (case, caller.staff)
            if asked and one.state(now) is State.ASKED:
                raise Conflict(
                    "You have asked for this case already.",
                    code="break-glass.asked",
                    hint="Call a supervisor of the team: the request waits for their approval.",
                )

    def _open(self, caller: Caller, held: HeldCase, dossier: Dossier, reason: str) -> Dossier:
        me = Grantee(caller.staff, caller.keys.secret.public)
        breaking.check_not_refused(self._desk, self._stores, caller, held, caller.staff)

        def before(tx: KeyringTransaction) -> Dossier:
            return self._keep(tx, caller, dossier, reason)

        return breaking.open_(self._stores, caller, held, dossier, me, "permit:duty", before)

    def _wait(self, caller: Caller, dossier: Dossier, reason: str) -> Dossier:
        stores, wish = self._stores, breaking.wish_of(dossier)
        act = Act(
            "breakglass.ask",
            caller.on_ledger,
            rule="permit:team",
            purpose="emergency",
            touched=(Touched("case", dossier.case), Touched("break-glass", dossier.id)),
            fields=dossier.compartments,
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            kept = self._keep(tx, caller, dossier, reason)
            approvals.add(tx, approvals.asked(stores.organisation, caller, wish))
        return kept

    def _keep(
        self, tx: KeyringTransaction, caller: Caller, dossier: Dossier, reason: str
    ) -> Dossier:
        people.alone(tx, caller.staff)
        holding.require_there(tx, dossier.case)
        self._check_new(tx, caller, dossier.case, is_held=False)
        readers = self._readers(tx, PrincipalKind.DPO, PrincipalKind.RECOVERY)
        readers += self._stores.trust.groups(tx, PrincipalKind.OVERSIGHT, dossier.team)
        now = self._stores.now()
        sealed = dossiers.write(tx, caller, dossier, dossiers.REASON, reason, readers, now)
        kept = replace(dossier, reason=sealed)
        dossiers.add(tx, kept)
        return kept

    def _readers(self, tx: KeyringTransaction, *kinds: PrincipalKind) -> list[Grantee]:
        return [group for kind in kinds for group in self._stores.trust.groups(tx, kind)]

    @staticmethod
    def _reason(tx: KeyringTransaction, caller: Caller, dossier: Dossier) -> str | None:
        try:
            return dossiers.read_reason(tx, caller, dossier)
        except Tampered:
            return None


def _sees(caller: Caller, dossier: Dossier) -> bool:
    if Role.DPO in caller.actor.roles:
        return dossier.opened_at is not None
    return dossier.team in caller.actor.teams


def _not_to_review(dossier: Dossier | None, now: int) -> Conflict | None:
    if dossier is None:
        return None
    state = dossier.state(now)
    if state is State.REVIEWED:
        return Conflict("This was reviewed already.", code="break-glass.reviewed")
    if state is not State.REVIEW:
        return Conflict(
            "There is nothing to review before the three hours are over.",
            code="break-glass.not-over",
        )
    return None
