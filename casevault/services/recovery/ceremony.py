"""The key ceremony: from two empty databases to a vault whose first people are vouched for.

Runs once, in one room. The 32-byte seed of recovery and root exists while this runs, leaves as
k-of-n shares on paper, and is kept nowhere. Must never write a passphrase or a share to a store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, UUID, uuid5

from casevault.clock import Clock, unix_seconds
from casevault.crypto import recovery
from casevault.crypto.credentials import PassphraseKdf, check_strength
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.crypto.roots import PRINCIPALS, RootProvider
from casevault.crypto.sealing import Key
from casevault.domain.staff import organisation as organisations
from casevault.domain.staff.access import Role, check_roles
from casevault.domain.staff.granting import PrincipalKind
from casevault.domain.staff.organisation import Seat
from casevault.domain.staff.vouching import Scope, may_vouch
from casevault.errors import Invalid
from casevault.ids import TeamId, new_id
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring, KeyringTransaction
from casevault.store.keys import people, principals, teams
from casevault.store.keys.grants import Grantee, Granter
from casevault.store.keys.people import StaffMember
from casevault.store.keys.principals import Principal
from casevault.store.recovery import identity

Progress = Callable[[str], None]
_DAY = 86_400
_VALID_DAYS = 365
_WIDE_GROUPS = {Role.AUDITOR: PrincipalKind.AUDITORS, Role.DPO: PrincipalKind.DPO}
# Whom the root itself vouches for; the DPO vouches for the administrator.
_ROOT_VOUCHED = frozenset({Role.DPO, Role.SUPERVISOR, Role.AUDITOR})
PRESENT = (Role.DPO, Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class FirstPerson:
    """Somebody who is in the room and chooses a passphrase."""

    name: str = field(repr=False)
    login: str = field(repr=False)
    roles: frozenset[Role]
    team: str | None
    passphrase: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the ceremony is to set up."""

    people: tuple[FirstPerson, ...]
    threshold: int = 3
    shares: int = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What leaves the ceremony: ids, the root's fingerprint and the shares for paper."""

    organisation: UUID
    root_pin: str
    staff: dict[str, UUID]
    teams: dict[str, UUID]
    shares: tuple[str, ...] = field(repr=False)
    threshold: int
    held_alone: tuple[str, ...]


HandOut = Callable[[Outcome], None]


class Ceremony:
    """Sets up an empty keyring and data store."""

    def __init__(
        self, data: Database, keyring: Database, roots: RootProvider, clock: Clock
    ) -> None:
        self._data = data
        self._database = keyring
        self._roots = roots
        self._clock = clock

    def hold(
        self,
        organisation: UUID,
        plan: Plan,
        kdf: PassphraseKdf,
        progress: Progress = lambda _: None,
        hand_out: HandOut = lambda _: None,
    ) -> Outcome:
        """Run the whole ceremony in one keyring transaction; nothing is left of a failed one.

        `hand_out` is called before it commits: no vault ever exists whose shares were lost.
        """
        check_plan(plan)
        now = unix_seconds(self._clock.now())
        seed = recovery.new_seed()
        keyring = Keyring(self._database, self._roots, organisation)
        identity.require_empty(self._data, self._database)
        with keyring.founding(self._roots.keyring_id) as tx:
            room = _Room(tx, kdf, now, seed)
            progress("root, recovery and service keys")
            room.set_up_groups()
            progress("teams and the first people")
            room.admit_people(plan.people)
            outcome = _outcome(organisation, plan, seed, room)
            hand_out(outcome)
        identity.begin_data(self._data, organisation, self._roots.keyring_id)
        return outcome


def check_plan(plan: Plan) -> None:
    """Refuse a plan that leaves a vault which nobody could run or recover."""
    for fault in plan_faults(plan):
        raise fault
    for person in plan.people:
        check_strength(person.passphrase)


def plan_faults(plan: Plan) -> Iterator[Invalid]:
    """Yield everything that is wrong with a plan, passphrases left aside."""
    if not 2 <= plan.threshold <= plan.shares <= 16:
        yield Invalid("Choose shares such as 3 of 5 (at least 2).", code="ceremony.shares")
    present = frozenset().union(*(person.roles for person in plan.people))
    for role in PRESENT:
        if role not in present:
            yield Invalid(
                f"Nobody in the plan is {role.value}. The first DPO, supervisor, auditor and"
                " administrator take part in the ceremony.",
                code="ceremony.role-missing",
            )
    logins = [people.fold_login(person.login) for person in plan.people]
    if len(set(logins)) != len(logins):
        yield Invalid("Two people have the same login.", code="ceremony.login")
    for person in plan.people:
        yield from _person_faults(person)


def _person_faults(person: FirstPerson) -> Iterator[Invalid]:
    try:
        check_roles(person.roles)
    except Invalid as fault:
        yield fault
        return
    if not person.roles & set(PRESENT):
        yield Invalid(
            "Caseworkers, reporters and referrers enrol after the ceremony, with a one-time code.",
            code="ceremony.role-later",
        )
    elif (Role.SUPERVISOR in person.roles) != (person.team is not None):
        yield Invalid("Supervisors, and only they, name their team.", code="ceremony.team")
    elif not _can_be_vouched(person):
        yield Invalid(
            "Nobody may vouch for these roles together at the ceremony: leave out the reporter.",
            code="ceremony.vouch",
        )


