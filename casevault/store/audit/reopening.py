"""A log that lost signed entries is closed for good, and the next origin begins.

After a restore the database holds less than was signed: no honest note can follow the last one.
Two people have signed what the restored store lacks (`db settle`); their statement is kept, and the
next log's entry 0 names the last checkpoint that was ever signed and the head that is left. The
memory of the closed origin is put aside, never removed. Can be run again wherever it was cut off.
"""

from __future__ import annotations

import base64

from casevault.crypto.approvals import Approval
from casevault.domain.staff.approvals import ApprovedAct
from casevault.errors import Misconfigured, Refused
from casevault.ledger.note import Checkpoint, VerifierKey, unverified_checkpoint
from casevault.store.context import approvals
from casevault.store.context.stores import Stores
from casevault.store.engine import milestones
from casevault.store.log import incidents, tree
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.log.incidents import Incident
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.log.signing import LocalSigner, opened
from casevault.store.log.unit_of_work import unit_of_work


def reopen(stores: Stores, checkpoints: Checkpoints) -> bytes:
    """Close the origin that was signed last and begin the configured one; return the note.

    Nothing else may use the stores meanwhile.

    :raises Refused: two people have not said that this log lost entries.
    :raises Misconfigured: the configuration still names the closed origin, or another signs.
    """
    signer = checkpoints.signer
    if not isinstance(signer, LocalSigner):
        raise Misconfigured(
            "The log is signed elsewhere. Close the origin where its memory is: begin the next"
            " with `casevault ledger sign --begin` in a new folder.",
            code="signer.elsewhere",
        )
    tree.integrate_all(stores.data, stores.roots)
    with signer.locked():
        note = signer.last()
        last = None if note is None else unverified_checkpoint(note)
        if last is not None and last.origin == checkpoints.origin:
            raise Misconfigured(
                "The configuration names the origin that is signed now. Give ledger_origin its"
                " next name first, such as 2026b after 2026a.",
                code="ledger.origin",
            )
        if note is not None:
            incident = _incident(stores, signer, note)
            if incident is not None:
                _close(stores, incident)
            signer.archive()
    tree.integrate_all(stores.data, stores.roots)
    checkpoints.sign()
    with stores.data.reading() as connection:
        found = incidents.note_of(connection, tree.current(connection).log)
    if found is None:
        raise Refused("No origin was closed.", code="ledger.origin")
    return found


def _incident(stores: Stores, signer: LocalSigner, note: bytes) -> Incident | None:
    """Return what is to be written; None if it was written before this was cut off."""
    name = unverified_checkpoint(note).origin
    closed = opened(note, [VerifierKey(name, key.public) for key in signer.keys])
    with stores.data.reading() as connection:
        at = tree.current(connection)
        if at.log and incidents.origin_of(connection, at.log) == signer.origin:
            return None
        kept = (
            incidents.read(connection, at.log + 1)
            if incidents.note_of(connection, at.log + 1)
            else {}
        )
    approval = base64.b64decode(kept.get("approval", ""))
    _check_approval(stores, approval, closed)
    left = Checkpoint(name, at.frontier.size, at.frontier.root())
    return Incident(closed, left, signer.origin, approval)


def _check_approval(stores: Stores, kept: bytes, closed: Checkpoint) -> None:
    missing = Refused(
        "Two people have not said yet that the log lost entries. Run `casevault db settle`.",
        code="ledger.two-people",
    )
    with stores.keyring.reading() as tx:
        if not kept or milestones.last(tx, milestones.LOG_LOST) != closed.size:
            raise missing
        approval = Approval.decode(kept)
        if approval.wish.act is not ApprovedAct.DATA_SETTLE:
            raise missing
        approvals.check(tx, stores.trust, approval, stores.now())


def _close(stores: Stores, incident: Incident) -> None:
    closed, kept = incident.closed, incident.kept
    links = (
        ("closed.origin", closed.origin),
        ("closed.size", str(closed.size)),
        ("closed.root", base64.b64encode(closed.root).decode()),
        ("kept.size", str(kept.size)),
        ("kept.root", base64.b64encode(kept.root).decode()),
        ("opened.origin", incident.origin),
        ("approval", Approval.decode(incident.approval).wish.id.hex),
    )
    with unit_of_work(stores.data, stores.ledger) as uow:
        grown = tree.begin_next(uow.connection)
        incidents.put(uow.connection, grown.log, incident.encode())
        uow.record(Act("ledger.reopen", SERVICE, rule="permit:two-people", links=links))
        uow.commit()
