"""Migrations: both stores reach their head, equal the tables in code, and guard themselves."""

from __future__ import annotations

import secrets

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import inspect, make_url, select, text
from sqlalchemy.exc import IntegrityError

from casevault.errors import Conflict, Misconfigured
from casevault.ids import new_id
from casevault.store.engine import keyring_tables, migrate, schema, tables
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import sealed_tables
from casevault.store.log import tree
from tests.builders import a_vault, an_act
from tests.conftest import libpq_url

BRANCHES = ("data", "keyring")


def stores(database):
    return {"data": Database(database.data_url), "keyring": Database(database.keyring_url)}


@pytest.fixture
def opened(database):
    """Give both stores, empty and without a schema."""
    found = stores(database)
    yield found
    for one in found.values():
        one.close()


@pytest.mark.parametrize("branch", BRANCHES)
def test_an_empty_store_reaches_the_head(opened, branch):
    """Up, down to nothing and up again, each time exactly the tables in code."""
    store = opened[branch]
    assert schema.current(store, branch) is None
    with pytest.raises(Misconfigured) as caught:
        schema.require_head(store, branch)
    assert caught.value.code == "store.schema"
    assert migrate.differences(store, branch) > 0
    for _ in range(2):
        migrate.upgrade(store, branch)
        assert schema.current(store, branch) == schema.head(branch)
        # Read from the scripts' text; Alembic, which runs them, says the same.
        known = ScriptDirectory(str(schema.scripts(branch)))
        assert schema.head(branch) == known.get_current_head()
        names = {script.revision for script in known.walk_revisions()}
        assert all(schema.is_known(branch, name) for name in names)
        assert not schema.is_known(branch, "9999")
        assert schema.at_head(store, branch)
        schema.require_head(store, branch)
        assert migrate.differences(store, branch) == 0
        migrate.downgrade(store, branch, "base")
        with store.reading() as connection:
            names = set(inspect(connection).get_table_names())
        assert names <= {f"alembic_version_{branch}"}
    migrate.upgrade(store, branch)
    migrate.upgrade(store, branch)
    assert migrate.differences(store, branch) == 0


def test_the_stores_do_not_share_a_history(opened):
    """Each branch has its own version table, so one database never passes for the other."""
    migrate.upgrade(opened["data"], "data")
    assert not schema.at_head(opened["data"], "keyring")
    assert migrate.differences(opened["data"], "keyring") > 0


def test_upgrading_a_vault_in_use_keeps_its_data(database, tmp_path):
    """At head, `upgrade` changes nothing: entries and keys are as they were."""
    vault = a_vault(database, tmp_path)
    vault.stores.ledger.record(an_act())
    before = [entry.id for entry in vault.entries()]
    for branch, store in (("data", vault.stores.data), ("keyring", vault.stores.keyring.database)):
        migrate.upgrade(store, branch)
        assert migrate.differences(store, branch) == 0
    assert [entry.id for entry in vault.entries(vault.another_process())] == before
    vault.close()


def test_private_objects_come_and_go_beside_a_vault_in_use(database, tmp_path):
    """0002 up and down: entries of before stay, private objects live only above it."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.data
    vault.stores.ledger.record(an_act())
    before = [entry.id for entry in vault.entries()]
    migrate.downgrade(store, "data", "0001")
    for _ in range(2):
        migrate.upgrade(store, "data")
        assert migrate.differences(store, "data") == 0
        row = a_row(tables.private_object, SEALED_MAGIC + bytes(352))
        with store.writing() as connection:
            connection.execute(tables.private_object.insert().values(**row))
        assert [entry.id for entry in vault.entries()] == before
        migrate.downgrade(store, "data", "0001")
        with store.reading() as connection:
            assert "private_object" not in inspect(connection).get_table_names()
    migrate.upgrade(store, "data")
    assert [entry.id for entry in vault.entries()] == before
    vault.close()


def test_records_of_the_audit_come_and_go_beside_a_vault_in_use(database, tmp_path):
    """0007 up and down: entries of before stay; what does not look sealed is refused."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.data
    vault.stores.ledger.record(an_act())
    before = [entry.id for entry in vault.entries()]
    migrate.downgrade(store, "data", "0006")
    for _ in range(2):
        migrate.upgrade(store, "data")
        assert migrate.differences(store, "data") == 0
        row = a_row(tables.audit_record, SEALED_MAGIC + bytes(352))
        with store.writing() as connection:
            connection.execute(tables.audit_record.insert().values(**row))
        assert [entry.id for entry in vault.entries()] == before
        migrate.downgrade(store, "data", "0006")
        with store.reading() as connection:
            assert "audit_record" not in inspect(connection).get_table_names()
    migrate.upgrade(store, "data")
    assert [entry.id for entry in vault.entries()] == before
    vault.close()


