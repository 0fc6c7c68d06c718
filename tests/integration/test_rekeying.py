"""Revoking gives a case new keys: in three steps that any holder can finish, at any moment."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from casevault.crypto.sealing import header
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.staff.access import Actor, Role
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, NotFound, Tampered
from casevault.ids import StaffId, TeamId, new_id
from casevault.services.casework.assignments import Assignments
from casevault.services.casework.casework import Casework
from casevault.services.casework.records import Records
from casevault.store.case import case_keys, cases
from casevault.store.casework import rekeying
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables, tables
from casevault.store.keys import grants, principals
from casevault.store.keys.grants import Object
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.recovery import sweeping
from tests.builders import DAY, SUPERVISOR, AVault

ALL = frozenset(c.value for c in Compartment)
NOTE = {"type": "phone_call", "date": "2026-11-15", "text": "Nothing to report, made up."}


@dataclass
class Office:
    """A vault with a supervisor, a caseworker who opened a case and a colleague who shares it."""

    vault: AVault
    case: UUID
    colleague: UUID

    @property
    def stores(self) -> Stores:
        return self.vault.stores

    def caller(self, login: str, role: Role = Role.CASEWORKER) -> Caller:
        """Return somebody signed in."""
        staff = self.vault.staff(login)
        teams = frozenset({TeamId(self.vault.team)})
        actor = Actor(StaffId(staff), frozenset({role}), teams, "passphrase")
        holder = KeyHolder(staff, self.vault.secret(login), self.stores.trust)
        return Caller(actor, holder, new_id())

    @property
    def supervisor(self) -> Caller:
        return self.caller(SUPERVISOR, Role.SUPERVISOR)

    @property
    def casework(self) -> Casework:
        return Casework(self.stores, Gate(self.stores, "passphrase"))

    @property
    def assignments(self) -> Assignments:
        return Assignments(self.stores, Gate(self.stores, "passphrase"))

    @property
    def records(self) -> Records:
        return Records(self.stores, Gate(self.stores, "passphrase"))

    def name(self, login: str, role: Role = Role.CASEWORKER) -> str:
        """Read the survivor's name as somebody."""
        caller = self.caller(login, role)
        found = self.casework.read_document(caller, self.case, DocumentKind.IDENTITY)
        return str(found.content["name_to_use"])

    def note(self, login: str = "amal") -> UUID:
        """Write a note as somebody."""
        return self.records.add(self.caller(login), self.case, DocumentKind.NOTE, NOTE).id

    def revoke(self) -> None:
        """Take the colleague's grant away."""
        self.assignments.revoke(self.supervisor, self.case, self.colleague)

    def assign(self, expires_at: int | None = None) -> None:
        """Give the colleague the whole case."""
        self.assignments.assign(self.supervisor, self.case, self.colleague, ALL, expires_at)

    @property
    def key_version(self) -> int:
        """The version of the keys under which the data lies."""
        with self.stores.data.reading() as connection:
            found = cases.find_case(connection, self.stores.roots, self.case)
        assert found is not None
        return found.key_version

    def codes(self) -> list[str]:
        """Return what the ledger says happened."""
        return [entry.body.code for entry in self.vault.entries()]


@pytest.fixture
def office(vault):
    """Give a case that three people can open."""
    vault.enrolled("amal", {"caseworker"}, vault.team)
    vault.admit("amal")
    colleague = vault.enrolled("bruno", {"caseworker"}, vault.team)
    made = Office(vault, new_id(), colleague.id)
    view = made.casework.open_case(
        made.caller("amal"), {"name_to_use": "Ondine Obvious-Madeup"}, {}, "standard"
    )
    made.case = view.case.id
    made.assign()
    assert made.name("bruno") == "Ondine Obvious-Madeup"
    return made


