"""Who may receive the keys of a case: members of its team whom the survivor has not refused.

Assigning, covering and handing over all ask here. Must never give a key to somebody for whom
nobody of the team vouches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.errors import NotFound, Refused
from casevault.store.case.held_case import HeldCase
from casevault.store.case.manifests import Manifest
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people
from casevault.store.keys.grants import Grantee, Granter

_NARRATIVE = Compartment.NARRATIVE.value
_REFUSED = DocumentKind.REFUSED_STAFF.value
_MEMBERS = frozenset({"caseworker", "supervisor"})
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Gift:
    """What somebody is to receive of one case: by its end (None: no end), the compartments."""

    held: HeldCase = field(repr=False)
    parts: tuple[tuple[int | None, frozenset[str]], ...]
    # Grants of theirs that hold no more than this.
    replaces: frozenset[UUID] = frozenset()


def member(stores: Stores, tx: KeyringTransaction, team: UUID, staff: UUID) -> Grantee:
    """Return a colleague as a receiver of the team's cases, with their vouched keys."""
    scopes = stores.trust.scopes(tx, staff)
    if not any(scope.team == team and _MEMBERS & set(scope.roles) for scope in scopes):
        raise Refused(
            "This person is not vouched for as a member of the case's team.",
            code="assign.team",
            hint="Cases go to another team by a transfer, not by an assignment.",
        )
    return Grantee(staff, stores.trust.public_keys(tx, staff))


def team_of(stores: Stores, tx: KeyringTransaction, staff: UUID) -> UUID | None:
    """Return a colleague's team: as vouched, now or lately; before any vouch, of the account.

    :raises NotFound: there is no such colleague.
    """
    account = people.staff_by_id(tx, staff)
    if account is None:
        raise NotFound()
    vouched = [b for b in stores.trust.believed(tx, staff) if b.scope.team is not None]
    if not vouched:
        return account.team
    return max(vouched, key=lambda b: b.valid_until).scope.team


def check_not_refused(held: HeldCase, connection: Connection, staff: UUID) -> None:
    """Refuse somebody whom the survivor does not want; the caller must hold the narrative."""
    if refuses(held, connection, staff):
        raise Refused(
            "The survivor does not want this person to see the case.",
            code="assign.refused-staff",
            hint="Choose another colleague. Only the survivor can take this back.",
        )


def refuses(
    held: HeldCase, connection: Connection, staff: UUID, manifest: Manifest | None = None
) -> bool:
    """Say whether the survivor does not want this person to see the case."""
    listed = held.manifest(connection, _NARRATIVE) if manifest is None else manifest
    found = held.documents(connection, listed, [_REFUSED])
    return any(Record.decode(document.content).about == staff for document in found)


def gift(
    stores: Stores,
    tx: KeyringTransaction,
    held: HeldCase,
    giver: UUID,
    receiver: UUID,
    until: int | None,
) -> Gift:
    """Return what the receiver lacks of that which the giver holds of a case, at most `until`.

    :raises KeyUnavailable: the caller does not hold all of it.
    """
    theirs = _ends(stores, tx, held, giver)
    wanted = {name: min(end, until or _NEVER) for name, end in theirs.items()}
    has = _ends(stores, tx, held, receiver)
    lacking = {name: end for name, end in wanted.items() if has.get(name, 0) < end}
    for name in lacking:
        held.newest_key(name)
    parts = tuple(
        (None if end == _NEVER else end, frozenset(n for n, e in lacking.items() if e == end))
        for end in sorted(set(lacking.values()))
    )
    replaced = frozenset(
        grant.terms.id
        for grant in grants.of_object(tx, held.target, [receiver])
        if all(
            lacking.get(carried.compartment, 0) >= (grant.terms.expires_at or _NEVER)
            for carried in grant.terms.carried
        )
    )
    return Gift(held, parts, replaced)


def give(
    tx: KeyringTransaction,
    granter: Granter,
    receiver: Grantee,
    gifts: Iterable[Gift],
    *,
    purpose: str,
    now: int,
) -> None:
    """Write the grants; the caller has checked that each case's keys are the newest."""
    for one in gifts:
        grants.take_these(tx, one.replaces)
        for end, names in one.parts:
            grants.give(
                tx,
                one.held.target,
                {name: one.held.newest_key(name) for name in names},
                granter,
                [(receiver, names)],
                purpose=purpose,
                issued_at=now,
                expires_at=end,
            )


def _ends(stores: Stores, tx: KeyringTransaction, held: HeldCase, staff: UUID) -> dict[str, int]:
    """Return until when somebody holds which compartments by grants of their own."""
    found: dict[str, int] = {}
    for grant in grants.of_object(tx, held.target, [staff]):
        # What an emergency opened is nobody's to pass on.
        if grants.is_over(grant, stores.now()) or grant.terms.purpose == grants.BREAK_GLASS:
            continue
        stores.trust.check_grant(tx, grant)
        end = grant.terms.expires_at or _NEVER
        for carried in grant.terms.carried:
            found[carried.compartment] = max(end, found.get(carried.compartment, 0))
    return found
