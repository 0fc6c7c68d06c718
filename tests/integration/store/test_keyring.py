"""Keyring rows open only in their place, under their epoch, and are found by their columns."""

from __future__ import annotations

import itertools
import threading

import pytest
from sqlalchemy import select, update

from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key
from casevault.domain.case.casefile import Compartment
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, KeyUnavailable, Refused, Tampered, Unauthenticated
from casevault.ids import new_id
from casevault.store.case import case_keys
from casevault.store.case.case_keys import CaseKeyRow
from casevault.store.case.manifests import Anchor, Manifest
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import Keyring, sealed_tables
from casevault.store.keys import grants, people, principals, teams
from casevault.store.keys.grants import Grantee, Object
from tests.builders import DPO, SUPERVISOR, a_vault

# Every lookup column of every sealed table, with another value of its type.
COLUMNS = [
    (table.name, column.name)
    for table in sealed_tables()
    for column in table.columns
    if column.name not in ("epoch", "sealed")
]


def another(column, found):
    kind = type(column.type).__name__
    if kind == "Uuid":
        return new_id()
    if kind == "LargeBinary":
        return bytes(32) if found != bytes(32) else b"x" * 32
    if kind == "String":
        return "other" if found != "other" else "another"
    return (found or 0) + 1


def a_row(table):
    made = {"Uuid": new_id(), "String": "x", "Integer": 1, "BigInteger": 0}
    return {
        c.name: made.get(type(c.type).__name__, b"k" * 32)
        for c in table.columns
        if c.name not in ("epoch", "sealed")
    }


def add(vault, table, content=b"content"):
    row = a_row(table)
    with vault.stores.keyring.writing() as tx:
        tx.add(table, content, **row)
    return row


def by_sql(vault, statement):
    with vault.stores.keyring.database.writing() as connection:
        connection.execute(statement)


def test_every_lookup_column_is_bound_to_its_content(vault):
    """Whatever column is changed by SQL, in whatever table: `Tampered`, never content."""
    for table_name, column_name in COLUMNS:
        table = tables.keyring.tables[table_name]
        row = add(vault, table)
        column = table.c[column_name]
        changed = another(column, row[column_name])
        key = [table.c[c.name] == row[c.name] for c in table.primary_key]
        by_sql(vault, update(table).where(*key).values({column_name: changed}))
        where = {c.name: (row | {column_name: changed})[c.name] for c in table.primary_key}
        with vault.stores.keyring.reading() as tx:
            with pytest.raises(Tampered):
                tx.one(table, **where)
            # The plain columns stay readable: sweepers have no key.
            assert len(tx.lookups(table, **where)) == 1
        with vault.stores.keyring.writing() as tx:
            assert tx.remove(table, **where) == 1


def test_content_swapped_between_rows_is_tampered(vault):
    """Of one table, and between tables."""
    first, second = add(vault, tables.team, b"one"), add(vault, tables.team, b"two")
    other = add(vault, tables.envelope, b"three")
    with vault.stores.keyring.database.reading() as connection:
        sealed = {row.id: row.sealed for row in connection.execute(select(tables.team)).all()}
        foreign = connection.execute(
            select(tables.envelope.c.sealed).where(tables.envelope.c.staff_id == other["staff_id"])
        ).scalar_one()
    for content in (sealed[second["id"]], foreign):
        by_sql(
            vault,
            update(tables.team).where(tables.team.c.id == first["id"]).values(sealed=content),
        )
        with vault.stores.keyring.reading() as tx, pytest.raises(Tampered):
            tx.one(tables.team, id=first["id"])
    with vault.stores.keyring.reading() as tx:
        assert tx.one(tables.team, id=second["id"]).content == b"two"


def test_a_row_of_another_vault_does_not_open(vault):
    """The epoch key, and the organisation in the place, are this vault's."""
    row = add(vault, tables.team)
    stores = vault.stores
    foreign = Keyring(stores.keyring.database, stores.roots, new_id())
    with foreign.reading() as tx, pytest.raises(Tampered):
        tx.one(tables.team, id=row["id"])


