"""A data store that comes from a backup: settling it, with what it takes besides the stores.

Beside `founding`: how a vault begins, and how it begins again. Decides nothing that the services do
not; puts them together for a vault that must not be served yet.
"""

from __future__ import annotations

from casevault.config import Settings
from casevault.services.settling import Settling
from casevault.store.caller import Gate
from casevault.store.checkpoints import remembered
from casevault.store.stores import Stores


def settling(settings: Settings, stores: Stores) -> Settling:
    """Return the use cases of a restored data store, with what the log's signer remembers."""
    last = remembered(settings.keys_dir, settings.ledger_origin, stores.roots)
    gate = Gate(stores, settings.minimum_assurance)
    return Settling(stores, gate, None if last is None else last.size)