def test_revoking_takes_the_case_away_and_leaves_it_to_everybody_else(office):
    """New keys, everything sealed anew, versions of documents as before, both acts recorded."""
    before = office.casework.read_document(
        office.caller("amal"), office.case, DocumentKind.IDENTITY
    )
    held = office.caller("bruno").keys
    with office.stores.keyring.reading() as tx:
        old = held.open(tx, Object(ObjectKind.CASE, office.case, office.vault.team))
    office.revoke()
    with pytest.raises(NotFound):
        office.name("bruno")
    after = office.casework.read_document(office.caller("amal"), office.case, DocumentKind.IDENTITY)
    assert (after.content, after.version) == (before.content, before.version)
    assert office.name(SUPERVISOR, Role.SUPERVISOR) == "Ondine Obvious-Madeup"
    assert office.key_version == 2
    assert {"case.revoke", "case.rekey"} <= set(office.codes())
    with office.stores.data.reading() as connection:
        rows = connection.execute(select(tables.document.c.sealed)).scalars().all()
        rows += connection.execute(select(tables.manifest.c.sealed)).scalars().all()
    old_ids = {opened.key.id for opened in old.values()}
    assert rows
    assert not {header(bytes(row)).key_id for row in rows} & old_ids
    with office.stores.keyring.reading() as tx:
        assert not tx.lookups(keyring_tables.intent)
        assert not grants.of_object(
            tx, Object(ObjectKind.CASE, office.case, office.vault.team), [office.colleague]
        )


def test_everybody_else_keeps_what_they_had(office):
    """Compartments and expiry of the others' grants, counting's and recovery's among them."""

    def holders() -> set[tuple[UUID, tuple[str, ...], int | None]]:
        found = office.assignments.holders(office.supervisor, office.case)
        return {(one.principal, one.compartments, one.expires_at) for one in found}

    third = office.vault.enrolled("chen", {"caseworker"}, office.vault.team)
    until = office.stores.now() + DAY
    office.assignments.assign(
        office.supervisor, office.case, third.id, frozenset({"narrative"}), until
    )
    before = holders()
    assert (third.id, ("narrative",), until) in before
    office.revoke()
    assert holders() == {one for one in before if one[0] != office.colleague}


def test_a_vouch_that_ran_out_costs_nobody_their_cases(office):
    """But one that was revoked does."""
    lapsed = office.vault.enrolled("dina", {"caseworker"}, office.vault.team, seconds=2 * DAY)
    gone = office.vault.enrolled("emil", {"caseworker"}, office.vault.team)
    for person in (lapsed, gone):
        office.assignments.assign(office.supervisor, office.case, person.id, ALL)
    with office.stores.keyring.writing() as tx:
        (vouch,) = principals.vouches_for(tx, gone.id)
        principals.add_revocation(tx, vouch.statement.serial, office.stores.now())
    office.vault.clock.advance(timedelta(days=3))
    office.revoke()
    holders = {one.principal for one in office.assignments.holders(office.supervisor, office.case)}
    assert lapsed.id in holders
    assert not {gone.id, office.colleague} & holders


def test_who_still_opens_it_is_said(office):
    """A supervisor of the team opens every case of it, with a grant of their own or without."""
    supervisor = office.vault.staff(SUPERVISOR)
    office.assignments.assign(office.supervisor, office.case, supervisor, ALL)
    still = office.assignments.revoke(office.supervisor, office.case, supervisor)
    assert still == ("oversight",)
    assert office.name(SUPERVISOR, Role.SUPERVISOR)


@pytest.mark.parametrize("who", ["stranger", "group"])
def test_only_a_persons_own_grant_can_be_revoked(office, who):
    """Nobody takes a case from oversight, recovery or counting, or from who never had it."""
    wanted = new_id()
    if who == "group":
        wanted = office.vault.group(PrincipalKind.OVERSIGHT, office.vault.team).id
    with pytest.raises(NotFound):
        office.assignments.revoke(office.supervisor, office.case, wanted)
    assert office.key_version == 1


def test_a_case_never_loses_its_last_holder(office):
    """With nobody in oversight, the last grant stays."""
    supervisor = office.vault.staff(SUPERVISOR)
    office.assignments.assign(office.supervisor, office.case, supervisor, ALL)
    amal = office.vault.staff("amal")
    office.assignments.revoke(office.supervisor, office.case, amal)
    office.revoke()
    oversight = office.vault.group(PrincipalKind.OVERSIGHT, office.vault.team)
    with office.stores.keyring.writing() as tx:
        grants.take_object(tx, ObjectKind.GROUP, [oversight.id])
    with pytest.raises(Conflict) as refused:
        office.assignments.revoke(office.supervisor, office.case, supervisor)
    assert refused.value.code == "case.last-holder"
    assert office.name(SUPERVISOR, Role.SUPERVISOR)


class Stop(Exception):
    """The process ends here."""


def cut_after(monkeypatch, step: int) -> None:
    """Let the next re-keying end after its first or second step."""
    name = {1: "finish", 2: "_close"}[step]

    def stop(*_args: object, **_named: object) -> None:
        raise Stop

    monkeypatch.setattr(rekeying, name, stop)