def test_another_epoch_number_does_not_open(vault):
    """The epoch in the row must be the one it was sealed under, and must still exist."""
    row = add(vault, tables.team)
    vault.stores.roots.new_epoch()
    by_sql(vault, update(tables.team).where(tables.team.c.id == row["id"]).values(epoch=2))
    with vault.stores.keyring.reading() as tx, pytest.raises(Tampered):
        tx.one(tables.team, id=row["id"])
    by_sql(vault, update(tables.team).where(tables.team.c.id == row["id"]).values(epoch=9))
    with vault.stores.keyring.reading() as tx, pytest.raises(KeyUnavailable):
        tx.one(tables.team, id=row["id"])


def roll(vault):
    """Switch to a new epoch, as `keys roll` does first."""
    epoch = vault.stores.roots.new_epoch()
    by_sql(vault, update(tables.keyring_identity).values(epoch=epoch))
    return epoch


def test_resealing_moves_every_row_to_the_new_epoch(vault):
    """Content and columns unchanged; then the old epoch can go."""
    keyring = vault.stores.keyring
    with keyring.reading() as tx:
        before = {
            table.name: sorted((repr(r.lookup), r.content) for r in tx.find(table))
            for table in sealed_tables()
        }
    epoch = roll(vault)
    for table in sealed_tables():
        with keyring.writing() as tx:
            for row in tx.find(table):
                tx.replace(table, row.content, **row.lookup)
    vault.stores.roots.destroy_epochs_before(epoch)
    with keyring.reading() as tx:
        after = {
            table.name: sorted((repr(r.lookup), r.content) for r in tx.find(table))
            for table in sealed_tables()
        }
        for table in sealed_tables():
            assert {row["epoch"] for row in _epochs(tx, table)} <= {epoch}
    assert after == before
    assert sum(map(len, before.values())) > 20
    # Another process, with the old key nowhere, sees the same.
    with vault.another_process().keyring.reading() as tx:
        assert sorted((repr(r.lookup), r.content) for r in tx.find(tables.vouch)) == before["vouch"]


def _epochs(tx, table):
    return [dict(row) for row in tx._connection.execute(select(table.c.epoch)).mappings()]


def test_rows_of_a_destroyed_epoch_are_gone_for_good(vault):
    """An old copy of a row, put back after the roll, does not open: that is erasure."""
    row = add(vault, tables.team, b"to be erased")
    with vault.stores.keyring.database.reading() as connection:
        copy = dict(
            connection.execute(select(tables.team).where(tables.team.c.id == row["id"]))
            .mappings()
            .one()
        )
    with vault.stores.keyring.writing() as tx:
        tx.remove(tables.team, id=row["id"])
    vault.stores.roots.destroy_epochs_before(roll(vault))
    by_sql(vault, tables.team.insert().values(**copy))
    with vault.stores.keyring.reading() as tx, pytest.raises(KeyUnavailable):
        tx.one(tables.team, id=row["id"])


def test_new_rows_are_sealed_under_the_epoch_in_the_database(vault):
    """Also by a process that read its root material before the roll."""
    older = vault.another_process()
    epoch = roll(vault)
    team = new_id()
    with older.keyring.writing() as tx:
        people.add_team(tx, team, "New")
    with vault.stores.keyring.reading() as tx:
        assert {row["epoch"] for row in _epochs(tx, tables.team)} == {1, epoch}
        assert people.teams(tx)[team] == "New"


# --- the transaction -----------------------------------------------------------------------------


def test_a_row_is_added_once_and_replaced_whole(vault):
    """A second insert is a `Conflict`; replacing needs exactly one row named by all its columns."""
    row = add(vault, tables.team, b"one")
    with pytest.raises(Conflict), vault.stores.keyring.writing() as tx:
        tx.add(tables.team, b"two", **row)
    with vault.stores.keyring.writing() as tx:
        tx.replace(tables.team, b"two", **row)
    with vault.stores.keyring.reading() as tx:
        found = tx.one(tables.team, **row)
        assert found.content == b"two"
        assert "two" not in repr(found)
        assert tx.one(tables.team, id=new_id()) is None
    with pytest.raises(Conflict), vault.stores.keyring.writing() as tx:
        tx.replace(tables.team, b"x", id=new_id())
    with pytest.raises(ValueError, match="all its lookup"), vault.stores.keyring.writing() as tx:
        tx.add(tables.vouch, b"x", serial=new_id())


