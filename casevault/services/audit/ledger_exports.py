"""Entries that leave the house: as JSON lines, CSV or FHIR, each with its proof of inclusion.

An export is on the ledger itself: its start before the first byte, its end with the number of
entries and the digest of all bytes. One that has no end was cut off, and that is an alarm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Invalid, NotFound
from casevault.ids import StaffId, new_id
from casevault.ledger import evidence, fhir
from casevault.ledger.evidence import Evidence
from casevault.ledger.note import unverified_checkpoint
from casevault.ledger.proof import Proof, encode_proof
from casevault.store.audit import audit_months, ledger_query, ledger_search
from casevault.store.audit.ledger_query import Query
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log import proofs, tile_rows, tree
from casevault.store.log.ledger import Act, Touched
from casevault.store.log.ledger_reading import Entry
from casevault.store.log.months import MonthKey


class Format(StrEnum):
    """How entries are written."""

    JSONL = "jsonl"
    CSV = "csv"
    FHIR = "fhir"


MEDIA_TYPES: Mapping[Format, str] = {
    Format.JSONL: "application/jsonl",
    Format.CSV: "text/csv; charset=utf-8",
    Format.FHIR: fhir.MEDIA_TYPE,
}
Write = Callable[[Evidence, bool], bytes]
# The bytes; at their end, how many entries have no proof and were left out.
Pieces = Generator[bytes, None, int]


@dataclass(frozen=True, slots=True)
class _Job:
    """One export under way."""

    id: UUID
    caller: Caller
    query: Query
    form: Format
    month: MonthKey
    actors: Mapping[str, StaffId]
    note: bytes


class LedgerExports:
    """Exports of entries; `sign` returns a checkpoint over the present tree."""

    def __init__(self, stores: Stores, gate: Gate, sign: Callable[[], bytes], origin: str) -> None:
        self._stores = stores
        self._gate = gate
        self._sign = sign
        self._origin = origin

    def export(self, caller: Caller, query: Query, form: Format) -> Pieces:
        """Return the bytes of an export in pieces; its start is durable before this returns.

        Entries of a closed log that no checkpoint covers are no evidence: they are left out, and
        how many they were is on the ledger with the end.
        """
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_EXPORT, Subject("ledger"), query.touched)
        name = ledger_query.month_of(stores, query)
        with stores.keyring.reading() as tx:
            month = audit_months.opened(tx, caller, name)
            actors = audit_months.actors(tx, month)
        export_id = new_id()
        stores.ledger.record(self._act("audit.export_start", export_id, caller, query, form))
        tree.integrate_all(stores.data, stores.roots)
        return self._pieces(_Job(export_id, caller, query, form, month, actors, self._sign()))

    def proof(self, caller: Caller, position: int) -> bytes:
        """Return the proof of one entry as a file that stands alone (c2sp.org/tlog-proof@v1).

        It carries the leaf and no body, so it may be given to anybody.

        :raises NotFound: there is no such entry, or retention removed its leaf.
        """
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject("ledger"))
        tree.integrate_all(stores.data, stores.roots)
        newest = self._sign()
        act = Act("audit.query", caller.on_ledger, rule="permit:role", filters=("proof",))
        try:
            with stores.data.reading() as connection:
                note = proofs.note_for(connection, position, newest)
                found = proofs.prove(connection, position, note)
        except (NotFound, Invalid):
            stores.ledger.record(replace(act, count=0))
            raise NotFound(code="ledger.entry") from None
        stores.ledger.record(replace(act, count=1))
        return encode_proof(found)

    def _pieces(self, job: _Job) -> Pieces:
        digest, count, unproven = hashlib.sha256(), 0, 0
        begin, write, end = self._form(job.form)
        digest.update(begin)
        yield begin
        for portion, left_out in self._portions(job):
            unproven += left_out
            piece = b"".join(write(one, count + n == 0) for n, one in enumerate(portion))
            count += len(portion)
            digest.update(piece)
            yield piece
        digest.update(end)
        yield end
        # Whoever went away before the last byte leaves no end.
        links = (("digest", digest.hexdigest()),)
        act = self._act("audit.export_end", job.id, job.caller, job.query, job.form)
        filters = (*act.filters, *([f"unproven:{unproven}"] if unproven else ()))
        self._stores.ledger.record(replace(act, count=count, links=links, filters=filters))
        tree.integrate_all(self._stores.data, self._stores.roots)
        self._sign()
        return unproven

    def _portions(self, job: _Job) -> Iterator[tuple[list[Evidence], int]]:
        stores = self._stores
        with stores.data.reading() as connection:
            log = tree.current(connection).log
        end = tile_rows.start_of(log) + unverified_checkpoint(job.note).size
        where = ledger_query.where(job.query, job.month)
        for entries in ledger_search.every(stores, job.month, where, end):
            with stores.data.reading() as connection:
                prover = proofs.Prover(connection, log, job.note)
                proven = [(entry, prover.of(entry.position)) for entry in entries]
            portion = [
                _evidence(entry, job.actors.get(entry.body.actor or ""), proof)
                for entry, proof in proven
                if proof is not None
            ]
            yield portion, len(proven) - len(portion)

    def _form(self, form: Format) -> tuple[bytes, Write, bytes]:
        if form is Format.JSONL:
            return b"", lambda one, _first: evidence.json_line(one), b""
        if form is Format.CSV:
            return evidence.csv_head(), lambda one, _first: evidence.csv_line(one), b""
        begin = fhir.head(f"{self._stores.clock.now():%Y-%m-%dT%H:%M:%SZ}")
        return begin, lambda one, first: fhir.entry(one, self._origin, first=first), fhir.TAIL

    @staticmethod
    def _act(code: str, export: UUID, caller: Caller, query: Query, form: Format) -> Act:
        return Act(
            code,
            caller.on_ledger,
            rule="permit:role",
            touched=(Touched("export", export), *query.touched),
            filters=("format:" + form.value, *query.given),
        )


def _evidence(entry: Entry, actor: UUID | None, proof: Proof) -> Evidence:
    return Evidence(
        entry_id=entry.id,
        position=entry.position,
        leaf=entry.leaf_bytes,
        salt=entry.salt,
        body_bytes=entry.body_bytes,
        body=entry.body,
        actor_id=actor,
        proof=encode_proof(proof),
    )