def test_import_lines_come_and_go_beside_a_vault_in_use(database, tmp_path):
    """0003 up and down: entries and private objects of before stay as they were."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.data
    vault.stores.ledger.record(an_act())
    before = [entry.id for entry in vault.entries()]
    migrate.downgrade(store, "data", "0002")
    row = a_row(tables.private_object, SEALED_MAGIC + bytes(352))
    with store.writing() as connection:
        connection.execute(tables.private_object.insert().values(**row))
    line = {"line": bytes(36), "became": bytes(36)}
    for _ in range(2):
        migrate.upgrade(store, "data")
        assert migrate.differences(store, "data") == 0
        with store.writing() as connection:
            connection.execute(tables.import_line.insert().values(**line))
        migrate.downgrade(store, "data", "0002")
        with store.reading() as connection:
            assert "import_line" not in inspect(connection).get_table_names()
    with store.reading() as connection:
        kept = connection.execute(tables.private_object.select()).mappings().one()
    assert dict(kept) == row
    migrate.upgrade(store, "data")
    assert [entry.id for entry in vault.entries()] == before
    vault.close()


def test_roots_of_tiles_are_made_for_a_log_in_use(database, tmp_path):
    """0006 up and down: full tiles get the root that new ones are written with."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.data
    vault.stores.ledger.record(*(an_act() for _ in range(250)))
    vault.stores.ledger.record(*(an_act() for _ in range(270)))
    vault.integrate()
    tile = tables.ledger_tile

    def kept():
        with store.reading() as connection:
            rows = connection.execute(select(tile).order_by(tile.c.number)).all()
            return rows, tree.inclusion(connection, 300, 520), tree.current(connection)

    before = kept()
    assert len(before[0]) == 2
    for _ in range(2):
        migrate.downgrade(store, "data", "0005")
        with store.reading() as connection:
            names = inspect(connection).get_table_names()
            assert not {"ledger_retention", "ledger_incident"} & set(names)
        migrate.upgrade(store, "data")
        assert migrate.differences(store, "data") == 0
        assert kept() == before
    vault.close()


def test_approvals_come_and_go_beside_a_keyring_in_use(database, tmp_path):
    """0002 of the keyring up and down: people, vouches and grants of before stay as they were."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.keyring.database

    def kept():
        names = (keyring_tables.vouch, keyring_tables.staff, keyring_tables.grant)
        with store.reading() as connection:
            return [sorted(map(str, connection.execute(table.select()))) for table in names]

    before = kept()
    assert all(before)
    migrate.downgrade(store, "keyring", "0001")
    for _ in range(2):
        migrate.upgrade(store, "keyring")
        assert migrate.differences(store, "keyring") == 0
        row = a_row(keyring_tables.approval, SEALED_MAGIC + bytes(352))
        with store.writing() as connection:
            connection.execute(keyring_tables.approval.insert().values(**row))
        assert kept() == before
        migrate.downgrade(store, "keyring", "0001")
        with store.reading() as connection:
            assert "approval" not in inspect(connection).get_table_names()
    assert kept() == before
    vault.close()


def test_second_factors_come_and_go_beside_a_vault_in_use(database, tmp_path):
    """Keyring 0003 up and down: whoever could open their envelope before can do so after."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.keyring.database
    seed = vault.secret("salma").seed
    migrate.downgrade(store, "keyring", "0002")
    for _ in range(2):
        migrate.upgrade(store, "keyring")
        assert migrate.differences(store, "keyring") == 0
        row = a_row(keyring_tables.second_factor, SEALED_MAGIC + bytes(352))
        with store.writing() as connection:
            connection.execute(keyring_tables.second_factor.insert().values(**row))
        migrate.downgrade(store, "keyring", "0002")
        with store.reading() as connection:
            assert "second_factor" not in inspect(connection).get_table_names()
    migrate.upgrade(store, "keyring")
    vault._secrets.clear()
    assert vault.secret("salma").seed == seed
    vault.close()


