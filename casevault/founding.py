"""The ceremony that founds a vault; what one that was interrupted left, and how it goes on.

The shares leave the ceremony before its keyring commits. So an empty keyring means that nothing
was founded, and a keyring of this configuration's own id means that only later steps can lack.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

from casevault import bootstrap, host
from casevault.clock import SystemClock
from casevault.config import Settings
from casevault.crypto import principals as crypto_principals
from casevault.crypto.credentials import PROFILES, PassphraseKdf
from casevault.crypto.roots import (
    NO_KEY,
    RootsKey,
    Seal,
    create_roots,
    discard_roots,
    open_roots,
    plainly,
)
from casevault.errors import Misconfigured
from casevault.services.recovery.ceremony import (
    Ceremony,
    HandOut,
    Outcome,
    Plan,
    Progress,
    check_plan,
)
from casevault.store.engine import migrate
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.keys import people
from casevault.store.keys.trust import Trust
from casevault.store.log import tree
from casevault.store.log.ledger import SERVICE, Act, Ledger
from casevault.store.log.months import Months
from casevault.store.recovery import identity


def hold_ceremony(
    settings: Settings,
    organisation: UUID,
    plan: Plan,
    progress: Progress = lambda _: None,
    hand_out: HandOut = lambda _: None,
    *,
    seal: Seal = plainly,
) -> Outcome:
    """Set up an empty vault: schema, root material, keyring, first people, first ledger entry."""
    crypto_principals.self_test()
    check_plan(plan)
    upgrade_stores(settings, progress)
    data, keyring = bootstrap.databases(settings)
    # Before there is any root material that would have to be thrown away again.
    identity.require_empty(data, keyring)
    keyring_id = settings.unfinished or uuid4()
    roots = create_roots(bootstrap.roots_place(settings), keyring_id, seal)
    kdf = PassphraseKdf(PROFILES[settings.kdf_profile], settings.argon2_concurrency)
    ceremony = Ceremony(data, keyring, roots, SystemClock())
    outcome = ceremony.hold(organisation, plan, kdf, progress, hand_out)
    record_founding(Keyring(keyring, roots, organisation), data, outcome.root_pin)
    data.close()
    keyring.close()
    return outcome


def upgrade_stores(settings: Settings, progress: Progress = lambda _: None) -> None:
    """Bring the schema of both stores to head."""
    for database, branch, url in zip(
        bootstrap.databases(settings, migrator=True),
        ("data", "keyring"),
        (settings.data_url, settings.keyring_url),
        strict=True,
    ):
        progress(f"schema of the {branch} store")
        migrate.upgrade(database, branch, url)
        database.close()


def record_founding(keyring: Keyring, data: Database, root: str) -> None:
    """Write the first entry of the log: how many people were there."""
    clock = SystemClock()
    with keyring.reading() as tx:
        count = len(people.all_staff(tx))
    ledger = Ledger(data, Months(keyring, Trust(root, clock), clock), keyring.roots, clock)
    ledger.record(Act("system.init", SERVICE, rule="permit:ceremony", count=count))
    tree.integrate_all(data, keyring.roots)
    ledger.close()


def resume_ceremony(settings: Settings, key: Callable[[], RootsKey] = lambda: NO_KEY) -> bool:
    """Finish what an interrupted ceremony left; False if it left no vault and may begin anew.

    `key` is asked for what opens the root material.
    """
    found = committed_keyring(settings)
    if found is None:
        return False
    data, keyring = bootstrap.databases(settings)
    try:
        if found != settings.unfinished:
            raise Misconfigured(
                "These stores hold a vault that is not the one of this configuration file.",
                code="identity.in-use",
            )
        organisation, root = host.ids_of(settings)
        roots = open_roots(bootstrap.roots_place(settings), key())
        if not identity.has_begun(data):
            identity.begin_data(data, organisation, roots.keyring_id)
        if not identity.has_entries(data):
            record_founding(Keyring(keyring, roots, organisation), data, root)
        return True
    finally:
        data.close()
        keyring.close()


def committed_keyring(settings: Settings) -> UUID | None:
    """Return the id of the keyring that the stores hold, None while they are empty."""
    upgrade_stores(settings)
    database = bootstrap.databases(settings)[1]
    try:
        return identity.keyring_id(database)
    finally:
        database.close()


def abandon_ceremony(settings: Settings) -> None:
    """Remove the root material of a ceremony that left no vault."""
    if settings.unfinished is not None:
        discard_roots(settings.keys_dir, settings.unfinished)
