"""Documents of a case: sealed per compartment, listed by one manifest each.

The manifest names every live document with its revision and commitment, so that a document that
was swapped, put back or removed by hand is found. Sealing happens here, where the row is known.
Must never return a document whose manifest does not name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from casevault.crypto import macs
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.domain.case.casefile import CaseMetadata
from casevault.errors import NotFound, Stale, Tampered
from casevault.ids import new_id
from casevault.store.case.manifests import (
    Listed,
    Manifest,
    commitment_of,
    parsed,
    seal_manifest,
    write_manifest,
)
from casevault.store.engine import tables
from casevault.store.engine.quick import Among, Quick

_SCHEMA = 1
# Made once: building a statement costs as much as running it.
_DOCUMENT = tables.document.c
_ADD_DOCUMENT = Quick(insert(tables.document))
_ADD_MANIFEST = Quick(insert(tables.manifest))
_FIND_ROWS = Among(
    lambda ids: select(_DOCUMENT.id, _DOCUMENT.sealed).where(
        _DOCUMENT.id.in_(ids), _DOCUMENT.compartment == bindparam("compartment")
    ),
    "ids",
    _DOCUMENT.id.type,
)
_FIND_DOCUMENTS = Among(
    lambda ids: select(_DOCUMENT.id, _DOCUMENT.sealed).where(
        _DOCUMENT.id.in_(ids),
        _DOCUMENT.case_id == bindparam("case", type_=_DOCUMENT.id.type),
        _DOCUMENT.compartment == bindparam("compartment"),
    ),
    "ids",
    _DOCUMENT.id.type,
)
_RESEAL_DOCUMENT = Quick(
    update(tables.document)
    .where(_DOCUMENT.id == bindparam("row"), _DOCUMENT.case_id == bindparam("case"))
    .values(sealed=bindparam("sealed"))
)
_REMOVE_DOCUMENT = Quick(
    delete(tables.document).where(
        _DOCUMENT.id == bindparam("row"), _DOCUMENT.case_id == bindparam("case")
    )
)


@dataclass(frozen=True, slots=True)
class Document:
    """An unsealed document: short-lived, and silent when printed."""

    row: UUID
    kind: str
    content: dict[str, Any] = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True)
class SealedCompartment:
    """A compartment ready to be inserted: rows of documents, and the manifest over them."""

    manifest: Manifest
    sealed_manifest: bytes = field(repr=False)
    documents: tuple[tuple[UUID, bytes], ...] = field(repr=False)


def insert_compartments(
    connection: Connection, case_id: UUID, compartments: Iterable[SealedCompartment]
) -> None:
    """Insert the first documents and manifests of a case."""
    manifests: list[dict[str, Any]] = []
    documents: list[dict[str, Any]] = []
    for one in compartments:
        at = {"case_id": case_id, "compartment": one.manifest.compartment}
        manifests.append({**at, "sealed": one.sealed_manifest})
        documents += [{**at, "id": row, "sealed": sealed} for row, sealed in one.documents]
    _ADD_DOCUMENT.run(connection, documents)
    _ADD_MANIFEST.run(connection, manifests)


def seal_compartment(
    organisation: UUID,
    case: CaseMetadata,
    compartment: str,
    key: Key,
    documents: Iterable[tuple[str, Mapping[str, Any]]],
) -> SealedCompartment:
    """Seal the first documents of a compartment (kind, content) and its manifest."""
    listed: list[Listed] = []
    rows: list[tuple[UUID, bytes]] = []
    for kind, content in documents:
        row = new_id()
        sealed = _seal_document(organisation, case.id, compartment, key, row, kind, content, 1)
        rows.append((row, sealed))
        listed.append(Listed(row, kind, 1, commitment_of(sealed), 1))
    manifest = Manifest(compartment, case.team, case.retention_class, tuple(listed), 1)
    sealed = seal_manifest(organisation, case.id, key, manifest)
    return SealedCompartment(
        replace(manifest, commitment=commitment_of(sealed)), sealed, tuple(rows)
    )


def read_documents(
    connection: Connection,
    organisation: UUID,
    case: CaseMetadata,
    manifest: Manifest,
    key: Key,
    kinds: Iterable[str] | None = None,
    rows: Iterable[UUID] | None = None,
) -> list[Document]:
    """Return documents of a compartment (of these kinds, in these rows) as its manifest names them.

    All of them by default; a row that the manifest does not name is left out.
    """
    in_rows = None if rows is None else set(rows)
    wanted = [d for d in manifest.of_kinds(kinds) if in_rows is None or d.row in in_rows]
    at = {"case": case.id, "compartment": manifest.compartment, "ids": [d.row for d in wanted]}
    sealed = {row: bytes(found) for row, found in _FIND_DOCUMENTS.all(connection, at)}
    return open_documents(organisation, case, manifest, key, wanted, sealed)


def sealed_documents(
    connection: Connection, rows: Iterable[UUID], compartment: str
) -> dict[UUID, bytes]:
    """Return sealed documents of one compartment of several cases, for `open_documents`."""
    at = {"ids": list(rows), "compartment": compartment}
    return {row: bytes(sealed) for row, sealed in _FIND_ROWS.all(connection, at)}


def open_documents(
    organisation: UUID,
    case: CaseMetadata,
    manifest: Manifest,
    key: Key,
    wanted: Iterable[Listed],
    sealed: Mapping[UUID, bytes],
) -> list[Document]:
    """Return documents that were read before, each as the manifest names it."""
    found = list(wanted)
    if not {d.row for d in found} <= sealed.keys():
        raise Tampered(code="document.missing")
    return [_open_document(organisation, case.id, manifest, key, d, sealed[d.row]) for d in found]


def add_document(
    connection: Connection,
    organisation: UUID,
    case: CaseMetadata,
    manifest: Manifest,
    key: Key,
    kind: str,
    content: Mapping[str, Any],
) -> tuple[UUID, Manifest]:
    """Add a document to a compartment; return its row and the grown manifest."""
    row = new_id()
    sealed = _seal_document(organisation, case.id, manifest.compartment, key, row, kind, content, 1)
    at = {"id": row, "case_id": case.id, "compartment": manifest.compartment, "sealed": sealed}
    _ADD_DOCUMENT.run(connection, at)
    added = Listed(row, kind, 1, commitment_of(sealed), 1)
    grown = replace(manifest, documents=(*manifest.documents, added))
    return row, write_manifest(connection, organisation, case, grown, key)


def remove_document(
    connection: Connection,
    organisation: UUID,
    case: CaseMetadata,
    manifest: Manifest,
    key: Key,
    row: UUID,
) -> Manifest:
    """Delete a document; return the manifest without it."""
    _REMOVE_DOCUMENT.run(connection, {"row": row, "case": case.id})
    left = tuple(d for d in manifest.documents if d.row != row)
    return write_manifest(connection, organisation, case, replace(manifest, documents=left), key)


def amend_document(
    connection: Connection,
    organisation: UUID,
    case: CaseMetadata,
    manifest: Manifest,
    key: Key,
    row: UUID,
    content: Mapping[str, Any],
    expected_version: int,
) -> Manifest:
    """Replace the content of a document whose version is still the expected one, else `Stale`."""
    listed = manifest.of_row(row)
    if listed is None:
        raise NotFound(code="document")
    if listed.version != expected_version:
        raise Stale()
    # The old bytes must still be the named ones, or a swap would be written over and lost.
    read_documents(connection, organisation, case, manifest, key, rows=[row])
    revision = listed.revision + 1
    sealed = _seal_document(
        organisation, case.id, manifest.compartment, key, row, listed.kind, content, revision
    )
    _RESEAL_DOCUMENT.run(connection, {"row": row, "case": case.id, "sealed": sealed})
    changed = Listed(row, listed.kind, revision, commitment_of(sealed), listed.version + 1)
    others = tuple(changed if d.row == listed.row else d for d in manifest.documents)
    return write_manifest(connection, organisation, case, replace(manifest, documents=others), key)


def reseal_compartment(
    connection: Connection,
    organisation: UUID,
    case: CaseMetadata,
    manifest: Manifest,
    old: Key,
    new: Key,
    above: int,
) -> Manifest:
    """Seal all documents of a compartment and its manifest under `new`; versions stay.

    The manifest's revision goes `above` that of the newest anchor: data from a backup is behind it.
    """
    listed: list[Listed] = []
    rows: list[dict[str, Any]] = []
    opened = read_documents(connection, organisation, case, manifest, old)
    for before, document in zip(manifest.documents, opened, strict=True):
        revision = before.revision + 1
        sealed = _seal_document(
            organisation,
            case.id,
            manifest.compartment,
            new,
            before.row,
            before.kind,
            document.content,
            revision,
        )
        rows.append({"row": before.row, "case": case.id, "sealed": sealed})
        listed.append(replace(before, revision=revision, commitment=commitment_of(sealed)))
    if rows:
        _RESEAL_DOCUMENT.run(connection, rows)
    grown = replace(manifest, documents=tuple(listed), revision=max(manifest.revision, above))
    return write_manifest(connection, organisation, case, grown, new)


def _seal_document(
    organisation: UUID,
    case_id: UUID,
    compartment: str,
    key: Key,
    row: UUID,
    kind: str,
    content: Mapping[str, Any],
    revision: int,
) -> bytes:
    text = json.dumps(
        {"schema": _SCHEMA, "kind": kind, "content": content},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    place = Place(organisation, "document", row, case_id, compartment)
    return seal(key, place, text, revision)


def _open_document(
    organisation: UUID, case_id: UUID, manifest: Manifest, key: Key, listed: Listed, sealed: bytes
) -> Document:
    place = Place(organisation, "document", listed.row, case_id, manifest.compartment)
    opened = unseal(key, place, sealed, listed.revision)
    if not macs.same(opened.commitment, listed.commitment):
        raise Tampered(code="document.other")
    raw = parsed(opened.content)
    if raw.get("schema") != _SCHEMA or raw.get("kind") != listed.kind:
        raise Tampered(code="document.content")
    return Document(listed.row, listed.kind, raw["content"], listed.version)
