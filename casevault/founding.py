"""What a ceremony that was interrupted left, and how it goes on or is cleared away.

The shares leave the ceremony before its keyring commits. So an empty keyring means that nothing
was founded, and a keyring of this configuration's own id means that only later steps can lack.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from casevault import bootstrap, host
from casevault.config import Settings
from casevault.crypto.roots import NO_KEY, RootsKey, discard_roots, open_roots
from casevault.errors import Misconfigured
from casevault.store import identity
from casevault.store.keyring import Keyring


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
            bootstrap.record_founding(Keyring(keyring, roots, organisation), data, root)
        return True
    finally:
        data.close()
        keyring.close()


def committed_keyring(settings: Settings) -> UUID | None:
    """Return the id of the keyring that the stores hold, None while they are empty."""
    bootstrap.upgrade_stores(settings)
    database = bootstrap.databases(settings)[1]
    try:
        return identity.keyring_id(database)
    finally:
        database.close()


def abandon_ceremony(settings: Settings) -> None:
    """Remove the root material of a ceremony that left no vault."""
    if settings.unfinished is not None:
        discard_roots(settings.keys_dir, settings.unfinished)
