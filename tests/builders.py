"""Builders: a vault after its ceremony, on either database, with the people who were in the room.

Everything is real (migrations, ceremony, key files, both stores); only the clock is ours, and the
passphrases are derived with the SMALL profile. One ceremony serves a whole test process (see
tests/snapshots.py), so that a vault costs some hundredths of a second.

    vault = a_vault(database, tmp_path)
    worker = vault.enrolled("amal", {"caseworker"}, vault.team)
    with vault.stores.keyring.reading() as tx:
        vault.holder("salma").open(tx, target)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from uuid import UUID

from casevault.clock import FixedClock
from casevault.crypto import recovery
from casevault.crypto.credentials import SMALL, PassphraseKdf
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.roots import RootProvider, create_roots, open_roots
from casevault.domain.staff import access
from casevault.domain.staff.access import Role
from casevault.domain.staff.granting import PrincipalKind
from casevault.ids import StaffId, TeamId, new_id
from casevault.services.recovery.ceremony import Ceremony, FirstPerson, Outcome, Plan
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import migrate
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring, KeyringTransaction
from casevault.store.keys import people, principals, teams
from casevault.store.keys.grants import Grantee, Granter
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.keys.people import StaffMember
from casevault.store.keys.principals import Principal
from casevault.store.keys.trust import Trust
from casevault.store.log import ledger_reading, tree
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.log.ledger import Act, Actor, Ledger
from casevault.store.log.ledger_reading import Entry
from casevault.store.log.months import Months
from tests.conftest import Databases
from tests.snapshots import Snapshot, created, kept, put, taken

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)
ORIGIN = "example.org/casevault/test"
PASSPHRASE = "seven violet herons drink slowly"
DAY = 86_400
YEAR = 365 * DAY

# Who is in the room: login → roles and team.
SUPERVISOR, DPO, AUDITOR, ADMINISTRATOR = "salma", "dana", "aude", "adam"
TEAM = "Harbour"
FIRST_PEOPLE: tuple[FirstPerson, ...] = (
    FirstPerson("Salma S.", SUPERVISOR, frozenset({Role.SUPERVISOR}), TEAM, PASSPHRASE),
    FirstPerson("Dana D.", DPO, frozenset({Role.DPO}), None, PASSPHRASE),
    FirstPerson("Aude A.", AUDITOR, frozenset({Role.AUDITOR}), None, PASSPHRASE),
    FirstPerson("Adam A.", ADMINISTRATOR, frozenset({Role.ADMINISTRATOR}), None, PASSPHRASE),
)
PLAN = Plan(FIRST_PEOPLE, threshold=2, shares=3)
KDF = PassphraseKdf(SMALL, 4)
_snapshots: dict[str, Snapshot] = {}
_empty: dict[str, tuple[str, str]] = {}


def a_clock(at: datetime = NOON) -> FixedClock:
    """Return a clock that stands still at noon of 15 November 2026."""
    return FixedClock(at)


def migrated(databases: Databases, connections: int = 16) -> tuple[Database, Database]:
    """Return data store and keyring store, empty and at head.

    The migrations run once per process and kind of database, and what they made is copied.
    """
    if databases.kind not in _empty:
        created(databases)
        for url, branch in ((databases.data_url, "data"), (databases.keyring_url, "keyring")):
            store = Database(url)
            migrate.upgrade(store, branch)
            store.close()
        _empty[databases.kind] = kept(databases)
    else:
        put(_empty[databases.kind], databases)
    return Database(databases.data_url, connections), Database(databases.keyring_url, connections)


def an_act(code: str = "staff.list", **changes: object) -> Act:
    """Return something that was done, for the ledger."""
    values: dict[str, object] = {"actor": Actor(roles=("service",)), "rule": "permit:role"}
    return Act(code, **(values | changes))  # type: ignore[arg-type]


@dataclass
class AVault:
    """A vault after its ceremony."""

    databases: Databases
    keys_dir: Path
    clock: FixedClock
    outcome: Outcome
    stores: Stores
    kdf: PassphraseKdf
    _others: list[Stores] = field(default_factory=list)
    _secrets: dict[str, PrincipalSecret] = field(default_factory=dict)

    @property
    def team(self) -> UUID:
        """The team that was made in the ceremony."""
        return self.outcome.teams[TEAM]

    @property
    def now(self) -> int:
        """The present moment in Unix seconds."""
        return self.stores.now()

    @cached_property
    def seed(self) -> bytes:
        """The seed of recovery and root, put together from the shares."""
        return recovery.combine(self.outcome.shares[: self.outcome.threshold])

    def staff(self, login: str) -> UUID:
        """Return a person's id."""
        return self.outcome.staff[login]

    def secret(self, login: str) -> PrincipalSecret:
        """Return a person's secret, as their sign-in would."""
        if login not in self._secrets:
            with self.stores.keyring.reading() as tx:
                envelope = people.envelope_of(tx, self.staff(login))
            assert envelope is not None
            self._secrets[login] = self.kdf.open(
                self.stores.organisation,
                self.staff(login),
                envelope,
                PASSPHRASE,
                self.stores.roots.pepper(),
            )
        return self._secrets[login]

    def granter(self, login: str) -> Granter:
        """Return a person as a signer of grants and vouches."""
        return Granter(self.staff(login), self.secret(login))

    def root(self) -> Granter:
        """Return the organisation root, as only a quorum can."""
        with self.stores.keyring.reading() as tx:
            (row,) = principals.groups(tx, PrincipalKind.ROOT)
        return Granter(row.id, recovery.root_principal(self.seed))

    def holder(self, login: str) -> KeyHolder:
        """Return a person's key ring for one request."""
        return KeyHolder(self.staff(login), self.secret(login), self.stores.trust)

    def caller(self, login: str, role: Role = Role.CASEWORKER) -> Caller:
        """Return a person of the team as a signed-in caller."""
        actor = access.Actor(
            StaffId(self.staff(login)),
            frozenset({role}),
            frozenset({TeamId(self.team)}),
            "passphrase",
        )
        return Caller(actor, self.holder(login), new_id())

    def group(self, kind: PrincipalKind, team: UUID | None = None) -> Principal:
        """Return the only group of a kind."""
        with self.stores.keyring.reading() as tx:
            (row,) = principals.groups(tx, kind, team)
        return row

    def appear(self, tx: KeyringTransaction, login: str) -> Granter:
        """Add a person with keys of their own for whom nobody vouches."""
        staff, secret = new_id(), PrincipalSecret.generate()
        teams.add_person(tx, staff, secret)
        self.outcome.staff[login] = staff
        self._secrets[login] = secret
        return Granter(staff, secret)

    def enrolled(
        self,
        login: str,
        roles: Iterable[str] = ("caseworker",),
        team: UUID | None = None,
        by: str = SUPERVISOR,
        seconds: int = YEAR,
    ) -> Granter:
        """Add a person with an envelope, vouched for by `by` for `seconds` from now."""
        issuer = self.granter(by)
        with self.stores.keyring.writing() as tx:
            person = self.appear(tx, login)
            member = StaffMember(
                person.id, login.title(), login, tuple(sorted(roles)), team, enrolled=True
            )
            people.add_staff(tx, member)
            envelope = self.kdf.close(
                tx.organisation, person.id, person.secret, PASSPHRASE, tx.roots.pepper()
            )
            people.put_envelope(tx, person.id, envelope)
            self.vouched(tx, issuer, person, roles, team, seconds=seconds)
        return person

    def admit(self, login: str, by: str = SUPERVISOR) -> None:
        """Let a caseworker into the directory of the team, as whoever vouches for them does."""
        with self.stores.keyring.writing() as tx:
            (group,) = principals.groups(tx, PrincipalKind.DIRECTORY, self.team)
            key = self.holder(by).group_key(tx, group)
            member = Grantee(self.staff(login), self.secret(login).public)
            teams.admit(tx, self.granter(by), group, key, member, self.now)

    def vouched(
        self,
        tx: KeyringTransaction,
        issuer: Granter,
        subject: Granter,
        roles: Iterable[str] = ("caseworker",),
        team: UUID | None = None,
        *,
        start: int | None = None,
        seconds: int = YEAR,
    ) -> UUID:
        """Keep a vouch of anybody for anybody; return its serial."""
        valid_from = self.now if start is None else start
        return teams.vouch(
            tx,
            issuer,
            subject.id,
            subject.secret.public,
            PrincipalKind.STAFF,
            roles=roles,
            team=team,
            valid_from=valid_from,
            valid_until=valid_from + seconds,
        )

    def another_process(self) -> Stores:
        """Return stores over the same databases and key files, with nothing remembered."""
        data = Database(self.databases.data_url)
        keyring = Database(self.databases.keyring_url)
        roots = open_roots(self.keys_dir)
        stores = _stores(data, keyring, roots, self.outcome, self.clock)
        self._others.append(stores)
        return stores

    def checkpoints(self, origin: str = ORIGIN) -> Checkpoints:
        """Return the signer of this vault's ledger."""
        return Checkpoints(self.stores.data, self.stores.roots, origin, self.keys_dir)

    def integrate(self) -> int:
        """Move what is staged into the tree (PostgreSQL); return how many entries moved."""
        moved = 0
        if not self.stores.data.is_sqlite:
            while count := tree.integrate(self.stores.data, self.stores.roots):
                moved += count
        return moved

    def entries(self, stores: Stores | None = None) -> list[Entry]:
        """Return every entry of the present month, oldest first, each checked."""
        chosen = stores or self.stores
        self.integrate()
        with chosen.data.reading() as connection:
            found = ledger_reading.entries(
                connection,
                chosen.roots,
                chosen.organisation,
                chosen.months.current(),
                limit=100_000,
            )
        return found[::-1]

    def close(self) -> None:
        """Close all connections."""
        for stores in (*self._others, self.stores):
            stores.close()


