"""One run of an import: records in batches, each batch as the person who is signed in now.

Keeps counts and the first refusals, and seals refused lines to the importer as it goes, so that
memory does not grow with the file. Must never keep or show what stood in a cell.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from casevault.cli.personal import Person
from casevault.domain.importing.mapping import Candidate, ColumnMapping, Columns
from casevault.domain.importing.records import CsvRecords, JsonRecords, Record
from casevault.errors import FieldError, Invalid
from casevault.services.casework.importing import BATCH, Fate, Reject, Source

SHOWN = 50
_MOST_COLUMNS = 100
_PACKET_LINES, _PACKET_BYTES = 200, 1 << 18
_PAGE = 10
_NUMBER = re.compile(r"/[0-9]+")


@dataclass(slots=True)
class Tally:
    """What became of the lines so far; `whole` when the file came to its end."""

    taken: int = 0
    present: int = 0
    refused: int = 0
    whole: bool = False
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: list[tuple[int, tuple[FieldError, ...]]] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """How many lines that is."""
        return self.taken + self.present + self.refused

    def refuse(self, line: int, faults: tuple[FieldError, ...]) -> None:
        """Count a refused line and why."""
        self.refused += 1
        # Which entry of a list it was does not matter for the count of reasons.
        self.reasons.update({(_NUMBER.sub("/*", fault.pointer), fault.code) for fault in faults})
        if len(self.first) < SHOWN:
            self.first.append((line, faults))


class Reader:
    """The records of a file with the mapping by which they are read."""

    def __init__(
        self, records: CsvRecords | JsonRecords, mapping: ColumnMapping, id_column: str
    ) -> None:
        self.records = records
        self._mapping = mapping
        self._id_column = id_column
        self._names = dict.fromkeys(records.columns)

    def columns(self) -> Columns:
        """Say what becomes of the columns that were seen so far."""
        return self._mapping.look_at(self._names, self._id_column)

    def read(self, record: Record) -> Candidate:
        """Read a record, or raise `Invalid` with what is wrong with it."""
        if record.faults:
            raise Invalid("This line cannot be read.", errors=record.faults)
        if len(self._names) < _MOST_COLUMNS:
            self._names.update(dict.fromkeys(record.cells))
        return self._mapping.read(record.line, record.cells, self._id_column)


class Run:
    """Takes a file over, or says what would be taken."""

    def __init__(self, person: Person, source: Source, reader: Reader, *, dry_run: bool) -> None:
        self.tally = Tally()
        self._person = person
        self._source = source
        self._reader = reader
        self._dry_run = dry_run
        self._packet: list[Reject] = []
        self._bytes = 0

    def batches(self) -> Iterator[Tally]:
        """Do the whole file batch by batch; yield the tally after each."""
        earlier = [] if self._dry_run else self._packets_of_before()
        records = iter(self._reader.records)
        while batch := list(islice(records, BATCH)):
            self._do(batch)
            yield self.tally
        self._seal_packet()
        for packet in earlier:
            self._person.vault.importing.forget_rejects(self._person.caller, packet)
        self.tally.whole = True

    def _do(self, batch: list[Record]) -> None:
        candidates: list[Candidate] = []
        by_line = {record.line: record for record in batch}
        for record in batch:
            try:
                candidates.append(self._reader.read(record))
            except Invalid as error:
                self._refuse(record, error.errors)
        if not candidates:
            return
        importing = self._person.vault.importing
        act = importing.check if self._dry_run else importing.take
        for outcome in act(self._person.caller, self._source, candidates):
            if outcome.fate is Fate.REFUSED:
                self._refuse(by_line[outcome.line], outcome.faults)
            elif outcome.fate is Fate.TAKEN:
                self.tally.taken += 1
            else:
                self.tally.present += 1

    def _refuse(self, record: Record, faults: tuple[FieldError, ...]) -> None:
        self.tally.refuse(record.line, faults)
        if self._dry_run:
            return
        cells = _sealable(record.cells)
        self._packet.append(Reject(record.line, faults, cells))
        self._bytes += len(json.dumps(cells))
        if len(self._packet) >= _PACKET_LINES or self._bytes >= _PACKET_BYTES:
            self._seal_packet()

    def _seal_packet(self) -> None:
        if self._packet:
            importing = self._person.vault.importing
            importing.keep_rejects(self._person.caller, self._source, self._packet)
        self._packet, self._bytes = [], 0

    def _packets_of_before(self) -> list[UUID]:
        """Return what earlier runs of this source refused: this run says it anew."""
        found: list[UUID] = []
        after: UUID | None = None
        importing = self._person.vault.importing
        while page := importing.rejects(self._person.caller, after, _PAGE):
            found += [one.id for one in page if one.readable and one.source == self._source.name]
            after = page[-1].id
        return found


def _sealable(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return cells in which bytes that are not UTF-8 are written out."""
    return {_text(name): _text(cell) for name, cell in cells.items()}


def _text(cell: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(cell, str):
        return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return cell
