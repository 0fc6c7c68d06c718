"""Objections that were granted: which purposes of a case stop, from when, without any key of it.

They stop at the moment of the decision, by a row that the service can read; whoever holds the case
then takes back the grounds themselves (`services.sharing.consents`), with all that follows. A
consent that is recorded after that ends the objection: the person has said something new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from casevault.domain.sharing.consent import Purpose
from casevault.errors import Conflict
from casevault.store.casework import matters
from casevault.store.casework.matter_kinds import Kind
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction

OPEN, DONE = "open", "done"
_LEAVING = frozenset({Purpose.REFERRAL, Purpose.CROSS_BORDER})


def stopped(stores: Stores, case: UUID) -> Mapping[Purpose, int]:
    """Return the purposes that stop, each with when (Unix seconds): older grounds hold no more."""
    with stores.keyring.reading() as tx:
        found = matters.of_case(tx, Kind.OBJECTION, case)
    return {Purpose(one.type): one.at for one in sorted(found, key=lambda one: one.at)}


def stops_counting(tx: KeyringTransaction, cases: Sequence[UUID]) -> set[UUID]:
    """Return those of these cases that are not counted: frozen ones, and whoever objects to it."""
    frozen = matters.restricted(tx, cases)
    objecting = matters.having(tx, cases, Kind.OBJECTION)
    statistics = {
        case
        for case in objecting
        if any(one.type == Purpose.STATISTICS for one in matters.of_case(tx, Kind.OBJECTION, case))
    }
    return frozen | statistics


def stops_leaving(tx: KeyringTransaction, case: UUID) -> bool:
    """Say whether what was sent of a case and is not opened yet stays shut."""
    if matters.restricted(tx, [case]):
        return True
    return any(
        one.type in _LEAVING and one.state == OPEN
        for one in matters.of_case(tx, Kind.OBJECTION, case)
    )


def require_leaving(tx: KeyringTransaction, case: UUID) -> None:
    """Refuse to open what was sent of a case, to a colleague; no word of why: it is not theirs."""
    if stops_leaving(tx, case):
        raise Conflict(
            "This letter cannot be opened at present.",
            code="intake.paused",
            hint="It opens again, or is called back. Call whoever sent it if you cannot wait.",
        )


def carried_out(stores: Stores, caller: Caller, case: UUID) -> None:
    """Note that the grounds of every objection of a case were taken back."""
    with stores.keyring.writing() as tx:
        for one in matters.of_case(tx, Kind.OBJECTION, case):
            if one.state == OPEN:
                # Still from when it was decided: grounds of before do not come back.
                done = replace(one, state=DONE, author=caller.staff)
                matters.change(tx, matters.signed(stores.organisation, caller, done))


def check_done(stores: Stores, case: UUID, purpose: Purpose) -> None:
    """Refuse a new consent while an objection to its purpose is not carried out."""
    with stores.keyring.reading() as tx:
        found = matters.of_case(tx, Kind.OBJECTION, case)
    if any(one.type == purpose and one.state == OPEN for one in found):
        raise Conflict(
            "The survivor objected to this purpose. Carry that out first.",
            code="objection.open",
            hint="POST /v1/cases/{id}/objections takes back what it was allowed by.",
        )


def end(stores: Stores, case: UUID, purpose: Purpose) -> None:
    """Let an objection go that was carried out, because the person has agreed anew."""
    with stores.keyring.writing() as tx:
        found = matters.of_case(tx, Kind.OBJECTION, case)
        matters.drop(tx, [o.id for o in found if o.type == purpose and o.state == DONE])
