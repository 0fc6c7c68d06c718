"""Roles, permissions and the one decision that every use case asks for.

Pure. This decides who is *meant* to do what and gives the answer a rule id for the ledger. It is
not what protects a case: without a key, a permission opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from casevault.domain.staff.permissions import COMPATIBLE as COMPATIBLE
from casevault.domain.staff.permissions import Permission as Permission
from casevault.domain.staff.permissions import Role as Role
from casevault.errors import FieldError, Invalid
from casevault.ids import StaffId, TeamId


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use a permission, and what else must hold."""

    roles: frozenset[Role] = frozenset()
    public: bool = False
    writes: bool = False
    # Any signed-in person, vouched or not.
    anyone: bool = False
    own_team: bool = False
    needs_grant: bool = False
    not_self: bool = False
    # Only for a few minutes after the person gave their passphrase.
    step_up: bool = False


_TEAM = frozenset({Role.CASEWORKER, Role.SUPERVISOR})
_ALL = frozenset(Role)
_SUPERVISOR = frozenset({Role.SUPERVISOR})
_DPO, _AUDITOR = frozenset({Role.DPO}), frozenset({Role.AUDITOR})
# Whose word counts for which act: `domain.staff.approvals`.
_APPROVERS = frozenset({Role.SUPERVISOR, Role.DPO, Role.AUDITOR})

