"""Root material that is in memory only: what a capsule holds, for the minutes of a drill.

Reads, never changes, and is written nowhere: it proves that the material would serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from casevault.crypto.roots.material import RootMaterial, decode
from casevault.crypto.roots.provider import RootProvider
from casevault.crypto.roots.vessels import Shredding, Stamp


class _MemoryVessel:
    shredding: Shredding = "best effort"

    def __init__(self, exported: bytes) -> None:
        self._exported = exported

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def read(self) -> RootMaterial:
        # Made anew each time: what an act changed before it was refused is not what is held.
        return decode(self._exported)

    def write(self, held: RootMaterial) -> None:
        raise RuntimeError("this material is only looked at")

    def stamp(self) -> Stamp:
        return None

    def abandon(self, keyring: UUID) -> None:
        return


def loaded_roots(exported: bytes) -> RootProvider:
    """Return a provider of what `RootProvider.export` returned, in memory; else `Tampered`."""
    return RootProvider(_MemoryVessel(exported))
