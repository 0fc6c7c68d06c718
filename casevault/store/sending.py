"""What every way out of a case asks at its door: agreed to, approved, covered, and the same bytes.

Links, packages, paper and inboxes of other teams all ask here, so that none can forget it. Must
never let something leave that is not byte for byte what the survivor agreed to.
"""

from __future__ import annotations

import secrets

from casevault.domain import referral
from casevault.domain.records import DONE, Record
from casevault.domain.referral import ReferralState, stage_of
from casevault.errors import Conflict, FieldError, Invalid, Refused
from casevault.store import leaving
from casevault.store.held import Change
from casevault.store.leaving import Leaving, Sender
from casevault.store.stores import Stores


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