RULES: Mapping[Permission, Rule] = MappingProxyType(
    {
        Permission.HEALTH_READ: Rule(public=True),
        Permission.DOCS_READ: Rule(public=True),
        Permission.VOCABULARY_READ: Rule(public=True),
        Permission.SESSION_CREATE: Rule(public=True, writes=True),
        Permission.ENROLMENT_COMPLETE: Rule(public=True, writes=True),
        Permission.SESSION_READ: Rule(anyone=True),
        Permission.SESSION_END: Rule(anyone=True, writes=True),
        Permission.SESSION_CONFIRM: Rule(anyone=True, writes=True),
        # All that a session without its second factor may do besides: get one.
        Permission.SESSION_RAISE: Rule(anyone=True, writes=True),
        Permission.FACTOR_WRITE: Rule(anyone=True, writes=True),
        Permission.WORDS_PROPOSE: Rule(public=True),
        Permission.SIGN_IN_CHANGE: Rule(anyone=True, writes=True),
        Permission.STAFF_SUSPEND: Rule(
            frozenset({Role.ADMINISTRATOR}), writes=True, not_self=True, step_up=True
        ),
        # Whoever is awake shuts the vault; two of them open it again: `services.staff.lockdowns`.
        Permission.LOCKDOWN_BEGIN: Rule(
            frozenset({Role.SUPERVISOR, Role.DPO, Role.ADMINISTRATOR}), writes=True, step_up=True
        ),
        Permission.STAFF_ADD: Rule(frozenset({Role.ADMINISTRATOR}), writes=True),
        Permission.STAFF_RESET: Rule(
            frozenset({Role.ADMINISTRATOR}), writes=True, not_self=True, step_up=True
        ),
        Permission.STAFF_REGRANT: Rule(_APPROVERS, writes=True, not_self=True, step_up=True),
        Permission.RECOVERY_CODE: Rule(_ALL, writes=True, step_up=True),
        Permission.SIGN_IN_RESTORE: Rule(public=True, writes=True),
        Permission.STAFF_LIST: Rule(_ALL - {Role.REFERRER}),
        Permission.STAFF_READ: Rule(_ALL - {Role.REFERRER}),
        # Whose departure is whose: `services.staff.departures`.
        Permission.STAFF_DEPART: Rule(
            frozenset({Role.SUPERVISOR, Role.DPO, Role.AUDITOR}), writes=True, step_up=True
        ),
        Permission.VOUCH_ISSUE: Rule(
            frozenset({Role.SUPERVISOR, Role.DPO}), writes=True, not_self=True, step_up=True
        ),
        # Asking only: it takes a second person and the shares on paper.
        Permission.KEYS_RECOVER: Rule(_APPROVERS | {Role.ADMINISTRATOR}, writes=True, step_up=True),
        Permission.APPROVAL_LIST: Rule(_APPROVERS),
        Permission.APPROVAL_DECIDE: Rule(_APPROVERS, writes=True, step_up=True),
        Permission.CASE_OPEN: Rule(_TEAM, writes=True, own_team=True),
        Permission.CASE_LIST: Rule(_TEAM),
        Permission.CASE_READ: Rule(_TEAM, own_team=True, needs_grant=True),
        Permission.CASE_AMEND: Rule(_TEAM, writes=True, own_team=True, needs_grant=True),
        Permission.CASE_ACCESS: Rule(_TEAM, own_team=True, needs_grant=True),
        Permission.CASE_ASSIGN: Rule(_SUPERVISOR, writes=True, own_team=True, needs_grant=True),
        Permission.COVER_GIVE: Rule(_SUPERVISOR, writes=True, own_team=True),
        Permission.CASE_REVOKE: Rule(_SUPERVISOR, writes=True, own_team=True, needs_grant=True),
        Permission.CASE_TRANSFER: Rule(
            _SUPERVISOR, writes=True, own_team=True, needs_grant=True, step_up=True
        ),
        # Of the team to which it was given, whose supervisors hold it already.
        Permission.CASE_TAKE: Rule(_SUPERVISOR, writes=True, own_team=True, needs_grant=True),
        # The person's own file, for themselves.
        Permission.CASE_EXPORT: Rule(
            _TEAM, writes=True, own_team=True, needs_grant=True, step_up=True
        ),
        Permission.CASE_TRANSITION: Rule(_TEAM, writes=True, own_team=True, needs_grant=True),
        Permission.CASE_DECIDE: Rule(
            _SUPERVISOR, writes=True, own_team=True, needs_grant=True, not_self=True
        ),
        Permission.CASE_REFER: Rule(_TEAM, writes=True, own_team=True, needs_grant=True),
        # All that a referrer does. What they sent they cannot read back, for want of a key.
        Permission.INTAKE_SUBMIT: Rule(frozenset({Role.REFERRER}), writes=True),
        # Of the team's intake group: its supervisors, and colleagues whom they name.
        Permission.INBOX_LIST: Rule(_TEAM, own_team=True, needs_grant=True),
        Permission.INBOX_DECIDE: Rule(_TEAM, writes=True, own_team=True, needs_grant=True),
        # Whoever has the link and is told the code: one referral, as often as was said.
        Permission.COLLECT_SHOW: Rule(public=True),
        Permission.COLLECT_OPEN: Rule(public=True, writes=True),
        Permission.COLLECT_ANSWER: Rule(public=True, writes=True),
        # Another vault: the signature of a key that was compared stands instead of a session.
        Permission.EXCHANGE_RECEIVE: Rule(public=True, writes=True),
        # Without a grant: that is what it is for. It gives nothing by itself.
        Permission.BREAK_GLASS_ASK: Rule(_TEAM, writes=True, own_team=True, step_up=True),
        Permission.BREAK_GLASS_LIST: Rule(frozenset({Role.SUPERVISOR, Role.DPO})),
        Permission.BREAK_GLASS_REVIEW: Rule(_DPO, writes=True, not_self=True, step_up=True),
        # Asking only: the DPO's word carries it out.
        Permission.CASE_ERASE: Rule(
            _SUPERVISOR, writes=True, own_team=True, needs_grant=True, step_up=True
        ),
        Permission.CASE_EXTEND: Rule(_SUPERVISOR, writes=True, own_team=True, needs_grant=True),
        Permission.HOLD_LIST: Rule(frozenset({Role.DPO, Role.SUPERVISOR})),
        Permission.HOLD_SET: Rule(_DPO, writes=True, step_up=True),
        # Asking only: a second person's word ends it.
        Permission.HOLD_RELEASE: Rule(_DPO, writes=True, step_up=True),
        # What a survivor asks for passes through the hands of whoever holds the case.
        Permission.RIGHT_ASK: Rule(_TEAM, writes=True, own_team=True, needs_grant=True),
        Permission.RIGHT_IDENTIFY: Rule(frozenset({Role.DPO, Role.SUPERVISOR}), writes=True),
        Permission.RIGHT_LIST: Rule(frozenset({Role.DPO, Role.SUPERVISOR})),
        Permission.RIGHT_DECIDE: Rule(_DPO, writes=True, step_up=True),
        # Whoever hears a complaint passes it on, and cannot read it back.
        Permission.COMPLAINT_SEND: Rule(_TEAM | {Role.DPO}, writes=True),
        Permission.COMPLAINT_LIST: Rule(_DPO),
        Permission.COMPLAINT_ANSWER: Rule(_DPO, writes=True, step_up=True),
        Permission.RETENTION_READ: Rule(_TEAM | {Role.DPO, Role.AUDITOR}),
        # Asking only: a second person's word lets it hold.
        Permission.RETENTION_CHANGE: Rule(_DPO, writes=True, step_up=True),
        Permission.CERTIFICATE_READ: Rule(frozenset({Role.DPO, Role.AUDITOR})),
        Permission.MINIMISATION_READ: Rule(frozenset({Role.DPO, Role.SUPERVISOR})),
        # Who helps is no secret among colleagues; reporters map the gaps.
        Permission.PARTNER_READ: Rule(_TEAM | {Role.DPO, Role.REPORTER}),
        Permission.PARTNER_WRITE: Rule(_SUPERVISOR, writes=True),
        # Whoever names a partner's keys says who can open what is sent to them.
        Permission.PARTNER_KEY: Rule(_SUPERVISOR, writes=True, step_up=True),
        # What was done is for everybody who is asked about it; reporters answer for the numbers.
        Permission.REGISTER_READ: Rule(
            frozenset({Role.REPORTER, Role.SUPERVISOR, Role.DPO, Role.ADMINISTRATOR})
        ),
        Permission.REGISTER_WRITE: Rule(frozenset({Role.REPORTER}), writes=True),
        Permission.RELEASE_ACCOUNT: Rule(
            frozenset({Role.REPORTER, Role.SUPERVISOR, Role.DPO, Role.AUDITOR})
        ),
        # It ends what releases can promise about a year, for good.
        Permission.RELEASE_DISCLOSE: Rule(_DPO, writes=True, step_up=True),
        # Protected counts are for everybody who answers for them; making one pays, for good.
        Permission.RELEASE_READ: Rule(
            frozenset({Role.REPORTER, Role.SUPERVISOR, Role.DPO, Role.AUDITOR})
        ),
        Permission.RELEASE_MAKE: Rule(frozenset({Role.REPORTER}), writes=True, step_up=True),
        # Whose word counts when: `domain.staff.approvals`.
        Permission.RELEASE_REVIEW: Rule(
            frozenset({Role.SUPERVISOR, Role.REPORTER, Role.DPO}),
            writes=True,
            not_self=True,
            step_up=True,
        ),
        Permission.RELEASE_PUBLISH: Rule(frozenset({Role.REPORTER}), writes=True, step_up=True),
        Permission.RELEASE_WITHDRAW: Rule(_DPO, writes=True, step_up=True),
        Permission.DEADLINE_LIST: Rule(_DPO),
        Permission.DEADLINE_REVIEW: Rule(_DPO, writes=True, not_self=True, step_up=True),
        Permission.DUTY_SET: Rule(_SUPERVISOR, writes=True, own_team=True, step_up=True),
        Permission.INTAKE_SET: Rule(_SUPERVISOR, writes=True, own_team=True, step_up=True),
        Permission.DRAFT_READ: Rule(_TEAM),
        Permission.DRAFT_WRITE: Rule(_TEAM, writes=True),
        Permission.WORKLIST_READ: Rule(_TEAM | {Role.DPO}),
        Permission.WORKLOAD_READ: Rule(_SUPERVISOR),
        # Whoever has the token of a feed has nothing but that feed.
        Permission.FEED_READ: Rule(public=True),
        Permission.FEED_WRITE: Rule(_TEAM, writes=True),
        # Without a grant: that is what is asked for. It gives nothing by itself.
        Permission.ACCESS_ASK: Rule(_TEAM, writes=True, own_team=True),
        Permission.ACCESS_LIST: Rule(_TEAM),
        Permission.ACCESS_DECIDE: Rule(
            _TEAM, writes=True, own_team=True, needs_grant=True, not_self=True
        ),
        # What it opens are the cards of directories whose keys the caller holds; it is counted.
        Permission.SEARCH_RUN: Rule(_TEAM, writes=True),
        Permission.DIRECTORY_SHARE: Rule(_SUPERVISOR, writes=True, own_team=True, step_up=True),
        Permission.LEDGER_QUERY: Rule(_AUDITOR),
        # The DPO answers for what the auditors found; a sign-off holds numbers only.
        Permission.SIGN_OFF_READ: Rule(frozenset({Role.AUDITOR, Role.DPO})),
        Permission.LEDGER_EXPORT: Rule(_AUDITOR, writes=True, step_up=True),
        # Nobody reviews their own access: whose it is stands in what is reviewed.
        Permission.LEDGER_REVIEW: Rule(_AUDITOR, writes=True, not_self=True),
        Permission.LEDGER_RELEASE: Rule(_AUDITOR, writes=True, step_up=True),
        # How much a colleague saw before leaving, as an auditor counted it.
        Permission.LEAVER_COUNT: Rule(_SUPERVISOR, own_team=True),
    }
)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person with what is vouched for them at this moment."""

    staff_id: StaffId
    roles: frozenset[Role]
    teams: frozenset[TeamId]
    assurance: str
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """What an act is about, as far as the decision needs to know."""

    kind: str
    team: TeamId | None = None
    holds_grant: bool = False
    self_act: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and the rule that said so (``permit:caseload``, ``deny:no-grant``)."""

    allowed: bool
    rule: str