@pytest.mark.parametrize("step", [1, 2])
def test_any_holder_finishes_what_was_cut_off(office, monkeypatch, step):
    """Reading goes on in between; the next write by somebody else finishes first."""
    cut_after(monkeypatch, step)
    with pytest.raises(Stop):
        office.revoke()
    monkeypatch.undo()
    assert office.key_version == step
    with pytest.raises(NotFound):
        office.name("bruno")
    assert office.name("amal") == "Ondine Obvious-Madeup"
    row = office.note()
    assert office.key_version == 2
    assert office.records.read(office.caller("amal"), office.case, DocumentKind.NOTE, row)
    assert "failed:key-version-behind" not in {e.body.rule for e in office.vault.entries()}
    with pytest.raises(NotFound):
        office.name("bruno")


def test_revoking_again_after_a_cut(office, monkeypatch):
    """The second revocation takes the data over both versions at once."""
    third = office.vault.enrolled("chen", {"caseworker"}, office.vault.team)
    office.assignments.assign(office.supervisor, office.case, third.id, ALL)
    cut_after(monkeypatch, 1)
    with pytest.raises(Stop):
        office.revoke()
    monkeypatch.undo()
    office.assignments.revoke(office.supervisor, office.case, third.id)
    assert office.key_version == 3
    assert office.name("amal") == "Ondine Obvious-Madeup"
    with office.stores.keyring.reading() as tx:
        assert not tx.lookups(keyring_tables.intent, kind=rekeying.INTENT)


def test_who_holds_a_part_writes_and_leaves_the_keys_to_others(office, monkeypatch):
    """A holder of the narrative alone cannot seal the identity anew, and need not wait."""
    third = office.vault.enrolled("chen", {"caseworker"}, office.vault.team)
    office.assignments.assign(office.supervisor, office.case, third.id, frozenset({"narrative"}))
    cut_after(monkeypatch, 1)
    with pytest.raises(Stop):
        office.revoke()
    monkeypatch.undo()
    row = office.note("chen")
    assert office.key_version == 1
    office.note("amal")
    assert office.key_version == 2
    assert office.records.read(office.caller("chen"), office.case, DocumentKind.NOTE, row)


def test_two_revokers_at_once(office):
    """Both succeed, one after the other, and the case opens for who is left."""
    third = office.vault.enrolled("chen", {"caseworker"}, office.vault.team)
    office.assignments.assign(office.supervisor, office.case, third.id, ALL)
    both, faults = threading.Barrier(2), []

    def revoke(staff: UUID) -> None:
        both.wait(10)
        try:
            office.assignments.revoke(office.supervisor, office.case, staff)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=revoke, args=(one,)) for one in (office.colleague, third.id)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert faults == []
    assert office.key_version == 3
    for login in ("bruno", "chen"):
        with pytest.raises(NotFound):
            office.name(login)
    assert office.name("amal") == "Ondine Obvious-Madeup"


def test_a_grant_during_a_revocation_is_of_the_newest_keys(office, monkeypatch):
    """Whoever assigns with keys that are no longer the newest begins again."""
    third = office.vault.enrolled("chen", {"caseworker"}, office.vault.team)
    assignments, once = office.assignments, []
    hold = assignments._desk.hold

    def hold_then_revoke(*args: object, **named: object) -> object:
        held = hold(*args, **named)
        if not once:
            once.append(True)
            office.revoke()
        return held

    monkeypatch.setattr(assignments._desk, "hold", hold_then_revoke)
    assignments.assign(office.supervisor, office.case, third.id, ALL)
    assert office.key_version == 2
    assert office.name("chen") == "Ondine Obvious-Madeup"
    assert "case.assign_failed" in office.codes()


def test_a_slipped_in_key_is_refused(office):
    """A version that no holder of the one before has made is `Tampered`, however well granted."""
    office.revoke()
    with office.stores.keyring.writing() as tx:
        row = case_keys.of_case(tx, office.case)["identity"].newest
        raw = tx.one(
            keyring_tables.case_key, case_id=office.case, compartment="identity", version=2
        )
        forged = case_keys.CaseKeyRow(
            row.case, row.compartment, 2, row.key_id, row.anchor, row.lineage, bytes(32)
        )
        tx.replace(keyring_tables.case_key, forged.encode(), **raw.lookup)
    with pytest.raises(Tampered):
        office.name("amal")