def test_recovery_envelopes_come_and_go_beside_a_keyring_in_use(database, tmp_path):
    """0004 of the keyring up and down: envelopes and approvals of before stay as they were."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.keyring.database
    migrate.downgrade(store, "keyring", "0003")
    approval = a_row(keyring_tables.approval, SEALED_MAGIC + bytes(352))
    with store.writing() as connection:
        connection.execute(keyring_tables.approval.insert().values(**approval))

    def kept():
        with store.reading() as connection:
            envelopes = connection.execute(keyring_tables.envelope.select()).all()
            return sorted(map(str, envelopes)), connection.execute(
                keyring_tables.approval.select()
            ).all()

    before = kept()
    assert all(before)
    for _ in range(2):
        migrate.upgrade(store, "keyring")
        assert migrate.differences(store, "keyring") == 0
        row = a_row(keyring_tables.recovery_envelope, SEALED_MAGIC + bytes(352))
        with store.writing() as connection:
            connection.execute(keyring_tables.recovery_envelope.insert().values(**row))
        migrate.downgrade(store, "keyring", "0003")
        assert kept() == before
    vault.close()


def test_guesses_and_lockdown_come_and_go_beside_a_vault_in_use(database, tmp_path):
    """Keyring 0005 up and down: second factors and envelopes of before stay as they were."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.keyring.database
    names = ("guess", "device", "failure", "lockdown")
    kept = a_row(keyring_tables.second_factor, SEALED_MAGIC + bytes(352))
    with store.writing() as connection:
        connection.execute(keyring_tables.second_factor.insert().values(**kept))
    migrate.downgrade(store, "keyring", "0004")
    for _ in range(2):
        migrate.upgrade(store, "keyring")
        assert migrate.differences(store, "keyring") == 0
        for name in names:
            table = keyring_tables.keyring.tables[name]
            with store.writing() as connection:
                row = a_row(table, SEALED_MAGIC + bytes(352))
                connection.execute(table.insert().values(**row))
        migrate.downgrade(store, "keyring", "0004")
        with store.reading() as connection:
            assert not set(names) & set(inspect(connection).get_table_names())
            found = connection.execute(keyring_tables.second_factor.select()).mappings().one()
            assert dict(found) == kept
    migrate.upgrade(store, "keyring")
    assert vault.secret("salma").seed
    vault.close()


def test_dossiers_come_and_go_beside_a_keyring_in_use(database, tmp_path):
    """0006 of the keyring up and down: envelopes and approvals of before stay as they were."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.keyring.database
    approval = a_row(keyring_tables.approval, SEALED_MAGIC + bytes(352))
    with store.writing() as connection:
        connection.execute(keyring_tables.approval.insert().values(**approval))
    migrate.downgrade(store, "keyring", "0005")
    for _ in range(2):
        migrate.upgrade(store, "keyring")
        assert migrate.differences(store, "keyring") == 0
        row = a_row(keyring_tables.break_glass, SEALED_MAGIC + bytes(352))
        with store.writing() as connection:
            connection.execute(keyring_tables.break_glass.insert().values(**row))
        migrate.downgrade(store, "keyring", "0005")
        with store.reading() as connection:
            assert "break_glass" not in inspect(connection).get_table_names()
            found = connection.execute(keyring_tables.approval.select()).mappings().one()
            assert dict(found) == approval
    migrate.upgrade(store, "keyring")
    assert vault.secret("salma").seed
    vault.close()


def test_milestones_come_and_go_beside_a_keyring_in_use(database, tmp_path):
    """0007 of the keyring up and down: envelopes of before stay as they were."""
    vault = a_vault(database, tmp_path)
    store = vault.stores.keyring.database

    def kept():
        with store.reading() as connection:
            return sorted(map(str, connection.execute(keyring_tables.envelope.select())))

    before = kept()
    assert before
    migrate.downgrade(store, "keyring", "0006")
    for _ in range(2):
        migrate.upgrade(store, "keyring")
        assert migrate.differences(store, "keyring") == 0
        row = a_row(keyring_tables.milestone, SEALED_MAGIC + bytes(352))
        with store.writing() as connection:
            connection.execute(keyring_tables.milestone.insert().values(**row))
        migrate.downgrade(store, "keyring", "0006")
        assert kept() == before
    vault.close()


def test_every_index_in_code_is_in_the_database(opened):
    """Alembic's comparison is not asked alone: index and unique columns are listed."""
    for branch, metadata in (("data", tables.data), ("keyring", keyring_tables.keyring)):
        migrate.upgrade(opened[branch], branch)
        with opened[branch].reading() as connection:
            inspector = inspect(connection)
            for table in metadata.sorted_tables:
                indexed = {
                    tuple(index["column_names"]) for index in inspector.get_indexes(table.name)
                }
                assert {tuple(i.columns.keys()) for i in table.indexes} <= indexed, table.name


