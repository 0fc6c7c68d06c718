"""Root material: epoch keys, pepper, service keys and the principals that belong to no person.

It lies in `keys/` of one host, and must never be in a backup or a machine snapshot. `RootProvider`
is what the rest of the program works with, whatever vessel the material lies in.
"""

from casevault.crypto.roots.files import host_id, write_private
from casevault.crypto.roots.material import PRINCIPALS, RootMaterial
from casevault.crypto.roots.memory import loaded_roots
from casevault.crypto.roots.opening import (
    Seal,
    adopt_roots,
    asked_by,
    create_roots,
    discard_roots,
    move_roots,
    open_roots,
    plainly,
    roots_key,
    under_passphrase,
    under_token,
)
from casevault.crypto.roots.provider import PEPPER, SERVICE_KEY, RootProvider
from casevault.crypto.roots.vessels import NO_KEY, RootsKey, RootsPlace

__all__ = [
    "NO_KEY",
    "PEPPER",
    "PRINCIPALS",
    "SERVICE_KEY",
    "RootMaterial",
    "RootProvider",
    "RootsKey",
    "RootsPlace",
    "Seal",
    "adopt_roots",
    "asked_by",
    "create_roots",
    "discard_roots",
    "host_id",
    "loaded_roots",
    "move_roots",
    "open_roots",
    "plainly",
    "roots_key",
    "under_passphrase",
    "under_token",
    "write_private",
]