PASSPHRASE = "passphrase"  # noqa: S105 - the name of an assurance level
SECOND_FACTOR = "second_factor"
_ASSURANCE = (PASSPHRASE, SECOND_FACTOR)


def is_assured(assurance: str, minimum: str) -> bool:
    """Say whether we know surely enough who somebody is."""
    return _ASSURANCE.index(assurance) >= _ASSURANCE.index(minimum)


def decide(
    actor: Actor,
    permission: Permission,
    subject: Subject,
    *,
    minimum_assurance: str = "passphrase",
) -> Decision:
    """Decide whether a signed-in person may do this to that."""
    rule = RULES[permission]
    if rule.public or rule.anyone:
        return Decision(True, "permit:signed-in")
    denied = _denied(actor, rule, subject, minimum_assurance)
    if denied is not None:
        return Decision(False, "deny:" + denied)
    if rule.needs_grant:
        return Decision(True, "permit:caseload")
    return Decision(True, "permit:team" if rule.own_team else "permit:role")


def check_roles(roles: frozenset[Role]) -> None:
    """Refuse a set of roles that one person must not hold together, and the empty set."""
    pairs = {frozenset({a, b}) for a in roles for b in roles if a != b}
    if not roles or not pairs <= COMPATIBLE:
        raise Invalid(
            "One person cannot hold these roles together: auditors hold no other role, and the"
            " administrator is neither supervisor, DPO nor auditor.",
            code="roles.separation",
            errors=(FieldError("/roles", "roles.separation"),),
        )


def _denied(actor: Actor, rule: Rule, subject: Subject, minimum_assurance: str) -> str | None:
    if not is_assured(actor.assurance, minimum_assurance):
        return "assurance"
    if not actor.roles & rule.roles:
        return "role"
    if rule.not_self and subject.self_act:
        return "self"
    if rule.needs_grant and not subject.holds_grant:
        return "no-grant"
    if rule.own_team and subject.team not in actor.teams:
        return "other-team"
    if rule.step_up and not actor.fresh:
        return "step-up"
    return None
