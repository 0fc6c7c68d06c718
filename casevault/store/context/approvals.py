"""Approvals as rows of the keyring, and the one check before an approved act is carried out.

A row is only where statements are kept: what counts are the signatures, checked against who is
vouched for at that moment. So an inserted or changed row approves nothing. Whoever carries an act
out takes its approval away in the same transaction: it is used once.
"""

from __future__ import annotations

from uuid import UUID

from casevault.crypto import approvals as crypto_approvals
from casevault.crypto.approvals import Approval, Statement
from casevault.domain.staff import approvals
from casevault.domain.staff.approvals import Decision, Wish
from casevault.errors import Conflict, NotFound, Refused, Tampered
from casevault.store.context.caller import Caller
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.keys.trust import Trust

_TABLE = tables.approval


def asked(organisation: UUID, caller: Caller, wish: Wish) -> Approval:
    """Return the beginning of an approval: a wish that its asker has signed."""
    return Approval(wish, _stated(organisation, caller, wish, Decision.ASKED, wish.asked_at))


def decided(
    tx: KeyringTransaction,
    trust: Trust,
    caller: Caller,
    approval: Approval,
    decision: Decision,
    now: int,
) -> Approval:
    """Return the approval with the caller's signed word about it.

    :raises Conflict: it is too late, or they said something about it before.
    :raises Refused: they asked for it themselves, it is for them, or it takes another role.
    """
    wish = approval.wish
    scopes = trust.scopes(tx, caller.staff)
    why = approvals.fault(wish, caller.staff, scopes, now, approval.approved)
    # No is said at any time; only a yes gives something.
    if why is not None and (why, decision) != ("expired", Decision.DECLINED):
        raise _refusal(why)
    if any(statement.person == caller.staff for statement in approval.statements):
        raise Conflict("You have decided this already.", code="approval.twice")
    return approval.with_statement(_stated(tx.organisation, caller, wish, decision, now))


def check(tx: KeyringTransaction, trust: Trust, approval: Approval, now: int) -> tuple[UUID, ...]:
    """Return who approved, if that suffices now; else say why not.

    :raises Refused: too few valid approvals: expired, revoked since, or declined.
    :raises Tampered: a signature does not hold, or the asker did not sign.
    """
    wish = approval.wish
    if approvals.is_over(wish, now):
        raise _refusal("expired")
    _check_asker(tx, trust, approval)
    good: list[UUID] = []
    for statement in approval.statements:
        if statement.decision is Decision.DECLINED:
            raise Refused("Somebody declined this.", code="approval.declined")
        if _holds(tx, trust, wish, statement, now, len(good)):
            good.append(statement.person)
    if not approvals.enough(wish, good):
        raise Refused(
            "Nobody who may do so has approved exactly this.",
            code="approval.missing",
            hint="Ask for it, and let the other person approve it in their own session.",
        )
    return tuple(sorted(set(good)))


def add(tx: KeyringTransaction, approval: Approval) -> None:
    """Keep what somebody asks for."""
    wish = approval.wish
    tx.add(_TABLE, approval.encode(), id=wish.id, kind=wish.act.value, object_id=wish.object_id)


def change(tx: KeyringTransaction, approval: Approval) -> None:
    """Keep an approval with what was said about it since."""
    wish = approval.wish
    tx.replace(_TABLE, approval.encode(), id=wish.id, kind=wish.act.value, object_id=wish.object_id)


def find(tx: KeyringTransaction, approval_id: UUID, *, lock: bool = False) -> Approval:
    """Return one approval (`lock`: nobody else decides it meanwhile), else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=approval_id)
    if row is None:
        raise NotFound()
    return _approval(row)


def all_(tx: KeyringTransaction) -> list[Approval]:
    """Return every approval that nobody has used, oldest first."""
    found = [_approval(row) for row in tx.find(_TABLE)]
    return sorted(found, key=lambda one: (one.wish.asked_at, one.wish.id))


def remove(tx: KeyringTransaction, approval_id: UUID) -> None:
    """Take an approval away; of two who use it at once, the second is refused."""
    if tx.remove(_TABLE, id=approval_id) != 1:
        raise Conflict("This was decided already.", code="approval.used")


def use(tx: KeyringTransaction, trust: Trust, wish: Wish, now: int) -> tuple[UUID, ...]:
    """Check and use up the approval of exactly this wish; return who approved.

    Call it in the transaction that carries the act out.
    """
    approval = find(tx, wish.id, lock=True)
    if approval.wish != wish:
        raise Tampered(code="approval")
    people = check(tx, trust, approval, now)
    remove(tx, wish.id)
    return people


def remove_expired(tx: KeyringTransaction, now: int) -> int:
    """Delete wishes whose time is over; return how many."""
    over = [one.wish.id for one in all_(tx) if one.wish.expires_at <= now]
    return tx.remove(_TABLE, id=over) if over else 0


def _stated(
    organisation: UUID, caller: Caller, wish: Wish, decision: Decision, at: int
) -> Statement:
    return crypto_approvals.state(
        organisation, wish, decision, caller.staff, caller.keys.secret, at
    )


def _check_asker(tx: KeyringTransaction, trust: Trust, approval: Approval) -> None:
    # Without the asker's own signature, an approver could ask in somebody else's name.
    wish, statement = approval.wish, approval.asked
    if (statement.person, statement.at) != (wish.asker, wish.asked_at):
        raise Tampered(code="approval")
    if statement.decision is not Decision.ASKED:
        raise Tampered(code="approval")
    for believed in trust.ever(tx, wish.asker):
        if believed.public.key_id == statement.key_id and believed.holds(wish.asked_at):
            crypto_approvals.check_signature(tx.organisation, wish, statement, believed.public)
            return
    raise Tampered(code="approval")


def _holds(
    tx: KeyringTransaction, trust: Trust, wish: Wish, statement: Statement, now: int, place: int
) -> bool:
    if statement.decision is not Decision.APPROVED:
        return False
    if approvals.is_over(wish, statement.at):
        return False
    in_force = [one for one in trust.believed(tx, statement.person) if one.holds(now)]
    same_pair = [one for one in in_force if one.public.key_id == statement.key_id]
    scopes = [one.scope for one in same_pair]
    why = approvals.fault(wish, statement.person, scopes, now, place)
    if why is not None:
        return False
    crypto_approvals.check_signature(tx.organisation, wish, statement, same_pair[0].public)
    return True


def expired() -> Conflict:
    """Return what somebody is told who decides too late."""
    return Conflict(
        "The time to decide this is over.",
        code="approval.expired",
        hint="Whoever asked for it can ask again.",
    )


def _refusal(why: str) -> Conflict | Refused:
    if why == "expired":
        return expired()
    if why == "self":
        return Refused(
            "Nobody approves what they asked for or what is for them.", code="refused.self"
        )
    return Refused("Your role does not include this.", code="refused.role")


def _approval(row: Row) -> Approval:
    approval = Approval.decode(row.content)
    wish = approval.wish
    if (wish.id, wish.act.value, wish.object_id) != (
        row.lookup["id"],
        row.lookup["kind"],
        row.lookup["object_id"],
    ):
        raise Tampered(code="approval")
    return approval