def _can_be_vouched(person: FirstPerson) -> bool:
    # A vouch that its issuer may not give is believed by nobody, and there is no second ceremony.
    by_root = bool(_ROOT_VOUCHED & person.roles)
    issuer = Scope("root", (), None) if by_root else Scope("staff", (Role.DPO.value,), None)
    team = None if person.team is None else TeamId(uuid5(NAMESPACE_OID, person.team))
    return may_vouch(issuer, Scope("staff", tuple(role.value for role in person.roles), team))


def held_alone(first: tuple[FirstPerson, ...]) -> tuple[str, ...]:
    """Return the roles that one person holds alone: their loss needs the recovery shares."""
    seats = [Seat(person.roles, person.team) for person in first]
    return tuple(sorted(role.value for role in organisations.held_alone(seats)))


def _outcome(organisation: UUID, plan: Plan, seed: bytes, room: _Room) -> Outcome:
    root = recovery.root_principal(seed).public
    return Outcome(
        organisation=organisation,
        root_pin=root.pin,
        staff=room.staff,
        teams=room.teams,
        shares=recovery.split(seed, plan.threshold, plan.shares),
        threshold=plan.threshold,
        held_alone=held_alone(plan.people),
    )


class _Room:
    """The ceremony while it runs."""

    def __init__(self, tx: KeyringTransaction, kdf: PassphraseKdf, now: int, seed: bytes) -> None:
        self._tx = tx
        self._kdf = kdf
        self._now = now
        self._until = now + _VALID_DAYS * _DAY
        self._root = Granter(new_id(), recovery.root_principal(seed))
        self._recovery = Grantee(new_id(), recovery.recovery_principal(seed).public)
        self._wide: dict[Role, tuple[Principal, Key]] = {}
        self._founders: dict[str, Granter] = {}
        self._team_groups: dict[str, teams.TeamGroups] = {}
        self.staff: dict[str, UUID] = {}
        self.teams: dict[str, UUID] = {}

    def set_up_groups(self) -> None:
        tx, root = self._tx, self._root
        row = Principal(root.id, PrincipalKind.ROOT, None, root.secret.public)
        principals.add_principal(tx, row)
        self._add_vouched(self._recovery.id, PrincipalKind.RECOVERY, self._recovery.public)
        for name in PRINCIPALS:
            self._add_vouched(new_id(), PrincipalKind(name), tx.roots.principal(name).public)
        for role, kind in _WIDE_GROUPS.items():
            self._wide[role] = self._add_wide(kind)
        # Backups are sealed to it; nobody is let in but recovery, so nothing online opens one.
        self._add_wide(PrincipalKind.BACKUP)

    def _add_wide(self, kind: PrincipalKind) -> tuple[Principal, Key]:
        group, key = principals.add_group(self._tx, new_id(), kind, None)
        self._vouch(self._root, group.id, group.public, kind)
        teams.admit(self._tx, self._root, group, key, self._recovery, self._now)
        return group, key

    def admit_people(self, first: tuple[FirstPerson, ...]) -> None:
        own = {person.login: self._keep(person) for person in first}
        for person in first:
            if person.team is not None:
                self.teams.setdefault(person.team, new_id())
        dpo = next(own[person.login] for person in first if Role.DPO in person.roles)
        for person in first:
            issuer = self._root if _ROOT_VOUCHED & person.roles else dpo
            self._admit(person, own[person.login], issuer)

    def _keep(self, person: FirstPerson) -> Granter:
        staff, secret = new_id(), PrincipalSecret.generate()
        self.staff[person.login] = staff
        teams.add_person(self._tx, staff, secret)
        envelope = self._kdf.close(
            self._tx.organisation, staff, secret, person.passphrase, self._tx.roots.pepper()
        )
        people.put_envelope(self._tx, staff, envelope)
        return Granter(staff, secret)

    def _admit(self, person: FirstPerson, own: Granter, issuer: Granter) -> None:
        roles = tuple(sorted(role.value for role in person.roles))
        team = None if person.team is None else self.teams[person.team]
        member = StaffMember(own.id, person.name, person.login, roles, team, enrolled=True)
        people.add_staff(self._tx, member)
        self._vouch(issuer, own.id, own.secret.public, PrincipalKind.STAFF, roles, team)
        grantee = Grantee(own.id, own.secret.public)
        for role, (group, key) in self._wide.items():
            if role in person.roles:
                teams.admit(self._tx, self._root, group, key, grantee, self._now)
        if person.team is not None and team is not None:
            self._join_team(person.team, team, own, grantee)

    def _join_team(self, name: str, team: UUID, own: Granter, grantee: Grantee) -> None:
        founder = self._founders.setdefault(name, own)
        if founder is own:
            self._team_groups[name] = teams.create_team(
                self._tx, team, name, own, self._recovery, self._now, self._until
            )
            return
        for group, key in self._team_groups[name].values():
            teams.admit(self._tx, founder, group, key, grantee, self._now)

    def _add_vouched(self, principal_id: UUID, kind: PrincipalKind, public: PublicKeys) -> None:
        principals.add_principal(self._tx, Principal(principal_id, kind, None, public))
        self._vouch(self._root, principal_id, public, kind)

    def _vouch(
        self,
        issuer: Granter,
        subject: UUID,
        public: PublicKeys,
        kind: PrincipalKind,
        roles: tuple[str, ...] = (),
        team: UUID | None = None,
    ) -> None:
        teams.vouch(
            self._tx,
            issuer,
            subject,
            public,
            kind,
            roles=roles,
            team=team,
            valid_from=self._now,
            valid_until=self._until,
        )