def a_vault(
    databases: Databases, tmp_path: Path, clock: FixedClock | None = None, plan: Plan = PLAN
) -> AVault:
    """Return a vault after its ceremony. The caller closes it.

    With clock and plan of its own it is a stranger to every other vault; otherwise a copy of the
    one whose ceremony was held first, for which the databases need only be reserved.
    """
    if clock is not None or plan is not PLAN:
        return _founded(databases, tmp_path, clock or a_clock(), plan)
    keys_dir = tmp_path / "keys"
    if databases.kind in _snapshots:
        outcome = _snapshots[databases.kind].copied_to(databases, keys_dir)
    else:
        first = _founded(databases, tmp_path, a_clock(), plan)
        first.close()
        outcome = first.outcome
        _snapshots[databases.kind] = taken(databases, keys_dir, outcome)
    return _opened(databases, keys_dir, a_clock(), outcome)


def _founded(databases: Databases, tmp_path: Path, clock: FixedClock, plan: Plan) -> AVault:
    keys_dir = tmp_path / "keys"
    stores = migrated(databases)
    roots = create_roots(keys_dir, new_id())
    outcome = Ceremony(*stores, roots, clock).hold(new_id(), plan, KDF)
    for store in stores:
        store.close()
    return _opened(databases, keys_dir, clock, outcome)


def _opened(databases: Databases, keys_dir: Path, clock: FixedClock, outcome: Outcome) -> AVault:
    data, keyring = Database(databases.data_url), Database(databases.keyring_url)
    stores = _stores(data, keyring, open_roots(keys_dir), outcome, clock)
    return AVault(databases, keys_dir, clock, outcome, stores, KDF)


def _stores(
    data: Database, database: Database, roots: RootProvider, outcome: Outcome, clock: FixedClock
) -> Stores:
    keyring = Keyring(database, roots, outcome.organisation)
    trust = Trust(outcome.root_pin, clock)
    months = Months(keyring, trust, clock)
    ledger = Ledger(data, months, roots, clock)
    return Stores(outcome.organisation, data, keyring, ledger, months, trust, roots, clock)