def test_a_reading_transaction_writes_nothing(vault):
    """It has no epoch to seal under; deletions name their rows."""
    with vault.stores.keyring.reading() as tx, pytest.raises(RuntimeError, match="only reads"):
        tx.add(tables.team, b"x", id=new_id())
    with vault.stores.keyring.writing() as tx, pytest.raises(ValueError, match="names its rows"):
        tx.remove(tables.team)


def test_several_rows_where_one_is_expected_are_tampered(vault):
    """`one` never chooses."""
    person = new_id()
    with vault.stores.keyring.writing() as tx:
        tx.add_many(tables.vouch, [({"serial": new_id(), "subject_id": person}, b"x")] * 1)
        tx.add_many(tables.vouch, [({"serial": new_id(), "subject_id": person}, b"x")])
        tx.add_many(tables.vouch, [])
    with vault.stores.keyring.reading() as tx:
        assert len(tx.find(tables.vouch, subject_id=person)) == 2
        with pytest.raises(Tampered):
            tx.one(tables.vouch, subject_id=person)


# --- what is built on it -------------------------------------------------------------------------


def a_case(vault, keys=None, grantees=(SUPERVISOR,)):
    """Grant a case's keys to people of the room; return the case as an object."""
    target = Object(ObjectKind.CASE, new_id(), vault.team)
    chosen = keys or {c.value: Key.random() for c in Compartment}
    with vault.stores.keyring.writing() as tx:
        case_keys.add(tx, target.id, chosen)
        grants.give(
            tx,
            target,
            chosen,
            vault.granter(SUPERVISOR),
            [
                (Grantee(vault.staff(name), vault.secret(name).public), frozenset(chosen))
                for name in grantees
            ],
            purpose="birth",
            issued_at=vault.now,
        )
    return target, chosen


def test_the_key_is_the_permission(vault):
    """Whoever holds a grant opens; whoever holds none has nothing to open with."""
    target, keys = a_case(vault)
    with vault.stores.keyring.reading() as tx:
        opened = vault.holder(SUPERVISOR).open(tx, target)
        assert {name: o.key for name, o in opened.items()} == keys
        assert {o.through for o in opened.values()} == {PrincipalKind.STAFF}
        assert vault.holder(DPO).open(tx, target) == {}
        for name, key in keys.items():
            versions = case_keys.of_case(tx, target.id)[name]
            assert versions.key_at(key, 1) == key
            with pytest.raises(Tampered):
                versions.key_at(Key.random(), 1)
            with pytest.raises(Tampered):
                versions.key_at(key, 2)


def test_a_group_opens_for_its_members(vault):
    """Through oversight: the supervisor's membership opens the group, the group opens the case."""
    oversight = vault.group(PrincipalKind.OVERSIGHT, vault.team)
    target = Object(ObjectKind.CASE, new_id(), vault.team)
    key = Key.random()
    with vault.stores.keyring.writing() as tx:
        public = vault.stores.trust.public_keys(tx, oversight.id)
        grants.give(
            tx,
            target,
            {"facts": key},
            vault.granter(SUPERVISOR),
            [(Grantee(oversight.id, public), frozenset({"facts"}))],
            purpose="birth",
            issued_at=vault.now,
        )
    with vault.stores.keyring.reading() as tx:
        holder = vault.holder(SUPERVISOR)
        opened = holder.open(tx, target)["facts"]
        assert (opened.key, opened.through) == (key, PrincipalKind.OVERSIGHT)
        assert repr(holder) == "KeyHolder(…)"
        assert vault.holder(DPO).open(tx, target) == {}
        for act in (
            lambda: vault.holder(DPO).group(tx, oversight.id),
            lambda: vault.holder(DPO).group(tx, new_id()),
            lambda: vault.holder(DPO).group_key(tx, oversight),
        ):
            with pytest.raises(Refused):
                act()


def test_grants_of_one_object_lie_side_by_side(vault):
    """Whoever reads all of them reads neighbours: no grant of another object comes between."""
    objects = [a_case(vault, grantees=(SUPERVISOR, DPO))[0].id for _ in range(4)]
    with vault.stores.keyring.reading() as tx:
        found = [row for row in tx.lookups(tables.grant) if row["object_id"] in objects]
    found.sort(key=lambda row: row["id"].bytes)
    runs = [key for key, _ in itertools.groupby(row["object_id"] for row in found)]
    assert sorted(runs) == sorted(objects)
    assert len({row["id"].bytes[6:] for row in found}) == len(found) > len(objects)


