"""Settling: a restored data store is brought to what the newest keyring knows.

What the keyring has a tombstone of is removed again; what has data and no keys is put aside, never
removed; what is older than the keyring remembers is believed again when two people have signed
exactly that. Needs no key of a case. Must never take anything from the keyring.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from casevault.crypto import macs
from casevault.crypto.approvals import Approval
from casevault.domain.recovery.settling import Findings, Log
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.approvals import ApprovedAct, Decision, Wish
from casevault.ids import new_id
from casevault.store.audit.inspection import Inspection
from casevault.store.case import case_keys, tombstones
from casevault.store.case.manifests import Anchor
from casevault.store.casework import transferring
from casevault.store.context import approvals
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import milestones
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.log import incidents, tree
from casevault.store.log.ledger import SERVICE, Act, Touched
from casevault.store.log.months import name_of
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.recovery import comparing, examining, quarantine
from casevault.store.retention import erasing

_AT_ONCE = 100
_FINDINGS = "findings"


class Settling:
    """The use cases of a restored data store; nothing else may use the stores meanwhile."""

    def __init__(self, stores: Stores, gate: Gate, signed: int | None) -> None:
        """`signed` is the size of the log at its last checkpoint, as the signer remembers it."""
        self._stores = stores
        self._gate = gate
        self._signed = signed

    def settle(self) -> Findings:
        """Do everything that needs no person, and say what is left; can be run again.

        :raises Tampered: the log or a case's plain row is not what this vault wrote.
        """
        stores = self._stores
        tree.integrate_all(stores.data, stores.roots)
        with stores.data.reading() as connection:
            log = Inspection(stores, connection).run()
            examining.check_cases(connection, stores.roots)
        erased = (*self._replay(), *self._replay_parts())
        found = replace(self._compare(erased, log.size), strayed=self._send_on())
        self._set_aside(found)
        self._record(found)
        if not found.needs_two_people:
            with stores.keyring.writing() as tx:
                milestones.note(tx, milestones.SETTLED, stores.now())
        return found

    def sign(self, caller: Caller, found: Findings) -> Wish | None:
        """Sign that this state is to be believed.

        The first person asks: the wish is returned. With the second one's word the keyring
        believes it, and None is returned.

        :raises Refused: not their role, or they are the one who asked.
        """
        self._gate.require(caller, Permission.KEYS_RECOVER, Subject("keys"))
        waiting = self._waiting(found)
        if waiting is None or waiting.wish.asker == caller.staff:
            return self._ask(caller, found) if waiting is None else waiting.wish
        self._gate.require(caller, Permission.APPROVAL_DECIDE, Subject("approval"))
        self._believe(caller, waiting.wish, found)
        return None

    def _replay(self) -> Iterator[UUID]:
        stores = self._stores
        with stores.keyring.reading() as tx:
            gone = sorted(tombstones.cases(tx))
        for at in range(0, len(gone), _AT_ONCE):
            some = gone[at : at + _AT_ONCE]
            with stores.data.reading() as connection:
                back = sorted(erasing.present(connection, some))
            if not back:
                continue
            touched = tuple(Touched("case", case) for case in back)
            act = Act("case.erase_again", SERVICE, rule="permit:tombstone", touched=touched)
            with unit_of_work(stores.data, stores.ledger) as uow:
                erasing.remove_cases(uow.connection, stores.roots, back)
                uow.record(act)
                uow.commit()
            yield from back

    def _replay_parts(self) -> Iterator[UUID]:
        """Do the same for compartments of cases of which others are left."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            gone = tombstones.partial(tx)
        for case, names in sorted(gone.items()):
            act = Act("case.erase_again", SERVICE, rule="permit:tombstone")
            with unit_of_work(stores.data, stores.ledger) as uow:
                there = erasing.remove_compartments(uow.connection, stores.roots, case, names)
                if erasing.mark(uow.connection, stores.roots, case, names) or there:
                    uow.record(replace(act, touched=(Touched("case", case),)))
                    uow.commit()
                    yield case

    def _compare(self, erased: tuple[UUID, ...], size: int) -> Findings:
        stores = self._stores
        with stores.keyring.reading() as tx, stores.data.reading() as connection:
            known, stored = comparing.known_cases(tx), comparing.stored_cases(connection)
            aside = quarantine.all_(connection)
            restored = milestones.last(tx, milestones.UNSETTLED) is not None
            # What two people have said is lost needs no saying again.
            is_said = milestones.last(tx, milestones.LOG_LOST) == self._signed and not restored
            return Findings(
                cases=len(stored),
                erased=erased,
                quarantined=tuple(sorted(stored - known)),
                released=tuple(sorted(aside & known)),
                lost=tuple(sorted(known - stored)),
                compared=tuple(comparing.compared(tx, connection, stored & known)),
                closed=comparing.closed_private(tx, connection),
                log=Log(size, None if is_said else self._signed),
                restored=restored,
            )

    def _send_on(self) -> tuple[UUID, ...]:
        """Let the team that holds a case take it from where the restored data has it."""
        stores = self._stores
        with stores.keyring.reading() as tx, stores.data.reading() as connection:
            wanted = comparing.stored_cases(connection)
            older = list(comparing.behind(tx, connection, wanted & comparing.known_cases(tx)))
        with stores.keyring.writing() as tx:
            now = stores.now()
            found = [transferring.strayed(tx, case, team, now) for case, team in older]
            strayed = [one for one in found if one is not None]
            for one in strayed:
                transferring.begin(tx, one)
        return tuple(one.case for one in strayed)

    def _set_aside(self, found: Findings) -> None:
        stores = self._stores
        with stores.data.writing() as connection:
            new = set(found.quarantined) - quarantine.all_(connection)
            quarantine.put(connection, sorted(new), name_of(stores.clock.now()))
            quarantine.release(connection, found.released)

    def _record(self, found: Findings) -> None:
        counted = (
            ("quarantined", len(found.quarantined)),
            ("lost", len(found.lost)),
            ("behind", len(found.curable)),
            ("strayed", len(found.strayed)),
            ("log-missing", found.log.missing),
        )
        links = tuple((name, str(count)) for name, count in counted if count)
        act = Act("data.settle", SERVICE, rule="permit:keyring", count=found.cases, links=links)
        self._stores.ledger.record(act)

    def _waiting(self, found: Findings) -> Approval | None:
        """Return what somebody has asked for about exactly these findings."""
        wanted, now = _parameters(found), self._stores.now()
        with self._stores.keyring.reading() as tx:
            for one in reversed(approvals.all_(tx)):
                wish = one.wish
                same = wish.act is ApprovedAct.DATA_SETTLE and dict(wish.parameters) == wanted
                if same and not rules.is_over(wish, now):
                    return one
        return None

    def _ask(self, caller: Caller, found: Findings) -> Wish:
        stores = self._stores
        wish = rules.wish(
            new_id(),
            ApprovedAct.DATA_SETTLE,
            stores.roots.keyring_id,
            caller.staff,
            stores.now(),
            parameters=_parameters(found),
        )
        touched = (Touched("approval", wish.id),)
        act = Act("approval.ask", caller.on_ledger, rule="permit:role", touched=touched)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            approvals.remove_expired(tx, stores.now())
            approvals.add(tx, approvals.asked(stores.organisation, caller, wish))
        return wish

    def _believe(self, caller: Caller, wish: Wish, found: Findings) -> None:
        stores, now = self._stores, self._stores.now()
        act = Act(
            "data.settle",
            caller.on_ledger,
            rule="permit:two-people",
            touched=(Touched("approval", wish.id),),
            count=len(found.curable),
            links=(("approval", wish.id.hex), ("log-signed", str(found.log.signed or 0))),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            asked = approvals.find(tx, wish.id, lock=True)
            decided = approvals.decided(tx, stores.trust, caller, asked, Decision.APPROVED, now)
            approvals.check(tx, stores.trust, decided, now)
            approvals.remove(tx, wish.id)
            _lower(tx, found)
            milestones.forget(tx, milestones.UNSETTLED)
            # A restored log may have grown past what was signed and still lack some of it.
            if found.log.signed is not None and (found.log.missing or found.restored):
                milestones.note(tx, milestones.LOG_LOST, found.log.signed)
                with stores.data.writing() as connection:
                    incidents.keep_approval(connection, decided.encode())
            milestones.note(tx, milestones.SETTLED, now)


def _lower(tx: KeyringTransaction, found: Findings) -> None:
    for one in found.curable:
        anchor = Anchor(one.found, one.commitment)
        case_keys.set_anchor(tx, one.case, one.compartment, one.key_version, anchor)


def _parameters(found: Findings) -> dict[str, str]:
    """Return what is signed: every id and revision by a digest, and the numbers for people."""
    digest = macs.digest(
        tuple(found.lost),
        tuple(found.quarantined),
        tuple(
            (c.case, c.compartment, c.fault.value, c.key_version, c.found, c.commitment)
            for c in found.compared
        ),
        found.log.signed,
    )
    return {
        _FINDINGS: digest.hex(),
        "lost": str(len(found.lost)),
        "behind": str(len(found.curable)),
        "quarantined": str(len(found.quarantined)),
        "log_missing": str(found.log.missing),
    }
