"""Acts that the second person's word itself carries out, each with what it is about.

The word is checked and used up in the transaction that does the act, so that it is used once and
for exactly what was signed. Needs no key of a case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from casevault.crypto.approvals import Approval
from casevault.domain.case import keeping, retention
from casevault.domain.case.retention import Reason
from casevault.domain.importing.counted import Counted
from casevault.domain.staff.approvals import ApprovedAct, Decision, Wish
from casevault.errors import Conflict, NotFound
from casevault.store.case import cases
from casevault.store.casework import holding, matters
from casevault.store.casework.matter_kinds import Kind
from casevault.store.context import approvals, schedules
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.counting import counted_imports, releases
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.log.ledger import Act, Touched
from casevault.store.retention import erasures

BY_TWO = "permit:two-people"
REASON, COMPARTMENTS = "reason", "compartments"
_Carry = Callable[[Stores, Caller, Wish, Act], None]


def carry_out(stores: Stores, caller: Caller, wish: Wish, act: Act) -> None:
    """Approve as the caller and do what was asked for; `act` records their decision first."""
    _CARRY[wish.act](stores, caller, wish, act)


def is_carried_out(wish: Wish) -> bool:
    """Say whether an approval does this by itself."""
    return wish.act in _CARRY


def _use(stores: Stores, tx: KeyringTransaction, caller: Caller, wish: Wish) -> Approval:
    """Return the approval with the caller's word, checked and used up."""
    now = stores.now()
    found = approvals.find(tx, wish.id, lock=True)
    decided = approvals.decided(tx, stores.trust, caller, found, Decision.APPROVED, now)
    approvals.change(tx, decided)
    approvals.use(tx, stores.trust, wish, now)
    return decided


def _erase(stores: Stores, caller: Caller, wish: Wish, act: Act) -> None:
    said = dict(wish.parameters)
    with stores.data.reading() as connection:
        case = cases.find_case(connection, stores.roots, wish.object_id)
    if case is None or case.team != wish.team:
        raise NotFound()
    keeping.check_free(case)
    planned = erasures.plan(case, Reason(said[REASON]), said[COMPARTMENTS].split())
    links = (("approval", wish.id.hex),)
    with stores.ledger.giving(act), stores.keyring.writing() as tx:
        _use(stores, tx, caller, wish)
        if matters.held(tx, [case.id]):
            raise keeping.held()
        batch = erasures.begin(tx, [planned], stores.now(), caller.on_ledger, BY_TWO, links)
        if batch is None:
            raise Conflict("This was erased already.", code="case.erased")
    erasures.finish(stores, batch)


def _release(stores: Stores, caller: Caller, wish: Wish, act: Act) -> None:
    released = Act(
        "hold.release",
        caller.on_ledger,
        rule=BY_TWO,
        touched=(Touched("hold", wish.object_id), *act.touched),
        links=(("approval", wish.id.hex),),
    )
    giving = stores.ledger.giving
    with giving(act), giving(released), stores.keyring.writing() as tx:
        _use(stores, tx, caller, wish)
        hold = matters.find(tx, wish.object_id, Kind.HOLD, lock=True)
        holding.drop(stores, tx, hold)
    holding.show(stores, hold.case)


def _change(stores: Stores, caller: Caller, wish: Wish, act: Act) -> None:
    schedule = retention.from_parameters(dict(wish.parameters))
    changed = Act(
        "retention.change",
        caller.on_ledger,
        rule=BY_TWO,
        touched=act.touched,
        count=schedule.version,
        links=(("approval", wish.id.hex),),
    )
    giving = stores.ledger.giving
    with giving(act), giving(changed), stores.keyring.writing() as tx:
        if schedules.newest(tx).version + 1 != schedule.version:
            raise Conflict(
                "The schedule was changed meanwhile. Ask for this one anew.",
                code="retention.changed",
            )
        schedules.add(tx, schedule, _use(stores, tx, caller, wish))


def _count_import(stores: Stores, caller: Caller, wish: Wish, act: Act) -> None:
    wanted = Counted.of(dict(wish.parameters))
    counted = Act(
        "release.count_import",
        caller.on_ledger,
        rule=BY_TWO,
        touched=act.touched,
        filters=tuple(f"{name}:{day}" for name, day in wish.parameters),
        links=(("approval", wish.id.hex),),
    )
    giving = stores.ledger.giving
    with giving(act), giving(counted), stores.keyring.writing() as tx:
        releases.take_turn(tx, stores.now())
        counted_imports.check_new(tx, wanted)
        wanted.check(stores.clock.now().date(), releases.years(tx))
        counted_imports.add(tx, _use(stores, tx, caller, wish))


_CARRY: Mapping[ApprovedAct, _Carry] = MappingProxyType(
    {
        ApprovedAct.CASE_ERASE: _erase,
        ApprovedAct.HOLD_RELEASE: _release,
        ApprovedAct.SCHEDULE: _change,
        ApprovedAct.COUNT_IMPORT: _count_import,
    }
)
