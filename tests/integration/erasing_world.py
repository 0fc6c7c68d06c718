"""A vault in which cases become due, and what is left of them. Nothing is tested here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import select

from casevault.domain.case import casefile, keeping, retention
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Role
from casevault.errors import KeyUnavailable, NotFound
from casevault.services.casework.casework import Casework
from casevault.services.casework.transitions import Transitions
from casevault.services.recovery.rolls import Rolls
from casevault.services.retention.retention import Retention
from casevault.store.case import cases
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables as keys
from casevault.store.engine import tables
from casevault.store.recovery.media import Medium
from casevault.store.retention import erasing
from tests.builders import ORIGIN, SUPERVISOR, AVault


class Office:
    """What people and the nightly jobs do."""

    def __init__(self, vault: AVault, folder) -> None:
        self.vault = vault
        self.medium = Medium(folder / "medium", vault.stores.roots.keyring_id)
        self.medium.take()

    @property
    def stores(self):
        return self.vault.stores

    @property
    def gate(self):
        return Gate(self.stores, "passphrase")

    @property
    def caller(self):
        return self.vault.caller(SUPERVISOR, Role.SUPERVISOR)

    def later(self, days):
        """Let time pass; the vouches of this vault hold for a year."""
        self.vault.clock.advance(timedelta(days=days))

    def age(self, *ids, months):
        """Let cases be older than they are: as if they had been counted some months earlier."""
        for case_id in ids:
            with self.stores.data.writing() as connection:
                case = cases.find_case(connection, self.stores.roots, case_id, lock=True)
                day = retention.plus_months(date.fromisoformat(case.counted_from), -months)
                older = replace(case, counted_from=retention.month_end(day).isoformat())
                counted = casefile.next_version(keeping.recounted(retention.SHIPPED, older))
                cases.change_case(connection, self.stores.roots, counted)

    def open(self, name="Testperson", retention_class="short", **identity):
        """Open a case; `short` is counted from its opening."""
        casework = Casework(self.stores, self.gate)
        given = {"name_to_use": name, **identity}
        return casework.open_case(self.caller, given, {}, retention_class).case.id

    def move(self, case, to, reason="made up"):
        """Close or reopen a case."""
        moving = Transitions(self.stores, self.gate, closing_needs_approval=False)
        moving.ask(self.caller, case, {"to": to, "reason": reason})

    def retention(self):
        return Retention(self.stores, ORIGIN, self.vault.checkpoints().sign)

    def run(self, **kwargs):
        """Do what the nightly job does."""
        return self.retention().run(**kwargs)

    def roll(self, *, erase_now=True):
        """Roll the keyring."""
        return Rolls(self.stores, self.medium, 1).roll(erase_now=erase_now)

    def row(self, case):
        """Return the plain row of a case, None if there is none."""
        with self.stores.data.reading() as connection:
            return cases.find_case(connection, self.stores.roots, case)

    def left(self, case):
        """Return the tables of both stores that hold anything of a case."""
        with self.stores.data.reading() as connection:
            found = set(erasing.present(connection, [case]) and ["data"])
        with self.stores.keyring.reading() as tx:
            for table, column in ((keys.case_key, "case_id"), (keys.grant, "object_id")):
                if tx.lookups(table, **{column: case}):
                    found.add(table.name)
        return found

    def name(self, case):
        """Read the name as a holder; None where nothing opens."""
        try:
            found = Casework(self.stores, self.gate).read_document(
                self.caller, case, DocumentKind.IDENTITY
            )
        except (NotFound, KeyUnavailable):
            return None
        return found.content["name_to_use"]

    def codes(self):
        return [entry.body.code for entry in self.vault.entries()]

    def certificates(self):
        """Return the text of every certificate."""
        with self.stores.data.reading() as connection:
            return list(connection.execute(select(tables.certificate.c.body)).scalars())
