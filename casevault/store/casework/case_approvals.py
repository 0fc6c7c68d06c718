"""Approvals that lie in a case: the signed wish and words about it, in the record that they decide.

The same statements as in `store.context.approvals`, kept in the record's marks, so that whoever
opens the case sees who decided, and record and decision change in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

from casevault.crypto import macs
from casevault.crypto.approvals import Approval
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.case.records import DECLINED, DONE, WAITING, Record
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.approvals import ApprovedAct, Decision
from casevault.errors import Conflict, Tampered
from casevault.ids import new_id
from casevault.store.context import approvals
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores

Parameters = Mapping[str, str]


def asked(
    stores: Stores, caller: Caller, case: CaseMetadata, act: ApprovedAct, parameters: Parameters
) -> dict[str, str]:
    """Return the marks of a record that waits: the caller's signed wish for an act on a case."""
    wish = rules.wish(
        new_id(),
        act,
        case.id,
        caller.staff,
        stores.now(),
        team=case.team,
        parameters=parameters,
    )
    return {"state": WAITING, "approval": _text(approvals.asked(stores.organisation, caller, wish))}


def decided(
    stores: Stores,
    caller: Caller,
    case: CaseMetadata,
    record: Record,
    act: ApprovedAct,
    parameters: Parameters,
    *,
    approve: bool,
    reason: str | None,
) -> Record:
    """Return the record with the caller's signed word; a yes must suffice for exactly this act.

    :raises Conflict: it was decided already.
    :raises Tampered: the wish in the record is for something else.
    """
    if record.marks.get("state") != WAITING:
        raise Conflict("This was decided already.", code="transition.decided")
    now, found = stores.now(), _approval(record)
    wish = found.wish
    if rules.is_over(wish, now):
        raise approvals.expired()
    # What was signed must be what is about to happen, whatever stands around it.
    if (wish.act, wish.object_id, wish.team, wish.parameters, wish.asker) != (
        act,
        case.id,
        case.team,
        tuple(sorted(parameters.items())),
        record.first.by,
    ):
        raise Tampered(code="approval")
    decision = Decision.APPROVED if approve else Decision.DECLINED
    with stores.keyring.reading() as tx:
        signed = approvals.decided(tx, stores.trust, caller, found, decision, now)
        if approve:
            approvals.check(tx, stores.trust, signed, now)
    return record.marked(
        state=DONE if approve else DECLINED,
        decided_by=caller.staff.hex,
        decided_at=str(now),
        decision=reason or "",
        approval=_text(signed),
    )


def is_waiting(record: Record, now: int) -> bool:
    """Say whether somebody can still decide this."""
    waits = record.marks.get("state") == WAITING
    return waits and not rules.is_over(_approval(record).wish, now)


def _text(approval: Approval) -> str:
    return macs.b64(approval.encode())


def _approval(record: Record) -> Approval:
    data = macs.unb64(record.marks.get("approval", ""))
    if not data:
        raise Tampered(code="approval")
    return Approval.decode(data)