def test_a_grant_row_given_to_another_is_tampered(vault):
    """By SQL the place is wrong; by a re-sealed row the signed terms say something else."""
    target, _ = a_case(vault)
    dana = vault.staff(DPO)
    with vault.stores.keyring.reading() as tx:
        (grant,) = grants.of_object(tx, target)
    with vault.stores.keyring.writing() as tx:
        tx.remove(tables.grant, id=grant.terms.id)
        tx.add(
            tables.grant,
            grant.encode(),
            id=grant.terms.id,
            object_kind="case",
            object_id=target.id,
            grantee_id=dana,
            expires_at=0,
        )
    with vault.stores.keyring.reading() as tx, pytest.raises(Tampered):
        vault.holder(DPO).open(tx, target)


def test_taking_a_grant_takes_its_keys(vault):
    """Grant and key rows go together, and only that person's."""
    target, _ = a_case(vault, grantees=(SUPERVISOR, DPO))
    with vault.stores.keyring.writing() as tx:
        assert grants.take(tx, target, vault.staff(DPO)) == 1
        assert grants.take(tx, target, vault.staff(DPO)) == 0
        (left,) = grants.of_object(tx, target)
        assert left.terms.grantee == vault.staff(SUPERVISOR)
        assert len(grants.key_rows(tx, left, {c.compartment for c in left.terms.carried})) == 3
        assert not vault.holder(DPO).open(tx, target)


def test_a_deleted_compartment_row_closes_that_compartment_alone(vault):
    """One row can go without the rest."""
    target, keys = a_case(vault)
    with vault.stores.keyring.writing() as tx:
        (grant,) = grants.of_object(tx, target)
        tx.remove(tables.grant_key, grant_id=grant.terms.id, compartment="identity")
        assert set(vault.holder(SUPERVISOR).open(tx, target)) == set(keys) - {"identity"}


def test_a_group_secret_opens_with_its_own_key_only(vault):
    """And a principal without a sealed secret has none to open."""
    group = vault.group(PrincipalKind.DPO)
    organisation = vault.stores.organisation
    with pytest.raises(Tampered):
        principals.group_secret(organisation, group, Key.random())
    with pytest.raises(KeyUnavailable):
        principals.group_secret(organisation, vault.group(PrincipalKind.RECOVERY), Key.random())
    with vault.stores.keyring.reading() as tx:
        row, secret = vault.holder(DPO).group(tx, group.id)
    assert secret.public == row.public == group.public


def test_a_group_secret_must_belong_to_the_groups_public_keys(vault):
    """Public keys of somebody else beside a true secret are found."""
    with vault.stores.keyring.writing() as tx:
        group, key = principals.add_group(tx, new_id(), PrincipalKind.DPO, None)
    posing = principals.Principal(
        group.id, group.kind, None, PrincipalSecret.generate().public, group.sealed_secret
    )
    with pytest.raises(Tampered):
        principals.group_secret(vault.stores.organisation, posing, key)
    assert principals.group_secret(vault.stores.organisation, group, key).public == group.public


def a_manifest(revision):
    return Manifest("facts", new_id(), "standard", (), revision, bytes([revision]) * 32)


def test_an_anchor_rises(vault):
    """The oldest manifest that may be believed moves forward."""
    target, _ = a_case(vault)
    with vault.stores.keyring.writing() as tx:
        for revision in (3, 2, 3):
            row = case_keys.of_case(tx, target.id)["facts"].newest
            case_keys.raise_anchor(tx, row, a_manifest(revision))
        assert case_keys.of_case(tx, target.id)["facts"].newest.anchor == Anchor(3, b"\x03" * 32)


def test_an_anchor_is_never_lowered_by_an_older_copy_of_its_row(vault):
    """Two requests read the row; the slower one must not undo the faster one."""
    target, _ = a_case(vault)
    with vault.stores.keyring.reading() as tx:
        stale: CaseKeyRow = case_keys.of_case(tx, target.id)["facts"].newest
    for revision in (5, 3):
        with vault.stores.keyring.writing() as tx:
            case_keys.raise_anchor(tx, stale, a_manifest(revision))
    with vault.stores.keyring.reading() as tx:
        assert case_keys.of_case(tx, target.id)["facts"].newest.anchor.revision == 5


