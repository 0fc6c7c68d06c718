"""Matters as somebody sees them: those of the DPO's house, or of the own teams, with what opens.

Whoever lists matters is on the ledger with every one of them before anything leaves. A statement
that does not hold is shown as unsigned, and raises the alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from casevault.domain.staff.access import Role
from casevault.errors import Tampered
from casevault.store.case import cases
from casevault.store.casework import caseload, matters
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.log.ledger import FAILED, Act, Touched


@dataclass(frozen=True, slots=True)
class Shown:
    """A matter as somebody sees it; no text where it does not open for them."""

    matter: Matter
    reference: str | None
    signed: bool
    text: str | None = field(default=None, repr=False)


def listed(stores: Stores, caller: Caller, kind: Kind) -> list[Shown]:
    """Return the matters of a kind: to the DPO all, to others those of their teams."""
    with stores.keyring.reading() as tx:
        seen = [one for one in matters.all_(tx, kind) if is_seen(caller, one)]
        signed = {one.id: matters.is_signed(tx, stores.trust, one) for one in seen}
        texts = {one.id: text_of(tx, caller, one) for one in seen}
    with stores.data.reading() as connection:
        rows = cases.find_cases(connection, stores.roots, [one.case for one in seen])
    touched = [
        part for one in seen for part in (Touched(kind.value, one.id), Touched("case", one.case))
    ]
    code, actor, count = f"{kind.value}.list", caller.on_ledger, len(seen)
    acts = [
        Act(code, actor, rule="permit:role", touched=part, count=count)
        for part in caseload.parts(touched) or [()]
    ]
    bad = tuple(
        Act(
            code,
            actor,
            rule="failed:tampered",
            outcome=FAILED,
            touched=(Touched(kind.value, one.id),),
        )
        for one in seen
        if not signed[one.id]
    )
    stores.ledger.record(*acts, *bad)
    return [
        Shown(
            one,
            None if (row := rows.get(one.case)) is None else row.reference,
            signed[one.id],
            texts[one.id],
        )
        for one in seen
    ]


def is_seen(caller: Caller, matter: Matter) -> bool:
    """Say whether a matter is for the caller: the DPO's are all, a team's are its own."""
    return Role.DPO in caller.actor.roles or matter.team in caller.actor.teams


def text_of(tx: KeyringTransaction, caller: Caller, matter: Matter) -> str | None:
    """Return a matter's text, or None where it does not open or is not what was written."""
    try:
        return matters.read(tx, caller, matter)
    except Tampered:
        return None
