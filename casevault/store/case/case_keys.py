"""Case keys in the keyring: which versions exist, and the oldest manifest still to be believed.

Only names of keys are here, and the steps from one version to the next. Must never believe a key
that the keyring does not name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import canonical, succession
from casevault.crypto.canonical import Reader
from casevault.crypto.sealing import Key, Place
from casevault.crypto.succession import Step
from casevault.errors import Conflict, Tampered
from casevault.store.case.manifests import Anchor, Manifest
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Lookup, Row


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

    @property
    def step(self) -> Step:
        """The step from the version before; the first version has none."""
        if self.lineage is None or self.succession is None:
            raise Tampered(code="case-key.step")
        return Step(self.lineage, self.succession)


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions of one compartment's key, by name."""

    organisation: UUID
    rows: Mapping[int, CaseKeyRow]

    @property
    def newest(self) -> CaseKeyRow:
        """The row of the newest version."""
        return self.rows[max(self.rows)]

    def at(self, version: int) -> CaseKeyRow:
        """Return the row of a version, else `Tampered`."""
        row = self.rows.get(version)
        if row is None:
            raise Tampered(code="case.key-version")
        return row

    def key_at(self, newest: Key, version: int) -> Key:
        """Return the key of a version from the newest, which a holder of the one before made.

        :raises Tampered: `newest` is not the key that the keyring names, or a step does not hold.
        """
        if (self.newest.key_id, self.newest.version) != (newest.id, newest.version):
            raise Tampered(code="case-key")
        if newest.version > 1:
            row = self.at(newest.version)
            # Whoever made the version before has checked the steps below it.
            before = self._before(newest)
            succession.check_succession(before, newest, _place(self.organisation, row), row.step)
        key = newest
        while key.version > version:
            key = self._before(key)
        if key.version != version:
            raise Tampered(code="case.key-version")
        return key

    def _before(self, key: Key) -> Key:
        row = self.at(key.version)
        place = _place(self.organisation, row)
        return succession.predecessor(key, place, row.step, self.at(key.version - 1).key_id)


def add(tx: KeyringTransaction, case: UUID, keys: Mapping[str, Key]) -> None:
    """Keep the names of the first version of a case's keys."""
    rows = [
        CaseKeyRow(case, name, key.version, key.id, Anchor(0, b"")) for name, key in keys.items()
    ]
    _add(tx, rows)


def succeed(
    tx: KeyringTransaction,
    case: UUID,
    steps: Mapping[str, tuple[Key, Key]],
    manifests: Mapping[str, Manifest],
) -> None:
    """Keep the next version of each compartment's key: `steps` holds (old, new) by compartment."""
    rows = []
    for name, (old, new) in sorted(steps.items()):
        anchor = Anchor(manifests[name].revision, manifests[name].commitment)
        row = CaseKeyRow(case, name, new.version, new.id, anchor)
        step = succession.succeed(old, new, _place(tx.organisation, row))
        rows.append(replace(row, lineage=step.lineage, succession=step.succession))
    _add(tx, rows)


def of_case(
    tx: KeyringTransaction, case: UUID, compartment: str | list[str] | None = None
) -> dict[str, Versions]:
    """Return the versions of every compartment's key, or of the named ones'."""
    found: dict[str, dict[int, CaseKeyRow]] = {}
    where: Lookup = {"case_id": case}
    if compartment is not None:
        where["compartment"] = compartment
    for row in (_row(raw) for raw in tx.find(tables.case_key, **where)):
        found.setdefault(row.compartment, {})[row.version] = row
    return {name: Versions(tx.organisation, rows) for name, rows in found.items()}


def is_behind(key_version: int, versions: Mapping[str, Versions]) -> bool:
    """Say whether data of this version lies under an older key than the newest of any of these."""
    newest = max((v.newest.version for v in versions.values()), default=0)
    return key_version < newest


def compartments(tx: KeyringTransaction, case: UUID) -> set[str]:
    """Return the compartments of a case, without opening anything."""
    return {row["compartment"] for row in tx.lookups(tables.case_key, case_id=case)}


def cases(tx: KeyringTransaction) -> set[UUID]:
    """Return every case of which a key is named."""
    return {row["case_id"] for row in tx.lookups(tables.case_key)}


def of_cases(tx: KeyringTransaction, ids: list[UUID]) -> dict[UUID, dict[str, Versions]]:
    """Return what `of_case` returns, of several cases."""
    found: dict[UUID, dict[str, dict[int, CaseKeyRow]]] = {}
    for row in (_row(raw) for raw in tx.find(tables.case_key, case_id=ids)):
        versions = found.setdefault(row.case, {}).setdefault(row.compartment, {})
        versions[row.version] = row
    return {
        case: {name: Versions(tx.organisation, rows) for name, rows in names.items()}
        for case, names in found.items()
    }


def lock(tx: KeyringTransaction, ids: list[UUID]) -> None:
    """Keep others from giving these cases new keys, or erasing them, until this ends."""
    tx.lock(tables.case_key, case_id=ids, compartment="facts", version=1)


def present(tx: KeyringTransaction, ids: list[UUID], compartment: str) -> set[UUID]:
    """Return those of these cases of which a compartment's key is named."""
    return tx.values(tables.case_key, "case_id", case_id=ids, compartment=compartment)


def prefetch(tx: KeyringTransaction, cases: list[UUID], compartment: str | None = None) -> None:
    """Read at once what `of_case` will ask for about each of these cases, or about one part."""
    where = {} if compartment is None else {"compartment": [compartment]}
    tx.prefetch(tables.case_key, case_id=cases, **where)


def locked(tx: KeyringTransaction, case: UUID) -> dict[str, Versions]:
    """As `of_case`; until the transaction ends nobody else gives this case new keys."""
    # One row that every case has is enough to wait for, and waiting for one cannot deadlock.
    if tx.one(tables.case_key, lock=True, case_id=case, compartment="facts", version=1) is None:
        raise Conflict(code="case-key.gone")
    return of_case(tx, case)


def raise_anchor(tx: KeyringTransaction, row: CaseKeyRow, manifest: Manifest) -> None:
    """Remember a manifest's state; an anchor is never lowered, whoever else writes."""
    if not raise_to(tx, row, Anchor(manifest.revision, manifest.commitment)):
        raise Conflict(code="case-key.gone")


def raise_to(tx: KeyringTransaction, row: CaseKeyRow, anchor: Anchor) -> bool:
    """Remember a state if it is newer than the one remembered; False if the key is gone."""
    raw = tx.one(tables.case_key, lock=True, **_lookup(row))
    if raw is None:
        return False
    present = _row(raw)
    if anchor.revision > present.anchor.revision:
        tx.replace(tables.case_key, replace(present, anchor=anchor).encode(), **_lookup(row))
    return True


def set_anchor(
    tx: KeyringTransaction, case: UUID, compartment: str, version: int, anchor: Anchor
) -> None:
    """Remember another state, older ones too: only for what two people have signed."""
    raw = tx.one(tables.case_key, lock=True, case_id=case, compartment=compartment, version=version)
    if raw is None:
        raise Conflict(code="case-key.gone")
    row = replace(_row(raw), anchor=anchor)
    tx.replace(tables.case_key, row.encode(), **_lookup(row))


def _add(tx: KeyringTransaction, rows: list[CaseKeyRow]) -> None:
    tx.add_many(tables.case_key, [(_lookup(row), row.encode()) for row in rows])


def _place(organisation: UUID, row: CaseKeyRow) -> Place:
    return Place(organisation, "case-key", row.case, row.case, row.compartment)


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
