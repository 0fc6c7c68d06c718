"""What a case is asked before it goes to another team, and how it becomes that team's.

Decides by the survivor's word alone: consents, refusals of staff. Must never move a case of which
anything is not covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from casevault.domain import vocabulary
from casevault.domain.case import casefile
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.sharing import consent
from casevault.domain.sharing.consent import Answer, Disclosure, Purpose
from casevault.errors import Conflict, FieldError, Refused
from casevault.ids import TeamId
from casevault.store.case import cases, manifests
from casevault.store.case.held_case import HeldCase
from casevault.store.case.manifests import Manifest
from casevault.store.casework import case_approvals, handing, listing, objecting
from casevault.store.context.stores import Stores

_IDENTITY, _NARRATIVE = Compartment.IDENTITY.value, Compartment.NARRATIVE.value
_GROUNDS = (DocumentKind.CONSENT.value, DocumentKind.BASIS.value)
_DECIDED = (DocumentKind.TRANSITION.value, DocumentKind.BASIS.value)
# To hold a whole compartment is to hold every category of data.
_EVERYTHING = frozenset(vocabulary.code_list("data_category"))


def allowed(
    stores: Stores,
    held: HeldCase,
    connection: Connection,
    listed: Manifest | None,
    team: UUID,
    leading: set[UUID],
) -> Answer:
    """Return by what somebody's consent all of a case may go to a team; `leading` supervise it.

    :raises Refused: it may not, with every kind of data that is not covered.
    :raises Conflict: something in it waits for a decision of its present team.
    """
    if listed is None:
        # What was agreed to went with the narrative; nothing is left that allows it.
        return _allowed(consent.decide(_wish(team), (), stores.clock.now().date()))
    if any(handing.refuses(held, connection, one, listed) for one in sorted(leading)):
        raise Refused(
            "The survivor does not want somebody who leads that team to see the case.",
            code="transfer.refused-staff",
            hint="Choose another team. Only the survivor can take this back.",
        )
    now, stopped = stores.now(), objecting.stopped(stores, held.case.id)
    found = held.documents(connection, listed, {*_GROUNDS, *_DECIDED})
    records = [(one, Record.decode(one.content)) for one in found]
    if any(
        one.kind in _DECIDED and case_approvals.is_waiting(record, now) for one, record in records
    ):
        raise Conflict(
            "Something in this case waits for a decision of your team.",
            code="transfer.waiting",
            hint="Decide it first: the other team cannot.",
        )
    grounds = [
        consent.ground_of(one.row, record, now, stopped)
        for one, record in records
        if one.kind in _GROUNDS
    ]
    return _allowed(consent.decide(_wish(team), grounds, stores.clock.now().date()))


def rewrite(
    stores: Stores, connection: Connection, held: HeldCase, team: UUID
) -> tuple[tuple[str, int], ...]:
    """Write the team into the plain row and the manifests; return the manifests' revisions."""
    case = replace(casefile.next_version(held.case), team=TeamId(team))
    versions = []
    for name in sorted(held.versions):
        moved = replace(held.manifest(connection, name), team=team)
        written = manifests.write_manifest(
            connection, stores.organisation, case, moved, held.key(name)
        )
        versions.append((name, written.revision))
    cases.change_case(connection, stores.roots, case)
    return tuple(versions)


def card_text(stores: Stores, held: HeldCase, connection: Connection) -> bytes | None:
    """Return the text of the case's search card, or None if it is to have none."""
    if not {_IDENTITY, _NARRATIVE} <= held.versions.keys():
        return None
    profile = _only(held, connection, _NARRATIVE, DocumentKind.PROFILE)
    if profile.get("unlisted"):
        return None
    identity = _only(held, connection, _IDENTITY, DocumentKind.IDENTITY)
    return listing.card_text(stores.search, identity, int(held.case.opened_month[:4]))


def _only(
    held: HeldCase, connection: Connection, compartment: str, kind: DocumentKind
) -> Mapping[str, Any]:
    found = held.documents(connection, held.manifest(connection, compartment), [kind.value])
    return found[0].content if found else {}


def _wish(team: UUID) -> Disclosure:
    return Disclosure(Purpose.REFERRAL, _EVERYTHING, str(team))


def _allowed(answer: Answer) -> Answer:
    if answer.refused:
        raise Refused(
            "The survivor's consent does not cover giving everything to that team.",
            code="transfer.consent",
            hint="Record a consent to a referral that names the team's id and all kinds of data, or"
            " refer the survivor with a part of it instead.",
            errors=tuple(
                FieldError(f"/consent/{category}", why)
                for category, why in sorted(answer.refused.items())
            ),
        )
    return answer