SEALED_MAGIC = b"CV\x01\x01"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Amal, in the clear",
        b"x" * 356,
        b"CV\x02\x01" + bytes(352),
        SEALED_MAGIC,
        SEALED_MAGIC + bytes(351),
    ],
)
def test_the_database_refuses_what_does_not_look_sealed(empty, content):
    """Wrong magic and short content never reach a sealed column, whoever writes them."""
    data, keyring = empty
    for store, found in (
        (keyring, sealed_tables()),
        (data, (tables.document, tables.manifest, tables.ledger_body, tables.private_object)),
    ):
        for table in found:
            with pytest.raises(Conflict), store.writing() as connection:
                if store is data:
                    parents(connection)
                connection.execute(table.insert().values(**a_row(table, content)))


def test_the_database_takes_what_looks_sealed(empty):
    """The counterpart: the checks above fail for the content and not for the row."""
    data, keyring = empty
    content = SEALED_MAGIC + bytes(352)
    for table in sealed_tables():
        with keyring.writing() as connection:
            connection.execute(table.insert().values(**a_row(table, content)))
    with data.writing() as connection:
        parents(connection)
        for table in (tables.document, tables.manifest, tables.ledger_body, tables.private_object):
            connection.execute(table.insert().values(**a_row(table, content)))


PARENT = new_id()


def parents(connection):
    """Insert the rows that foreign keys ask for."""
    for table in (tables.case_file, tables.ledger_entry):
        row = a_row(table, b"")
        row.update({"mac": bytes(36)} if "mac" in row else {"tag": bytes(36)})
        connection.execute(table.insert().values(**row))


def a_row(table, content):
    """Return any values for a table, with `content` in its sealed column."""
    made = {"Uuid": PARENT, "String": "x", "Integer": 1, "BigInteger": 1, "Boolean": False}
    row = {column.name: made.get(type(column.type).__name__, bytes(32)) for column in table.columns}
    return row | ({"sealed": content} if "sealed" in row else {})


@pytest.mark.parametrize(
    ("table", "column", "length"),
    [
        ("ledger_entry", "tag", 36),
        ("case_file", "mac", 36),
        ("ledger_leaf", "hash", 32),
        ("ledger_tile", "hashes", 8192),
        ("idempotency", "key", 32),
        ("import_line", "line", 36),
        ("import_line", "became", 36),
        ("register_entry", "stamp", 36),
    ],
)
def test_stamps_and_hashes_have_their_length(empty, table, column, length):
    """A short MAC is refused by the database itself."""
    data, _ = empty
    found = tables.data.tables[table]
    for wrong in (length - 1, length + 1, 0):
        with pytest.raises(Conflict), data.writing() as connection:
            if table == "ledger_leaf":
                parents(connection)
            connection.execute(found.insert().values(**a_row(found, b"") | {column: bytes(wrong)}))


