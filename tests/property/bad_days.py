"""A vault through bad days, in any order that hypothesis thinks of. Real files, or PostgreSQL.

Write, erase, revoke, roll, backup, crash, restore, and the loss of the whole machine, against a
model of what people must be able to read. It says three things at every step: no acknowledged case
is lost that a backup held (and what a backup did not hold is reported as lost, and returns with a
later backup), no erased case opens or leaves a row, and nobody opens what was taken from them.
Nothing is tested here; `test_bad_days` runs it.
"""

from __future__ import annotations

import shutil
import tempfile
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from casevault.crypto import recovery
from casevault.crypto.recovery import read_share
from casevault.crypto.roots import adopt_roots
from casevault.domain.case.casefile import Compartment
from casevault.domain.staff.access import Role
from casevault.errors import NotFound
from casevault.services.casework.assignments import Assignments
from casevault.services.recovery.backups import Backups, Source
from casevault.services.recovery.rolls import Rolls
from casevault.store.case import tombstones as stones
from casevault.store.context.caller import Gate
from casevault.store.engine import migrate
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.recovery import capsules, identity, media, rebuilding, restoring
from casevault.store.recovery.media import Medium
from casevault.store.recovery.rebuilding import Copies as Files
from casevault.store.retention import erasing
from tests.builders import SUPERVISOR, a_vault
from tests.conftest import Databases
from tests.integration.restoring import Copies, clear

STAFF = ("amal", "boris")
ALL = frozenset(compartment.value for compartment in Compartment)
people = st.sampled_from(STAFF)
names = st.sampled_from(["Azure", "Birch", "Cedar", "Дуб", "دار"])
places = st.integers(0, 99)


@dataclass
class Keys:
    """What the keyring should know: who holds what, and what is erased."""

    holders: dict = field(default_factory=dict)
    erased: set = field(default_factory=set)
    # Erased, and said to be final: nothing that exists may open it.
    final: set = field(default_factory=set)


