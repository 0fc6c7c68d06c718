"""Who may vouch for whom, for how long, and how long a chain may be.

Pure. A vouch says: these public keys belong to this principal, in these roles, in this team.
Source of the table: design/keys.md, "Principals".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from casevault.errors import Invalid
from casevault.ids import PrincipalId, TeamId

MAX_CHAIN = 3
MAX_VALIDITY_DAYS = 400
_DAY = 86_400

_TEAM_GROUPS = frozenset({"oversight", "duty", "directory", "intake"})
_ROOT_KINDS = frozenset(
    {"auditors", "dpo", "counting", "recovery", "service", "organisation", "ledger", "backup"}
)
_ROOT_ROLES = frozenset({"dpo", "supervisor", "auditor"})
_DPO_ROLES = frozenset({"auditor", "reporter", "administrator", "referrer"})
# A member vouches for the group that takes the place of theirs.
_WIDE_GROUPS = {"auditors": "auditor", "dpo": "dpo"}
_SUPERVISOR_ROLES = frozenset({"supervisor", "caseworker"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What a vouch covers: kind of principal, roles, and the team (None outside teams)."""

    kind: str
    roles: tuple[str, ...]
    team: TeamId | None


@dataclass(frozen=True, slots=True)
class VouchStatement:
    """What is signed. Times are Unix seconds; valid from inclusive, until exclusive."""

    subject: PrincipalId
    kind: str
    roles: tuple[str, ...]
    team: TeamId | None
    kem_public: bytes = field(repr=False)
    sign_public: bytes = field(repr=False)
    issuer: PrincipalId
    valid_from: int
    valid_until: int
    serial: UUID


def may_vouch(issuer: Scope, subject: Scope) -> bool:
    """Say whether a holder of `issuer`'s scope may vouch for `subject`'s."""
    if issuer.kind == "root":
        return subject.kind in _ROOT_KINDS or _staff_within(subject, _ROOT_ROLES | {"caseworker"})
    if issuer.kind != "staff":
        return False
    if "supervisor" in issuer.roles and issuer.team is not None and issuer.team == subject.team:
        if subject.kind in _TEAM_GROUPS:
            return True
        if _staff_within(subject, _SUPERVISOR_ROLES):
            return True
    if _WIDE_GROUPS.get(subject.kind) in issuer.roles and subject.team is None:
        return True
    return "dpo" in issuer.roles and subject.team is None and _staff_within(subject, _DPO_ROLES)


def check_validity(valid_from: int, valid_until: int) -> None:
    """Refuse a vouch that ends before it begins or lasts longer than 400 days."""
    if not 0 < valid_until - valid_from <= MAX_VALIDITY_DAYS * _DAY:
        raise Invalid("A vouch lasts at most 400 days.", code="vouch.validity")


def _staff_within(subject: Scope, roles: frozenset[str]) -> bool:
    return subject.kind == "staff" and bool(subject.roles) and set(subject.roles) <= roles
