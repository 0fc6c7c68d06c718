"""What every way out of a case asks at its door: agreed to, approved, covered, and the same bytes.

Links, packages, paper and inboxes of other teams all ask here, so that none can forget it. Must
never let something leave that is not byte for byte what the survivor agreed to.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from casevault.domain.case.records import DONE, Record
from casevault.domain.sharing import referral
from casevault.domain.sharing.referral import ReferralState, stage_of
from casevault.errors import Conflict, FieldError, Invalid, NotFound, Refused
from casevault.store.case import cases
from casevault.store.casework import holding, rekeying
from casevault.store.casework.held import Change
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.sharing import leaving
from casevault.store.sharing.leaving import Leaving, Sender


def require_sendable(record: Record, *, approved: bool) -> None:
    """Refuse what was not agreed to, or waits for a supervisor.

    `approved`: whether one whom nobody was asked to approve counts as approved.
    """
    referral.moved(stage_of(record), ReferralState.SENT)
    if record.marks.get("state", DONE if approved else "") != DONE:
        raise Conflict("A supervisor has not approved this yet.", code="referral.unapproved")


def allowed(stores: Stores, sender: Sender, change: Change, record: Record, digest: str) -> Leaving:
    """Return what leaves if it is allowed, not empty, and what `digest` names."""
    out = leaving.prepared(stores, sender, change.documents, record, change.case.id)
    refused = {
        category: why
        for category, why in out.found.answer.refused.items()
        if why.startswith("consent.")
    }
    if refused:
        raise Refused(
            "The survivor has not agreed to all of this for this recipient.",
            code="referral.consent",
            hint="Record what they agree to, or tick less; then preview it again.",
            errors=tuple(FieldError("/disclose/" + c, w) for c, w in sorted(refused.items())),
        )
    if not out.found.fields and not out.found.files:
        raise Invalid("Nothing of this would leave.", code="referral.empty")
    require_same(out.digest, digest)
    return out


def require_no_files(out: Leaving) -> None:
    """Refuse a way on which files cannot go: a link, an inbox, another vault."""
    if out.found.files:
        raise Conflict(
            "Files go in a package or with a letter on paper, not this way.",
            code="referral.files",
            hint="Pack it, or write the referral without files and send them by themselves.",
        )


def require_same(digest: str, agreed: str) -> None:
    """Refuse other bytes than were agreed to."""
    if not secrets.compare_digest(digest, agreed):
        raise Conflict(
            "What would leave is not what was agreed to.",
            code="referral.changed",
            hint="Preview it again, and read it to the survivor.",
        )


def version_of(change: Change) -> int:
    """Return which version a case has once this change of it is committed."""
    return change.case.version + change.is_changed


@contextmanager
def while_named(stores: Stores, case_id: UUID, version: int) -> Iterator[KeyringTransaction]:
    """Give the keyring's transaction that makes a letter which its case names already.

    The case's row is locked meanwhile: whoever calls the letter back, withdraws what allows it or
    erases the case did so before, and no letter is made, or finds it afterwards.

    :raises Conflict: the case is not in this version any more (`rekeying.tried_twice` solves it).
    :raises NotFound: it is erased.
    """
    with stores.data.writing() as connection:
        case = cases.find_case(connection, stores.roots, case_id, lock=True)
        if case is None:
            raise NotFound()
        if case.version != version:
            raise rekeying.rekeyed()
        with stores.keyring.writing() as tx:
            holding.require_there(tx, case_id)
            yield tx
