"""A case, one of its manifests and its first documents: one statement, one moment.

A small compartment is whole in it. What is not is asked for afterwards, by the manifest's names:
a document that opens under the commitment that the manifest states is of the manifest's moment,
whenever it was read. Opens nothing but the plain row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, select

from casevault.crypto.roots import RootProvider
from casevault.domain.case.casefile import CaseMetadata
from casevault.store.case import cases, documents
from casevault.store.case.documents import Document
from casevault.store.case.held_case import HeldCase
from casevault.store.case.manifests import Manifest
from casevault.store.engine import tables
from casevault.store.engine.quick import Quick

# A statement brings the plain row anew with each document.
_FEW = 3
_CASE, _MANIFEST, _DOCUMENT = tables.case_file, tables.manifest, tables.document


def _look() -> Quick:
    name = bindparam("compartment", type_=_MANIFEST.c.compartment.type)
    listed = and_(_MANIFEST.c.case_id == _CASE.c.id, _MANIFEST.c.compartment == name)
    lies = and_(_DOCUMENT.c.case_id == _CASE.c.id, _DOCUMENT.c.compartment == name)
    return Quick(
        select(*_CASE.columns, _MANIFEST.c.sealed, _DOCUMENT.c.id, _DOCUMENT.c.sealed)
        .select_from(_CASE)
        .outerjoin(_MANIFEST, listed)
        .outerjoin(_DOCUMENT, lies)
        .where(_CASE.c.id == bindparam("case"))
        .limit(_FEW)
    )


# Made once: building a statement costs as much as running it.
_LOOK = _look()


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What was read of a compartment; without a row there is no such case."""

    compartment: str
    row: tuple[object, ...] | None = field(repr=False)
    manifest: bytes | None = field(repr=False)
    documents: Mapping[UUID, bytes] = field(repr=False)

    def case(self, roots: RootProvider) -> CaseMetadata | None:
        """Return the plain row, its stamp checked; None if there is none."""
        return None if self.row is None else cases.opened(roots, self.row)

    def opened(
        self, connection: Connection, held: HeldCase, kinds: Collection[str]
    ) -> tuple[Manifest, list[Document]]:
        """Return the manifest and the documents of these kinds.

        :raises Tampered: they do not fit; perhaps because somebody wrote between two statements.
        """
        manifest = held.opened_manifest(self.compartment, self.manifest)
        missing = {one.row for one in manifest.of_kinds(kinds)} - self.documents.keys()
        more = documents.sealed_documents(connection, missing, self.compartment)
        return manifest, held.opened_documents(manifest, kinds, {**self.documents, **more})


def at(connection: Connection, case_id: UUID, compartment: str) -> FirstLook:
    """Return the first look at a compartment of a case."""
    found = _LOOK.all(connection, {"case": case_id, "compartment": compartment})
    if not found:
        return FirstLook(compartment, None, None, {})
    *row, manifest, _, _ = found[0]
    # Without a document the row stands alone.
    read = {one[-2]: bytes(one[-1]) for one in found if one[-2] is not None}
    return FirstLook(compartment, tuple(row), manifest, read)