def test_a_one_time_code_works_once(vault):
    """Wrong, used and old codes give one answer; a new code ends the one before."""
    person = new_id()
    with vault.stores.keyring.writing() as tx:
        people.add_enrolment(tx, person, "OLD-CODE", vault.now + 60)
        people.add_enrolment(tx, person, "NEW-CODE", vault.now + 60)
        assert people.enrolment_of(tx, "new code", vault.now) == person
        for code, moment in (("OLD-CODE", 0), ("NEW-CODE", 60), ("wrong", 0)):
            with pytest.raises(Unauthenticated):
                people.enrolment_of(tx, code, vault.now + moment)
        people.use_enrolment(tx, "NEW-CODE", vault.now)
        with pytest.raises(Unauthenticated):
            people.use_enrolment(tx, "NEW-CODE", vault.now)


def test_two_people_with_one_code_do_not_both_get_in(vault, request):
    """While the first one's transaction is open, the second waits; then the code is used up."""
    with vault.stores.keyring.writing() as tx:
        people.add_enrolment(tx, new_id(), "ONE-CODE", vault.now + 60)
    other, entered = vault.another_process(), []
    read = threading.Event()

    def second():
        try:
            with other.keyring.writing() as tx:
                read.set()
                people.use_enrolment(tx, "ONE-CODE", vault.now)
            entered.append("second")
        except Unauthenticated:
            pass

    thread = threading.Thread(target=second)
    with vault.stores.keyring.writing() as tx:
        people.use_enrolment(tx, "ONE-CODE", vault.now)
        entered.append("first")
        thread.start()
        # On SQLite the second waits for the write lock, on PostgreSQL for the row.
        read.wait(timeout=0.5)
        thread.join(timeout=0.5)
    thread.join()
    assert entered == ["first"]


def test_names_and_logins_are_not_in_the_keyring_in_the_clear(vault):
    """A dump of the keyring tells no colleague's name, and a login is found by its HMAC alone."""
    with vault.stores.keyring.database.reading() as connection:
        rows = connection.execute(select(tables.staff)).all()
    everything = b"".join(bytes(v) for row in rows for v in row if isinstance(v, bytes))
    for name in (b"Salma", b"salma", b"Dana", b"dana"):
        assert name not in everything
    with vault.stores.keyring.reading() as tx:
        found = people.staff_by_login(tx, "  SALMA ")
        assert found.id == vault.staff(SUPERVISOR)
        assert "Salma" not in repr(found)
        assert people.staff_by_login(tx, "nobody") is None
        assert people.staff_by_id(tx, new_id()) is None
        assert [m.name[0] for m in people.all_staff(tx)] == ["A", "A", "D", "S"]


def test_members_join_the_groups_of_their_roles(vault):
    """Supervisors all three of the team, auditors theirs, administrators none."""
    with vault.stores.keyring.reading() as tx:
        kinds = {
            role: {group.kind for group in teams.groups_for(tx, [role], vault.team)}
            for role in ("supervisor", "caseworker", "auditor", "dpo", "administrator")
        }
    assert kinds["supervisor"] == {
        PrincipalKind.OVERSIGHT,
        PrincipalKind.DIRECTORY,
        PrincipalKind.INTAKE,
    }
    assert kinds["caseworker"] == {PrincipalKind.DIRECTORY}
    assert kinds["auditor"] == {PrincipalKind.AUDITORS}
    assert kinds["dpo"] == {PrincipalKind.DPO}
    assert kinds["administrator"] == set()


def test_what_the_builder_enrols_can_sign_in(database, tmp_path):
    """The builder's people are real: envelope, vouch and key ring."""
    vault = a_vault(database, tmp_path)
    vault.enrolled("amal", {"caseworker"}, vault.team)
    vault._secrets.pop("amal")
    with vault.stores.keyring.reading() as tx:
        (scope,) = vault.stores.trust.scopes(tx, vault.staff("amal"))
    assert (scope.roles, scope.team) == (("caseworker",), vault.team)
    assert vault.secret("amal").public == vault.holder("amal").secret.public
    vault.close()
