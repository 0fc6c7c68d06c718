"""Manifests: one sealed list per compartment, which names every live document of it.

With it a document that was swapped, put back or removed by hand is found, and with the keyring's
anchor a manifest that is older than it may be. Must never give a manifest that does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from casevault.crypto import macs
from casevault.crypto.sealing import Key, Place, header, seal, unseal
from casevault.domain.case.casefile import CaseMetadata
from casevault.errors import Tampered
from casevault.store.engine import tables
from casevault.store.engine.quick import Among, Quick

_SCHEMA = 1
# Made once: building a statement costs as much as running it.
_MANIFEST = tables.manifest.c
_FIND_MANIFEST = Quick(
    select(_MANIFEST.sealed).where(
        _MANIFEST.case_id == bindparam("case"), _MANIFEST.compartment == bindparam("compartment")
    )
)
_FIND_MANIFESTS = Among(
    lambda cases: select(_MANIFEST.case_id, _MANIFEST.sealed).where(
        _MANIFEST.case_id.in_(cases), _MANIFEST.compartment == bindparam("compartment")
    ),
    "cases",
    _MANIFEST.case_id.type,
)
_REPLACE_MANIFEST = Quick(
    update(tables.manifest)
    .where(_MANIFEST.case_id == bindparam("case"), _MANIFEST.compartment == bindparam("at"))
    .values(sealed=bindparam("sealed"))
)


@dataclass(frozen=True, slots=True)
class Listed:
    """What a manifest says about one document."""

    row: UUID
    kind: str
    revision: int
    commitment: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """All live documents of one compartment, and the team and class of the case."""

    compartment: str
    team: UUID
    retention_class: str
    documents: tuple[Listed, ...]
    revision: int = 0
    commitment: bytes = b""

    def of_kind(self, kind: str) -> Listed | None:
        """Return the only document of a kind, or None."""
        return next((listed for listed in self.documents if listed.kind == kind), None)

    def of_kinds(self, kinds: Iterable[str] | None) -> list[Listed]:
        """Return the documents of these kinds, or all."""
        of_kinds = None if kinds is None else set(kinds)
        return [d for d in self.documents if of_kinds is None or d.kind in of_kinds]

    def of_row(self, row: UUID) -> Listed | None:
        """Return one document by its row, or None."""
        return next((listed for listed in self.documents if listed.row == row), None)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The oldest manifest state that may still be believed (kept in the keyring)."""

    revision: int
    commitment: bytes


def load_manifest(
    connection: Connection,
    organisation: UUID,
    case: CaseMetadata,
    compartment: str,
    key: Key,
    anchor: Anchor | None = None,
) -> Manifest:
    """Return a compartment's manifest; one older than its anchor is `Tampered`."""
    found = _FIND_MANIFEST.one(connection, {"case": case.id, "compartment": compartment})
    sealed = None if found is None else found[0]
    return open_manifest(organisation, case, compartment, key, sealed, anchor)


def sealed_manifests(
    connection: Connection, cases: Iterable[UUID], compartment: str
) -> dict[UUID, bytes]:
    """Return one compartment's sealed manifests of several cases, for `open_manifest`."""
    at = {"cases": list(cases), "compartment": compartment}
    return {case: bytes(sealed) for case, sealed in _FIND_MANIFESTS.all(connection, at)}


def open_manifest(
    organisation: UUID,
    case: CaseMetadata,
    compartment: str,
    key: Key,
    sealed: bytes | None,
    anchor: Anchor | None,
) -> Manifest:
    """Return a manifest that was read before, as `load_manifest`."""
    if sealed is None:
        raise Tampered(code="manifest.missing")
    opened = unseal(key, _manifest_place(organisation, case.id, compartment), bytes(sealed))
    manifest = _decode_manifest(compartment, opened.content, opened.revision, opened.commitment)
    if (manifest.team, manifest.retention_class) != (case.team, case.retention_class):
        raise Tampered(code="manifest.control")
    if anchor is not None and (
        manifest.revision < anchor.revision
        or (
            manifest.revision == anchor.revision
            and not macs.same(manifest.commitment, anchor.commitment)
        )
    ):
        raise Tampered(code="manifest.old")
    return manifest


def write_manifest(
    connection: Connection, organisation: UUID, case: CaseMetadata, manifest: Manifest, key: Key
) -> Manifest:
    """Replace a manifest by its next revision; return that."""
    grown = replace(manifest, revision=manifest.revision + 1)
    sealed = seal_manifest(organisation, case.id, key, grown)
    at = {"case": case.id, "at": manifest.compartment, "sealed": sealed}
    _REPLACE_MANIFEST.run(connection, at)
    return replace(grown, commitment=commitment_of(sealed))


def seal_manifest(organisation: UUID, case_id: UUID, key: Key, manifest: Manifest) -> bytes:
    """Return the sealed bytes of a manifest."""
    text = json.dumps(
        {
            "schema": _SCHEMA,
            "team": manifest.team.hex,
            "class": manifest.retention_class,
            "documents": [
                [d.row.hex, d.kind, d.revision, macs.b64(d.commitment), d.version]
                for d in manifest.documents
            ],
        },
        separators=(",", ":"),
    ).encode()
    place = _manifest_place(organisation, case_id, manifest.compartment)
    return seal(key, place, text, manifest.revision)


def _decode_manifest(
    compartment: str, content: bytes, revision: int, commitment: bytes
) -> Manifest:
    raw = parsed(content)
    try:
        documents = tuple(
            Listed(UUID(row), kind, rev, macs.unb64(mark) or b"", version)
            for row, kind, rev, mark, version in raw["documents"]
        )
        return Manifest(
            compartment, UUID(raw["team"]), raw["class"], documents, revision, commitment
        )
    except (KeyError, ValueError, TypeError):
        raise Tampered(code="manifest.content") from None


def _manifest_place(organisation: UUID, case_id: UUID, compartment: str) -> Place:
    return Place(organisation, "manifest", case_id, case_id, compartment)


def commitment_of(sealed: bytes) -> bytes:
    """Return the commitment of a sealed object, by which a manifest names it."""
    return header(sealed).commitment


def parsed(content: bytes) -> dict[str, Any]:
    """Return unsealed content as a JSON object, else `Tampered`."""
    try:
        raw = json.loads(content)
    except ValueError:
        raise Tampered(code="content") from None
    if not isinstance(raw, dict):
        raise Tampered(code="content")
    return raw
