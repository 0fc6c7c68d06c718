"""Root material is made, found, put back and discarded: one folder, `keys/`, per vault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

from casevault.crypto.roots import files
from casevault.crypto.roots.material import RootMaterial, decode
from casevault.crypto.roots.provider import RootProvider
from casevault.crypto.roots.vessels import ROOT_FILE, PlainVessel
from casevault.errors import Misconfigured


def open_roots(folder: Path) -> RootProvider:
    """Return the provider of the material in a folder."""
    return RootProvider(PlainVessel(folder))


def create_roots(folder: Path, keyring_id: UUID) -> RootProvider:
    """Make fresh root material in an empty folder; refuse to replace any."""
    return _put(folder, RootMaterial.fresh(keyring_id, files.host_id()))


def adopt_roots(folder: Path, exported: bytes) -> RootProvider:
    """Put what `RootProvider.export` returned into an empty folder of this machine."""
    return _put(folder, replace(decode(exported), host_id=files.host_id()))


def discard_roots(folder: Path, keyring_id: UUID) -> None:
    """Remove root material that was made for this keyring; leave any other alone."""
    if (folder / ROOT_FILE).exists() and open_roots(folder).keyring_id == keyring_id:
        (folder / ROOT_FILE).unlink()


def _put(folder: Path, material: RootMaterial) -> RootProvider:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / ROOT_FILE).exists():
        raise Misconfigured(
            "The keys folder already holds root material; replacing it would lose every case."
            " Choose another folder.",
            code="roots.exist",
        )
    folder.chmod(0o700)
    vessel = PlainVessel(folder)
    vessel.write(material)
    return RootProvider(vessel)
