"""Colleagues: added by an administrator, enrolled by themselves, vouched for by the right person.

The administrator makes accounts and can give nobody a key; powers come from vouches alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import tokens
from casevault.crypto.credentials import PassphraseKdf, check_strength
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.domain.staff.access import Permission, Role, Subject, check_roles
from casevault.domain.staff.granting import PrincipalKind
from casevault.domain.staff.vouching import Scope, may_vouch
from casevault.errors import (
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    Refused,
    Unauthenticated,
)
from casevault.ids import StaffId, TeamId, new_id
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people, principals, teams
from casevault.store.keys.grants import Grantee
from casevault.store.keys.people import StaffMember
from casevault.store.log import ledger
from casevault.store.log.ledger import Act, Touched
from casevault.store.staff.failures import Failures

_DAY = 86_400
_CODE_SECONDS = 7 * _DAY
_VOUCH_SECONDS = 365 * _DAY
_TEAM_ROLES = frozenset({Role.CASEWORKER, Role.SUPERVISOR})


@dataclass(frozen=True, slots=True)
class Colleague:
    """A colleague as colleagues see them."""

    id: UUID
    name: str = field(repr=False)
    login: str = field(repr=False)
    roles: tuple[str, ...]
    team: UUID | None
    team_name: str | None
    enrolled: bool
    vouched: bool
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Added:
    """A new account and the one-time code with which its person enrols."""

    id: UUID
    code: str = field(repr=False)


class Accounts:
    """Accounts, enrolment and vouches."""

    def __init__(self, stores: Stores, gate: Gate, kdf: PassphraseKdf) -> None:
        self._stores = stores
        self._gate = gate
        self._kdf = kdf
        self._failures = Failures(stores)

    def add(
        self, caller: Caller, name: str, login: str, roles: frozenset[Role], team: UUID | None
    ) -> Added:
        """Make an account without any power and return its one-time code (7 days)."""
        self._gate.require(caller, Permission.STAFF_ADD, Subject(kind="staff"))
        check_roles(roles)
        if bool(roles & _TEAM_ROLES) != (team is not None):
            raise Invalid(
                "Caseworkers and supervisors belong to a team, others do not.",
                code="staff.team",
                errors=(FieldError("/team", "staff.team"),),
            )
        staff, code = new_id(), tokens.new_code()
        member = StaffMember(
            staff, name, login, tuple(sorted(r.value for r in roles)), team, enrolled=False
        )
        stores = self._stores
        with stores.keyring.reading() as tx:
            self._check_new(tx, member)
        act = Act("staff.add", caller.on_ledger, touched=(Touched("staff", staff),))
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            self._check_new(tx, member)
            people.add_staff(tx, member)
            people.add_enrolment(tx, staff, code, stores.now() + _CODE_SECONDS)
        return Added(staff, code)

    def enrol(self, code: str, passphrase: str, request: str | None = None) -> Colleague:
        """Use a one-time code up: make the person's keys, sealed under their own passphrase."""
        check_strength(passphrase)
        stores = self._stores
        try:
            with stores.keyring.reading() as tx:
                staff = people.enrolment_of(tx, code, stores.now())
        except Unauthenticated:
            self._failures.record("auth.enrol_failed", "deny:code", code, None, request)
            raise
        secret = PrincipalSecret.generate()
        pepper = stores.roots.pepper()
        with self._kdf.queued():
            envelope = self._kdf.close(stores.organisation, staff, secret, passphrase, pepper)
        actor = ledger.Actor(staff=staff, request=request)
        act = Act("auth.enrol", actor, rule="permit:code", touched=(Touched("staff", staff),))
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            # Used up here and not before: two people with one code cannot both get in.
            people.use_enrolment(tx, code, stores.now())
            member = people.staff_by_id(tx, staff)
            if member is None:
                raise NotFound()
            people.put_envelope(tx, staff, envelope)
            teams.add_person(tx, staff, secret)
            people.change_staff(tx, staff, enrolled=True)
            colleague = self._colleague(tx, member, secret.public)
        return colleague

    def me(self, caller: Caller) -> Colleague:
        """Return the caller's own account."""
        self._gate.require(caller, Permission.SESSION_READ, Subject(kind="staff", self_act=True))
        return self._read(caller, caller.staff)

    def read(self, caller: Caller, staff: UUID) -> Colleague:
        """Return one colleague, with the fingerprint to be compared before vouching."""
        self._gate.require(
            caller, Permission.STAFF_READ, Subject(kind="staff"), (Touched("staff", staff),)
        )
        return self._read(caller, staff)

    def list(self, caller: Caller) -> list[Colleague]:
        """Return all colleagues by name."""
        self._gate.require(caller, Permission.STAFF_LIST, Subject(kind="staff"))
        with self._stores.keyring.reading() as tx:
            found = [self._colleague(tx, member) for member in people.all_staff(tx)]
        self._stores.ledger.record(
            Act("staff.list", caller.on_ledger, rule="permit:role", count=len(found))
        )
        return found

    def vouch(self, caller: Caller, staff: UUID, fingerprint: str) -> Colleague:
        """Vouch for a colleague whose fingerprint was compared, and let them into the groups.

        Role and team are those of the account; the caller's own vouch decides whether they may.
        The entry comes first: a vouch gives power.
        """
        touched = (Touched("staff", staff),)
        subject = Subject(kind="staff", self_act=staff == caller.staff)
        self._gate.require(caller, Permission.VOUCH_ISSUE, subject, touched)
        stores = self._stores
        with stores.keyring.reading() as tx:
            member, public = self._enrolled(tx, staff)
            issuer = self._issuer_scope(tx, caller, member)
        if issuer is None:
            self._gate.deny(caller, Permission.VOUCH_ISSUE, "deny:vouch-scope", touched)
            raise Refused(
                "Somebody else has to vouch for this person.",
                code="vouch.scope",
                hint="Supervisors vouch for their team, the DPO for everybody else.",
            )
        if "".join(fingerprint.lower().split()) != "".join(public.fingerprint.split()):
            self._gate.deny(caller, Permission.VOUCH_ISSUE, "deny:fingerprint", touched)
            raise Refused(
                "This is not the fingerprint of this person's keys. Compare it with what they see"
                " under `me`, by voice or in person.",
                code="vouch.fingerprint",
            )
        act = Act("key.vouch", caller.on_ledger, rule="permit:vouch", touched=touched)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            self._write_vouch(tx, caller, member, public)
        with stores.keyring.reading() as tx:
            return self._colleague(tx, member, public)

    def teams(self, caller: Caller) -> dict[UUID, str]:
        """Return the teams by id."""
        self._gate.require(caller, Permission.STAFF_LIST, Subject(kind="team"))
        with self._stores.keyring.reading() as tx:
            found = people.teams(tx)
        self._stores.ledger.record(
            Act("staff.list", caller.on_ledger, rule="permit:role", count=len(found))
        )
        return found

    @staticmethod
    def _check_new(tx: KeyringTransaction, member: StaffMember) -> None:
        if member.team is not None and member.team not in people.teams(tx):
            raise Invalid(
                "There is no such team.",
                code="staff.team-unknown",
                errors=(FieldError("/team", "staff.team-unknown"),),
            )
        if people.staff_by_login(tx, member.login) is not None:
            raise Conflict("This login is taken. Choose another.", code="staff.login-taken")

    def _write_vouch(
        self, tx: KeyringTransaction, caller: Caller, member: StaffMember, public: PublicKeys
    ) -> None:
        now = self._stores.now()
        teams.vouch(
            tx,
            caller.keys.granter,
            member.id,
            public,
            PrincipalKind.STAFF,
            roles=member.roles,
            team=member.team,
            valid_from=now,
            valid_until=now + _VOUCH_SECONDS,
        )
        mine = caller.keys.group_ids(tx)
        for group in teams.groups_for(tx, member.roles, member.team):
            if group.id in mine:
                key = caller.keys.group_key(tx, group)
                grantee = Grantee(member.id, public)
                teams.admit(tx, caller.keys.granter, group, key, grantee, now)

    def _issuer_scope(
        self, tx: KeyringTransaction, caller: Caller, member: StaffMember
    ) -> Scope | None:
        wanted = Scope(
            kind=PrincipalKind.STAFF.value,
            roles=tuple(sorted(member.roles)),
            team=None if member.team is None else TeamId(member.team),
        )
        held = self._stores.trust.scopes(tx, caller.staff)
        return next((scope for scope in held if may_vouch(scope, wanted)), None)

    @staticmethod
    def _enrolled(tx: KeyringTransaction, staff: UUID) -> tuple[StaffMember, PublicKeys]:
        member, row = people.staff_by_id(tx, staff), principals.principal(tx, staff)
        if member is None:
            raise NotFound()
        # After a reset the old keys are still there, and nobody must vouch for them again.
        if row is None or people.envelope_of(tx, staff) is None:
            raise Conflict(
                "This person has not enrolled yet, so there are no keys to vouch for.",
                code="vouch.not-enrolled",
            )
        return member, row.public

    def _read(self, caller: Caller, staff: UUID) -> Colleague:
        with self._stores.keyring.reading() as tx:
            member = people.staff_by_id(tx, staff)
            if member is None:
                raise NotFound()
            found = self._colleague(tx, member)
        self._stores.ledger.record(
            Act(
                "staff.read",
                caller.on_ledger,
                rule="permit:role",
                touched=(Touched("staff", staff),),
            )
        )
        return found

    def _colleague(
        self, tx: KeyringTransaction, member: StaffMember, public: PublicKeys | None = None
    ) -> Colleague:
        row = principals.principal(tx, member.id)
        keys = public or (row.public if row is not None else None)
        return Colleague(
            id=StaffId(member.id),
            name=member.name,
            login=member.login,
            roles=member.roles,
            team=member.team,
            team_name=None if member.team is None else people.teams(tx).get(member.team),
            enrolled=keys is not None,
            vouched=bool(self._stores.trust.scopes(tx, member.id)),
            fingerprint=None if keys is None else keys.fingerprint,
        )
