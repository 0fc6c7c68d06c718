"""A data store that is copied, put back and settled as by the commands. Nothing is tested here."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from casevault.crypto.roots import RootProvider
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.recovery.settling import Findings
from casevault.domain.staff.access import Role
from casevault.errors import KeyUnavailable, NotFound
from casevault.services.casework.casework import Casework
from casevault.services.recovery.settling import Settling
from casevault.store.case import tombstones
from casevault.store.context.caller import Caller, Gate
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine import milestones
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.keys.trust import Trust
from casevault.store.log.checkpoints import remembered
from casevault.store.log.ledger import Ledger
from casevault.store.log.months import Months
from casevault.store.recovery import dumps
from casevault.store.retention import erasing_keys
from tests.builders import DPO, ORIGIN, SUPERVISOR, AVault
from tests.conftest import libpq_url


class Copies:
    """A vault, and what can be done to its data store."""

    def __init__(self, vault: AVault, folder: Path, programs: Path | None) -> None:
        self.vault, self._folder, self._programs = vault, folder, programs
        self._made = 0

    @property
    def url(self) -> str:
        return self.vault.databases.data_url

    def take(self) -> Path:
        """Copy the data store of this moment."""
        self._made += 1
        target = self._folder / f"copy-{self._made}"
        dumps.dump(self.url, target, self._programs)
        return target

    def put_back(self, copy: Path, *, marked: bool = True) -> None:
        """Replace the data store by a copy."""
        stores = self.vault.stores
        stores.close()
        self._clear()
        if marked:
            with stores.keyring.writing() as tx:
                milestones.note(tx, milestones.UNSETTLED, stores.now())
        dumps.load(copy, dumps.form_of(self.url), self.url, self._programs)
        stores.keyring.database.close()
        self.reopen()

    def reopen(self) -> None:
        """Go on as another process."""
        vault = self.vault
        old = vault.stores
        data, keyring = Database(self.url), Database(vault.databases.keyring_url)
        old.keyring.database = keyring
        ledger = Ledger(data, old.months, old.roots, old.clock)
        vault.stores = replace(old, data=data, ledger=ledger)

    def rebuilt(self, roots: RootProvider) -> None:
        """Go on with root material that came out of a capsule."""
        vault, old = self.vault, self.vault.stores
        data, database = Database(self.url), Database(vault.databases.keyring_url)
        keyring = Keyring(database, roots, old.organisation)
        trust = Trust(vault.outcome.root_pin, vault.clock)
        months = Months(keyring, trust, vault.clock)
        ledger = Ledger(data, months, roots, old.clock)
        parts = {"data": data, "keyring": keyring, "ledger": ledger, "months": months}
        vault.stores = replace(old, roots=roots, trust=trust, **parts)

    def _clear(self) -> None:
        clear(self.url)

    # --- settling --------------------------------------------------------------------------------

    def settling(self) -> Settling:
        stores, vault = self.vault.stores, self.vault
        last = remembered(vault.keys_dir, ORIGIN, stores.roots)
        return Settling(stores, Gate(stores, "passphrase"), None if last is None else last.size)

    def settle(self) -> Findings:
        """Do what needs nobody."""
        return self.settling().settle()

    def sign(self, login: str, role: Role, found: Findings) -> bool:
        """Sign as somebody; say whether that ended it."""
        return self.settling().sign(self.caller(login, role), found) is None

    def settle_with_two(self) -> Findings:
        """Settle, with the word of the supervisor and of the DPO if it takes that."""
        found = self.settle()
        if found.needs_two_people:
            assert not self.sign(SUPERVISOR, Role.SUPERVISOR, found)
            assert self.sign(DPO, Role.DPO, found)
        return found

    # --- what people do --------------------------------------------------------------------------

    def caller(self, login: str, role: Role = Role.CASEWORKER) -> Caller:
        """Return somebody who has just signed in."""
        caller = self.vault.caller(login, role)
        return replace(caller, actor=replace(caller.actor, fresh=True))

    @property
    def casework(self) -> Casework:
        return Casework(self.vault.stores, Gate(self.vault.stores, "passphrase"))

    def open(self, login: str, name: str):
        """Open a case."""
        return self.casework.open_case(
            self.caller(login), {"name_to_use": name}, {}, "standard", self.vault.team
        ).case.id

    def rename(self, login: str, case, *role_and_name) -> None:
        """Write another name."""
        *role, name = role_and_name
        caller, kind = self.caller(login, *role), DocumentKind.IDENTITY
        version = self.casework.read_document(caller, case, kind).version
        self.casework.amend_document(caller, case, kind, {"name_to_use": name}, version)

    def name(self, login: str, case, role: Role = Role.CASEWORKER) -> str | None:
        """Read the name; None for whoever cannot."""
        try:
            caller = self.caller(login, role)
            found = self.casework.read_document(caller, case, DocumentKind.IDENTITY)
        except (NotFound, KeyUnavailable):
            return None
        return str(found.content["name_to_use"])

    def bury(self, case, compartments=tombstones.ALL) -> None:
        """Do the keyring half of an erasure: tombstone in, keys and grants out."""
        with self.vault.stores.keyring.writing() as tx:
            erasure = tombstones.Erasure(case, self.vault.team, "schedule", compartments)
            erasing_keys.erase(tx, [erasure], self.vault.now)

    @contextmanager
    def keyring(self):
        """Give a transaction on the keyring."""
        with self.vault.stores.keyring.writing() as tx:
            yield tx


def clear(url: str) -> None:
    """Leave nothing of a store."""
    if dumps.form_of(url) is dumps.Form.SQLITE:
        file = Path(url.removeprefix("sqlite:///"))
        for found in file.parent.glob(file.name + "*"):
            found.unlink()
        return
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def drop_keys(tx, case) -> None:
    """Take a case's keys and grants out of the keyring."""
    grants = [row["id"] for row in tx.lookups(tables.grant, object_id=case)]
    tx.remove(tables.grant_key, grant_id=grants)
    tx.remove(tables.grant, object_id=case)
    tx.remove(tables.case_key, case_id=case)