def test_a_write_that_was_overtaken_is_tried_again(office, monkeypatch):
    """A note whose author held the old keys for a moment is written under the new ones."""
    records = office.records
    hold, once = records._desk.hold, []

    def hold_then_revoke(*args: object, **named: object) -> object:
        held = hold(*args, **named)
        if not once:
            once.append(True)
            office.revoke()
        return held

    monkeypatch.setattr(records._desk, "hold", hold_then_revoke)
    row = records.add(office.caller("amal"), office.case, DocumentKind.NOTE, NOTE).id
    assert office.key_version == 2
    assert office.records.read(office.caller("amal"), office.case, DocumentKind.NOTE, row)


# --- expiry ----------------------------------------------------------------------------------


def test_an_expired_grant_is_swept_and_the_case_gets_new_keys(office):
    """Nothing opens after the last second; the sweep deletes the row; the next write re-keys."""
    office.assign(office.stores.now() + DAY)
    assert sweeping.sweep(office.stores) == (0, 0)
    office.vault.clock.advance(timedelta(days=1))
    with pytest.raises(NotFound):
        office.name("bruno")
    assert sweeping.sweep(office.stores) == (1, 1)
    assert sweeping.sweep(office.stores) == (0, 0)
    with pytest.raises(NotFound):
        office.name("bruno")
    assert office.key_version == 1
    assert office.name("amal") == "Ondine Obvious-Madeup"
    office.note()
    assert office.key_version == 2
    assert "key.expire" in office.codes()
    with office.stores.data.reading() as connection:
        found = cases.find_case(connection, office.stores.roots, office.case)
    assert not found.rekey_due


def test_a_sweep_that_was_cut_off_is_made_good(office, monkeypatch):
    """The mark comes first: what is swept again is found again."""
    office.assign(office.stores.now() + DAY)
    office.vault.clock.advance(timedelta(days=1))

    def stop(*_args: object) -> int:
        raise Stop

    monkeypatch.setattr(grants, "take_expired", stop)
    with pytest.raises(Stop):
        sweeping.sweep(office.stores)
    monkeypatch.undo()
    assert sweeping.sweep(office.stores) == (1, 0)
    office.note()
    assert office.key_version == 2


# --- backups -----------------------------------------------------------------------------------


def test_backup_revoke_twice_restore_read(office):
    """The newest key opens every older backup, and the auditors see that the data is behind."""
    saved = save(office)
    third = office.vault.enrolled("chen", {"caseworker"}, office.vault.team)
    office.assignments.assign(office.supervisor, office.case, third.id, ALL)
    office.revoke()
    office.assignments.revoke(office.supervisor, office.case, third.id)
    assert office.key_version == 3
    restore(office, saved)
    assert office.key_version == 1
    assert office.name("amal") == "Ondine Obvious-Madeup"
    for login in ("bruno", "chen"):
        with pytest.raises(NotFound):
            office.name(login)
    assert "failed:key-version-behind" in {e.body.rule for e in office.vault.entries()}
    row = office.note()
    assert office.key_version == 3
    assert office.records.read(office.caller("amal"), office.case, DocumentKind.NOTE, row)


def test_a_compartment_put_back_within_a_version_is_found(office):
    """The manifest must not be older than the keyring's anchor."""
    with office.stores.data.reading() as connection:
        manifests = connection.execute(select(tables.manifest)).mappings().all()
        documents = connection.execute(select(tables.document)).mappings().all()
    office.note()
    third = office.vault.enrolled("chen", {"caseworker"}, office.vault.team)
    office.assignments.assign(office.supervisor, office.case, third.id, ALL)
    with office.stores.data.writing() as connection:
        for row in manifests:
            at = (tables.manifest.c.case_id == row["case_id"]) & (
                tables.manifest.c.compartment == row["compartment"]
            )
            connection.execute(update(tables.manifest).where(at).values(sealed=row["sealed"]))
        for row in documents:
            connection.execute(
                update(tables.document)
                .where(tables.document.c.id == row["id"])
                .values(sealed=row["sealed"])
            )
    with pytest.raises(Tampered):
        office.casework.read_document(office.caller("amal"), office.case, DocumentKind.PROFILE)


SAVED = (tables.case_file, tables.document, tables.manifest)


def save(office):
    """Return a copy of the survivors' part of the data store."""
    with office.stores.data.reading() as connection:
        return {t.name: [dict(r) for r in connection.execute(select(t)).mappings()] for t in SAVED}


def restore(office, saved):
    """Put it back, as an old backup would."""
    with office.stores.data.writing() as connection:
        for table in reversed(SAVED):
            connection.execute(table.delete())
        for table in SAVED:
            connection.execute(table.insert(), saved[table.name])
