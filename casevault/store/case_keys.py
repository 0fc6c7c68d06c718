"""Case keys in the keyring: which versions exist, and the oldest manifest still to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.sealing import Key
from casevault.errors import Conflict, Tampered
from casevault.store import keyring_tables as tables
from casevault.store.documents import Anchor, Manifest
from casevault.store.keyring import KeyringTransaction, Row


@dataclass(frozen=True, slots=True)
class CaseKeyRow:
    """One version of one compartment's key, by name: never the key itself."""

    case: UUID
    compartment: str
    version: int
    key_id: bytes
    anchor: Anchor
    lineage: bytes | None = field(default=None, repr=False)
    succession: bytes | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """Return the row's content."""
        return canonical.encode(
            self.key_id,
            self.anchor.revision,
            self.anchor.commitment,
            self.lineage,
            self.succession,
        )


def add(tx: KeyringTransaction, case: UUID, keys: Mapping[str, Key]) -> None:
    """Keep the names of the first version of a case's keys."""
    rows = [
        CaseKeyRow(case, name, key.version, key.id, Anchor(0, b"")) for name, key in keys.items()
    ]
    tx.add_many(tables.case_key, [(_lookup(row), row.encode()) for row in rows])


def newest(
    tx: KeyringTransaction, case: UUID, compartment: str | None = None
) -> dict[str, CaseKeyRow]:
    """Return the newest version of each compartment's key, or of one compartment's."""
    found: dict[str, CaseKeyRow] = {}
    where = (
        {"case_id": case} if compartment is None else {"case_id": case, "compartment": compartment}
    )
    for row in (_row(raw) for raw in tx.find(tables.case_key, **where)):
        if row.compartment not in found or found[row.compartment].version < row.version:
            found[row.compartment] = row
    return found


def raise_anchor(tx: KeyringTransaction, row: CaseKeyRow, manifest: Manifest) -> None:
    """Remember a manifest's state; an anchor is never lowered, whoever else writes."""
    raw = tx.one(tables.case_key, lock=True, **_lookup(row))
    if raw is None:
        raise Conflict(code="case-key.gone")
    present = _row(raw)
    if manifest.revision > present.anchor.revision:
        anchored = replace(present, anchor=Anchor(manifest.revision, manifest.commitment))
        tx.replace(tables.case_key, anchored.encode(), **_lookup(row))


def check_named(row: CaseKeyRow | None, key: Key) -> None:
    """Return if the keyring names exactly this key as the newest, else `Tampered`."""
    if row is None or (row.key_id, row.version) != (key.id, key.version):
        raise Tampered(code="case-key")


def _lookup(row: CaseKeyRow) -> dict[str, UUID | str | int]:
    return {"case_id": row.case, "compartment": row.compartment, "version": row.version}


def _row(raw: Row) -> CaseKeyRow:
    reader = Reader.of(raw.content)
    key_id, anchor = reader.bytes_(), Anchor(reader.number(), reader.bytes_())
    lookup = raw.lookup
    return CaseKeyRow(
        lookup["case_id"],
        lookup["compartment"],
        lookup["version"],
        key_id,
        anchor,
        reader.optional_bytes(),
        reader.optional_bytes(),
    )
