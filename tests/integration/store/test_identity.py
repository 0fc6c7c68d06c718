"""Which keyring belongs to which data: older and foreign ones are refused."""

from __future__ import annotations

from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from casevault.crypto.credentials import SMALL, PassphraseKdf
from casevault.crypto.roots import create_roots
from casevault.errors import Conflict, Misconfigured
from casevault.ids import new_id
from casevault.services.recovery.ceremony import Ceremony
from casevault.store.engine import keyring_tables, tables
from casevault.store.recovery import identity
from tests.builders import PLAN, a_clock


def check(vault, roots=None, organisation=None):
    stores = vault.stores
    identity.check(
        stores.data,
        stores.keyring.database,
        roots or stores.roots,
        organisation or stores.organisation,
    )


def code_of(vault, **changes):
    with pytest.raises(Misconfigured) as caught:
        check(vault, **changes)
    return caught.value.code


def generation(vault):
    with vault.stores.keyring.database.reading() as connection:
        own = connection.execute(select(keyring_tables.keyring_identity.c.generation)).scalar_one()
    with vault.stores.data.reading() as connection:
        seen = connection.execute(select(tables.store_identity.c.generation)).scalar_one()
    return own, seen


def in_keyring(vault, statement):
    with vault.stores.keyring.database.writing() as connection:
        connection.execute(text(statement))


def test_what_belongs_together_is_accepted(vault):
    """After the ceremony, and after every start."""
    check(vault)
    for expected in (2, 3, 4):
        assert identity.advance(vault.stores.data, vault.stores.keyring.database) == expected
        assert generation(vault) == (expected, expected)
        check(vault)


class _Overtaken:
    """A database beside which somebody else acts as soon as it was looked at."""

    def __init__(self, database, act):
        self._database, self._act = database, act

    @contextmanager
    def reading(self):
        with self._database.reading() as connection:
            yield connection
        self._act()


def test_a_release_that_pays_meanwhile_makes_no_keyring_older(vault):
    """Between the two looks the generation rises in both stores; the first look is old then."""
    stores = vault.stores
    data, keyring = stores.data, stores.keyring.database

    def rises():
        identity.advance(data, keyring)

    before = generation(vault)[0]
    identity.check(
        _Overtaken(data, rises), _Overtaken(keyring, rises), stores.roots, stores.organisation
    )
    assert generation(vault) == (before + 2, before + 2)


def test_an_older_keyring_is_refused(vault):
    """Keys that were destroyed since would come back with it."""
    identity.advance(vault.stores.data, vault.stores.keyring.database)
    in_keyring(vault, "UPDATE keyring_identity SET generation = 1")
    assert code_of(vault) == "identity.older"


def test_older_data_are_accepted(vault):
    """The data store may be old; the keyring must be the newest."""
    identity.advance(vault.stores.data, vault.stores.keyring.database)
    with vault.stores.data.writing() as connection:
        connection.execute(text("UPDATE store_identity SET generation = 1"))
    check(vault)
    # And what was seen is never forgotten again.
    identity.advance(vault.stores.data, vault.stores.keyring.database)
    assert generation(vault) == (3, 3)


def test_a_foreign_keyring_is_refused(vault):
    """Another keyring's id, in either store or in the keys folder."""
    other = new_id()
    with vault.stores.keyring.database.writing() as connection:
        connection.execute(keyring_tables.keyring_identity.update().values(keyring_id=other))
    assert code_of(vault) == "identity.foreign"


def test_foreign_data_are_refused(vault):
    """The data of another vault do not open with this keyring."""
    with vault.stores.data.writing() as connection:
        connection.execute(tables.store_identity.update().values(keyring_id=new_id()))
    assert code_of(vault) == "identity.foreign"


def test_foreign_root_material_is_refused(vault, tmp_path):
    """The folder of another vault's keys."""
    roots = create_roots(tmp_path / "other", new_id())
    assert code_of(vault, roots=roots) == "identity.foreign"


def test_another_organisation_is_refused(vault):
    """The configuration names the organisation with which everything was sealed."""
    assert code_of(vault, organisation=UUID(int=1)) == "identity.organisation"


@pytest.mark.parametrize("which", ["data", "keyring"])
def test_an_empty_store_is_refused(vault, which):
    """No identity is no vault."""
    if which == "keyring":
        in_keyring(vault, "DELETE FROM keyring_identity")
    else:
        with vault.stores.data.writing() as connection:
            connection.execute(text("DELETE FROM store_identity"))
    assert code_of(vault) == "identity.empty"


def test_an_empty_keyring_takes_no_rows(vault):
    """Without an identity there is no epoch to seal under."""
    in_keyring(vault, "DELETE FROM keyring_identity")
    with pytest.raises(Misconfigured) as caught, vault.stores.keyring.writing():
        pass
    assert caught.value.code == "keyring.empty"


def hold(vault, progress=lambda _: None):
    stores = vault.stores
    ceremony = Ceremony(stores.data, stores.keyring.database, stores.roots, a_clock())
    return ceremony.hold(stores.organisation, PLAN, PassphraseKdf(SMALL, 2), progress)


def test_a_second_ceremony_is_refused_and_changes_nothing(vault):
    """A keyring in use is never set up again."""
    with vault.stores.keyring.reading() as tx:
        before = len(tx.lookups(keyring_tables.principal))
    with pytest.raises((Misconfigured, Conflict)):
        hold(vault)
    with vault.stores.keyring.reading() as tx:
        assert len(tx.lookups(keyring_tables.principal)) == before


def test_nothing_is_left_of_a_failed_ceremony(empty, tmp_path):
    """It can be held again."""
    data, keyring = empty
    roots = create_roots(tmp_path / "keys", new_id())
    ceremony = Ceremony(data, keyring, roots, a_clock())

    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ceremony.hold(new_id(), PLAN, PassphraseKdf(SMALL, 2), fail)
    with keyring.reading() as connection:
        assert (
            connection.execute(
                select(func.count()).select_from(keyring_tables.principal)
            ).scalar_one()
            == 0
        )
    ceremony.hold(new_id(), PLAN, PassphraseKdf(SMALL, 2))
