"""Records as documents: what a sealed note, service, task, link or change of status holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.records import Record
from casevault.store.case.documents import Document

# Which date of a record places it in lists and in the timeline.
_DATED = {DocumentKind.NOTE: "date", DocumentKind.SERVICE: "date", DocumentKind.TASK: "due"}

# The type of a link that nobody has decided yet.
POSSIBLE = "possible_same_person"


@dataclass(frozen=True, slots=True)
class Kept:
    """A record with its id, kind and the version for ETag."""

    id: UUID
    kind: DocumentKind
    version: int
    record: Record = field(repr=False)

    @property
    def date(self) -> str:
        """The date by which it is listed (``2026-11-24``)."""
        name = _DATED.get(self.kind)
        if name is not None:
            return str(self.record.current.content[name])
        return datetime.fromtimestamp(self.record.first.at, UTC).date().isoformat()

    def is_open_task_of(self, staff: UUID) -> bool:
        """Say whether this is a task of somebody's that is not done."""
        return self.is_open_task and self.record.about == staff

    @property
    def is_open_task(self) -> bool:
        """Whether this is a task that is not done."""
        return self.kind is DocumentKind.TASK and not self.record.current.content.get("done")


def kept(document: Document) -> Kept:
    """Return a document as the record that it holds."""
    record = Record.decode(document.content)
    return Kept(document.row, DocumentKind(document.kind), document.version, record)