class BadDays(RuleBasedStateMachine):
    """A vault, its copies, and what it should hold."""

    def __init__(self):
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="casevault-bad-days-")
        self.folder = Path(self._folder.name)
        for name in ("var", "keyring", "copies", "backups", "medium"):
            (self.folder / name).mkdir(mode=0o700)
        self.vault = a_vault(self.databases(), self.folder)
        for login in STAFF:
            self.vault.enrolled(login, {"caseworker"}, self.vault.team)
            self.vault.admit(login)
        self.copies = Copies(self.vault, self.folder / "copies", self.programs)
        self.keys, self.data = Keys(), {}
        # Every case that was ever acknowledged, and the backups with what they hold.
        self.acknowledged: dict = {}
        self.backups: list = []
        self.medium = None

    # Where PostgreSQL's own programs are.
    programs: Path | None = None

    def databases(self):
        """Give two empty databases."""
        urls = (f"sqlite:///{self.folder / name / 'store.db'}" for name in ("var", "keyring"))
        return Databases("sqlite", *urls)

    # --- what people do --------------------------------------------------------------------------

    @initialize(who=people, name=names)
    def begin(self, who, name):
        """There is a case, and copies of it, from the start."""
        self.open(who, name)
        self.roll(erase_now=False)
        self.backup()

    @precondition(lambda self: len(self.data) < 4)
    @rule(who=people, name=names)
    def open(self, who, name):
        """Open a case."""
        case = self.copies.open(who, name)
        self.acknowledged[case] = name
        self.data[case] = name
        self.keys.holders[case] = {who}
        self.check()

    @precondition(lambda self: self.living())
    @rule(place=places, name=names)
    def write(self, place, name):
        """Write something new."""
        case = self.pick(place)
        self.copies.rename(*self.somebody(case), name)
        self.data[case] = name
        self.check()

    @precondition(lambda self: self.living())
    @rule(place=places, to=people)
    def assign(self, place, to):
        """Give somebody the whole case: the keyring remembers its present state."""
        case = self.pick(place)
        supervisor = self.copies.caller(SUPERVISOR, Role.SUPERVISOR)
        self.assignments.assign(supervisor, case, self.vault.staff(to), ALL)
        self.keys.holders[case].add(to)
        self.check()

    @precondition(lambda self: self.living())
    @rule(place=places, to=people)
    def revoke(self, place, to):
        """Take it away again; the case gets new keys."""
        case = self.pick(place)
        supervisor = self.copies.caller(SUPERVISOR, Role.SUPERVISOR)
        try:
            self.assignments.revoke(supervisor, case, self.vault.staff(to))
        except NotFound:
            assert to not in self.keys.holders[case]
        self.keys.holders[case].discard(to)
        self.check()

    @precondition(lambda self: len(self.living()) > 1)
    @rule(place=places, cut_off=st.booleans())
    def erase(self, place, cut_off):
        """Erase a case; cut off after the keyring's half, its rows are still there."""
        case = self.pick(place)
        self.copies.bury(case)
        self.keys.erased.add(case)
        if not cut_off:
            with self.vault.stores.data.writing() as connection:
                erasing.remove_cases(connection, self.vault.stores.roots, [case])
            self.data.pop(case)
        self.check()

    # --- what the operator does ------------------------------------------------------------------

    @rule(erase_now=st.booleans())
    def roll(self, erase_now):
        """A night: new epoch, new capsule and keyring backup; or at once, with no older epoch."""
        self.vault.clock.advance(timedelta(hours=25))
        stores = self.vault.stores
        medium = Medium(self.folder / "medium", stores.roots.keyring_id)
        Rolls(stores, medium, 1).roll(erase_now=erase_now, new_medium=self.medium is None)
        with stores.keyring.reading() as tx:
            self.keys.final = {s.case for s in stones.all_(tx) if stones.is_past(tx, s.epoch)}
        if erase_now:
            assert self.keys.final == self.keys.erased
        self.medium = deepcopy(self.keys)
        self.check()

    @rule()
    def backup(self):
        """A backup of the data store, with a trial restore."""
        source = Source(self.copies.url, self.programs)
        made = Backups(self.vault.stores).make(source, self.folder / "backups")
        self.backups.append((made.path, dict(self.data)))

    @rule(start=st.booleans())
    def crash(self, start):
        """The process dies; the next one goes on, after a start of the service or not."""
        self.vault.stores.data.close()
        self.vault.stores.keyring.database.close()
        self.copies.reopen()
        if start:
            identity.advance(self.vault.stores.data, self.vault.stores.keyring.database)
        self.check()

    @rule(place=places)
    def restore(self, place):
        """The data store is gone; any backup is put back beside the keyring that is there."""
        path, held = self.backups[place % len(self.backups)]
        stores = self.vault.stores
        stores.close()
        self.copies._clear()
        with path.with_name(media.BACKUP_KEY).open("rb") as file:
            secret = capsules.open_backup_key(file, self.recovery)
        plain = self.folder / "plain"
        with path.open("rb") as file:
            manifest = restoring.open_backup(file, secret, stores.roots, plain)
        restoring.require_own(manifest, stores.keyring)
        restoring.place(
            stores.keyring, plain, manifest, self.copies.url, self.programs, stores.now()
        )
        plain.unlink()
        stores.keyring.database.close()
        self.copies.reopen()
        self.settled(held)

    @rule(place=places)
    def lose_the_machine(self, place):
        """Both stores and the keys folder are gone; medium, a backup and the shares are left."""
        path, held = self.backups[place % len(self.backups)]
        vault, stores = self.vault, self.vault.stores
        stores.close()
        self.copies._clear()
        clear(vault.databases.keyring_url)
        shutil.rmtree(vault.keys_dir)
        medium = self.folder / "medium"
        files = Files(medium / media.CAPSULE, medium / media.KEYRING, path)
        shares = [read_share(one) for one in vault.outcome.shares[: vault.outcome.threshold]]
        found = rebuilding.opened(files, shares)
        assert not found.is_older
        roots = adopt_roots(vault.keys_dir, found.capsule.roots)
        database = Database(vault.databases.keyring_url)
        migrate.upgrade(database, "keyring")
        rebuilding.load_keyring(found, files, database)
        keyring = Keyring(database, roots, stores.organisation)
        restoring.raise_generation(keyring, max(found.keyring.generation, found.data.generation))
        plain = self.folder / "plain"
        with path.open("rb") as file:
            manifest = restoring.open_backup(file, found.backup, roots, plain)
        restoring.place(keyring, plain, manifest, self.copies.url, self.programs, stores.now())
        plain.unlink()
        database.close()
        self.copies.rebuilt(roots)
        # What was given, taken and erased after the last roll is not known any more.
        final = self.keys.final
        self.keys = deepcopy(self.medium)
        assert final <= self.keys.erased
        self.settled(held)

    # --- what must hold --------------------------------------------------------------------------

    def settled(self, held):
        """Two people settle; lost is exactly what is known, living, and not in the backup."""
        found = self.copies.settle_with_two()
        self.data = {case: name for case, name in held.items() if case not in self.keys.erased}
        known = set(self.keys.holders) - self.keys.erased
        assert set(found.lost) == known - self.data.keys()
        # Data whose keys the keyring never got to know, after the loss of a machine.
        keyless = set(self.data) - set(self.keys.holders)
        assert set(found.quarantined) == keyless
        for case in keyless:
            self.data.pop(case)
        again = self.copies.settle()
        assert not again.needs_two_people
        assert not again.erased
        self.check()

    def check(self):
        """Everybody tries every case that there ever was."""
        for case in self.acknowledged:
            for who in STAFF:
                held = case in self.data and who in self.keys.holders.get(case, ())
                opens = held and case not in self.keys.erased
                assert self.copies.name(who, case) == (self.data[case] if opens else None)
            opens = case in self.living()
            seen = self.copies.name(SUPERVISOR, case, Role.SUPERVISOR)
            assert seen == (self.data[case] if opens else None)
            if case in self.keys.erased and case not in self.data:
                assert not self.rows(case)

    def rows(self, case):
        """Say whether any row of a case is left."""
        with self.vault.stores.data.reading() as connection:
            return erasing.present(connection, [case])

    def living(self):
        """Return the cases that open for whoever holds them."""
        return [c for c in self.data if c in self.keys.holders and c not in self.keys.erased]

    def pick(self, place):
        """Return one of those."""
        found = self.living()
        return found[place % len(found)]

    def somebody(self, case):
        """Return somebody who writes to a case, and the case."""
        holders = sorted(self.keys.holders[case])
        return (holders[0], case) if holders else (SUPERVISOR, case, Role.SUPERVISOR)

    @property
    def assignments(self):
        """The use cases of rights."""
        return Assignments(self.vault.stores, Gate(self.vault.stores, "passphrase"))

    @property
    def recovery(self):
        """The recovery principal, from the shares."""
        return recovery.recovery_principal(self.vault.seed)

    def teardown(self):
        """At the end everybody tries everything once more, from the newest backup too."""
        try:
            self.check()
        finally:
            self.vault.close()
            self._folder.cleanup()