def test_there_is_one_identity_and_one_head(empty):
    """Tables of one row take no second."""
    data, keyring = empty
    for store, table in (
        (data, tables.store_identity),
        (data, tables.ledger_head),
        (keyring, keyring_tables.keyring_identity),
    ):
        with pytest.raises(Conflict), store.writing() as connection:
            connection.execute(table.insert().values(**a_row(table, b"") | {"id": 2}))


@pytest.fixture
def role(pg_url):
    """Give the name of a PostgreSQL role without any right."""
    name = f"cv_app_{secrets.token_hex(6)}"
    with psycopg.connect(libpq_url(pg_url), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    return name


@pytest.fixture
def application(pg_databases, role):
    """Give both URLs after a migration that named the application's role; drop its rights."""
    for branch, url in (("data", pg_databases.data_url), ("keyring", pg_databases.keyring_url)):
        store = Database(url)
        as_role = make_url(url).set(username=role, password="unused")
        migrate.upgrade(store, branch, as_role.render_as_string(hide_password=False))
        store.close()
    yield {"data": pg_databases.data_url, "keyring": pg_databases.keyring_url}
    for url in (pg_databases.data_url, pg_databases.keyring_url):
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
    with psycopg.connect(libpq_url(pg_databases.data_url), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def allowed(url, role, statement):
    """Say whether PostgreSQL lets the role do this."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return False
        except psycopg.errors.IntegrityError:
            return True
        return True


def test_a_role_that_may_not_make_tables_is_told_so(application, role):
    """Not that the database does not answer: to wait would help nobody."""
    for branch, url in application.items():
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            connection.execute(f"DROP TABLE alembic_version_{branch} CASCADE")
        store = Database(make_url(url).set(username=role).render_as_string(hide_password=False))
        with pytest.raises(Misconfigured) as refused:
            migrate.upgrade(store, branch)
        store.close()
        assert refused.value.code == "store.migrator"


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_leaf", "ledger_tile"])
def test_the_application_cannot_rewrite_the_ledger(application, role, table):
    """Its role inserts and reads; it can neither change nor delete nor truncate."""
    column = {"ledger_entry": "counter", "ledger_leaf": "position", "ledger_tile": "number"}[table]
    data = application["data"]
    assert allowed(data, role, f"SELECT * FROM {table}")
    assert allowed(data, role, f"INSERT INTO {table} ({column}) VALUES (1)")
    assert not allowed(data, role, f"UPDATE {table} SET {column} = 2")
    assert not allowed(data, role, f"DELETE FROM {table}")
    assert not allowed(data, role, f"TRUNCATE {table}")
    assert not allowed(data, role, f"ALTER TABLE {table} ADD COLUMN x int")


def test_the_application_does_its_work_and_no_more(application, role):
    """Everything else it may write; schema and versions it may not."""
    for branch, metadata in (("data", tables.data), ("keyring", keyring_tables.keyring)):
        url = application[branch]
        for table in metadata.sorted_tables:
            assert allowed(url, role, f"SELECT * FROM {table.name}")
            if table.name not in ("ledger_entry", "ledger_leaf", "ledger_tile"):
                assert allowed(url, role, f"DELETE FROM {table.name}")
        version = f"alembic_version_{branch}"
        assert allowed(url, role, f"SELECT * FROM {version}")
        assert not allowed(url, role, f"UPDATE {version} SET version_num = 'x'")
        assert not allowed(url, role, "CREATE TABLE x (y int)")
        assert not allowed(url, role, "DROP TABLE " + metadata.sorted_tables[0].name)


def test_the_owner_needs_no_rights(database):
    """An application URL of the migrator itself, or of nobody, changes nothing."""
    store = Database(database.data_url)
    for url in (database.data_url, "postgresql+psycopg:///vault", None):
        migrate.upgrade(store, "data", url)
    assert schema.at_head(store, "data")
    store.close()


def test_raw_sql_is_refused_too(empty):
    """The checks are the database's: text written by hand fails as well."""
    _, keyring = empty
    with keyring.engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(
            text("INSERT INTO team (id, epoch, sealed) VALUES (:id, 1, :sealed)"),
            {"id": new_id().hex, "sealed": b"in the clear"},
        )
