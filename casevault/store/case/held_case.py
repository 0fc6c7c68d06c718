"""A case together with what somebody can open of it: keys of every version, manifests, documents.

The newest key leads back to every older one, so that a case whose data is behind its keys (being
re-keyed, or restored from a backup) opens too. There is no way forward from an older key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from casevault.crypto.sealing import Key
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import KeyUnavailable, Tampered
from casevault.store.case import case_keys, documents, manifests
from casevault.store.case.case_keys import Versions
from casevault.store.case.documents import Document
from casevault.store.case.manifests import Manifest
from casevault.store.keys.grants import Object
from casevault.store.keys.keyholder import OpenedKey


@dataclass(frozen=True, slots=True)
class HeldCase:
    """A case, the caller's keys of it by compartment, and the versions that the keyring names."""

    organisation: UUID
    case: CaseMetadata
    keys: Mapping[str, OpenedKey]
    versions: Mapping[str, Versions]

    @property
    def target(self) -> Object:
        """The case as an object of grants."""
        return Object(ObjectKind.CASE, self.case.id, self.case.team)

    @property
    def is_behind(self) -> bool:
        """Whether the data still lies under an older key than the newest."""
        return case_keys.is_behind(self.case.key_version, self.versions)

    def newest_key(self, compartment: str) -> Key:
        """Return the newest key of a compartment: what is granted to others."""
        return self._key(compartment, None)

    def key(self, compartment: str) -> Key:
        """Return the key under which a compartment's data lies: without one there is nothing."""
        return self._key(compartment, self.case.key_version)

    def manifest(self, connection: Connection, compartment: str) -> Manifest:
        """Return a compartment's manifest, not older than the keyring's anchor."""
        key = self.key(compartment)
        anchor = self.versions[compartment].at(key.version).anchor
        return manifests.load_manifest(
            connection, self.organisation, self.case, compartment, key, anchor
        )

    def opened_manifest(self, compartment: str, sealed: bytes | None) -> Manifest:
        """Return a manifest that was read before, as `manifest`."""
        key = self.key(compartment)
        anchor = self.versions[compartment].at(key.version).anchor
        return manifests.open_manifest(
            self.organisation, self.case, compartment, key, sealed, anchor
        )

    def opened_documents(
        self, manifest: Manifest, kinds: Iterable[str], sealed: Mapping[UUID, bytes]
    ) -> list[Document]:
        """Return documents that were read before, as `documents`."""
        key = self.key(manifest.compartment)
        wanted = manifest.of_kinds(kinds)
        return documents.open_documents(self.organisation, self.case, manifest, key, wanted, sealed)

    def documents(
        self,
        connection: Connection,
        manifest: Manifest,
        kinds: Iterable[str] | None = None,
        rows: Iterable[UUID] | None = None,
    ) -> list[Document]:
        """Return documents of these kinds or in these rows, each as its manifest names it."""
        key = self.key(manifest.compartment)
        return documents.read_documents(
            connection, self.organisation, self.case, manifest, key, kinds, rows
        )

    def _key(self, compartment: str, version: int | None) -> Key:
        opened = self.keys.get(compartment)
        if opened is None:
            raise KeyUnavailable()
        versions = self.versions.get(compartment)
        if versions is None:
            raise Tampered(code="case-key")
        return versions.key_at(opened.key, opened.key.version if version is None else version)


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody sees of a case before they change it: `compartment` too, if they hold it.

    `see` runs where the case was just opened, before any lock is taken.
    """

    compartment: str
    see: Callable[[Connection, HeldCase], None]
