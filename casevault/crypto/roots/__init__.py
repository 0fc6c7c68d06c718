"""Root material: epoch keys, pepper, service keys and the principals that belong to no person.

It lies in `keys/` of one host, and must never be in a backup or a machine snapshot. `RootProvider`
is what the rest of the program works with, whatever vessel the material lies in.
"""

from casevault.crypto.roots.files import host_id, write_private
from casevault.crypto.roots.material import PRINCIPALS, RootMaterial
from casevault.crypto.roots.memory import loaded_roots
from casevault.crypto.roots.opening import (
    adopt_roots,
    asked_by,
    create_roots,
    discard_roots,
    open_roots,
    roots_key,
    seal_roots,
    tokenise_roots,
    unseal_roots,
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
    "adopt_roots",
    "asked_by",
    "create_roots",
    "discard_roots",
    "host_id",
    "loaded_roots",
    "open_roots",
    "roots_key",
    "seal_roots",
    "tokenise_roots",
    "unseal_roots",
    "write_private",
]
