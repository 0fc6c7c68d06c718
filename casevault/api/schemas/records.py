"""Shapes of notes, services, tasks, links, refusals and changes of status."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field

from casevault.api.schemas.common import Shape, Words, moment
from casevault.domain.case.records import Version
from casevault.services.casework.links import RefusedPerson
from casevault.services.casework.records import RecordPage, Written
from casevault.services.casework.transitions import Moved
from casevault.store.case.records import Kept
from casevault.store.casework.advising import Advice


class Made(Shape):
    """The id of what was made."""

    id: UUID


class WordRemark(Shape):
    """Where a text tells who somebody is: characters (code points) of the field as it is kept.

    `end` is the first one after it. `own`: it is somebody's whom this file's identity speaks of.
    """

    field: str
    start: int
    end: int
    sign: Literal["email", "phone", "number", "reference", "name", "age", "birth"]
    own: bool


class WordAdvice(Shape):
    """Advice about what was written; the record is kept in any case.

    ``not_checked``: nobody looked. ``checked`` is no proof that the text names nobody.
    """

    state: Literal["checked", "not_checked"]
    items: list[WordRemark]

    @classmethod
    def of(cls, advice: Advice) -> Self:
        """Return the shape of advice."""
        return cls(
            state="checked" if advice.checked else "not_checked",
            items=[
                WordRemark(
                    field=one.field,
                    start=one.hint.start,
                    end=one.hint.end,
                    sign=one.hint.sign.value,
                    own=one.hint.own,
                )
                for one in advice.remarks
            ],
        )


class MadeRecord(Made):
    """The id of a record that was written, and where its words tell who somebody is."""

    advice: WordAdvice

    @classmethod
    def of(cls, written: Written) -> Self:
        """Return the shape of what was written."""
        return cls(id=written.id, advice=WordAdvice.of(written.advice))


class RecordVersion(Shape):
    """What somebody wrote at a moment, and why it was corrected."""

    by: UUID
    at: datetime | None
    reason: str | None
    content: dict[str, Any]

    @classmethod
    def of(cls, version: Version) -> Self:
        """Return the shape of a version."""
        return cls(
            by=version.by,
            at=moment(version.at),
            reason=version.reason,
            content=dict(version.content),
        )


class RecordRedaction(Shape):
    """The trace of a passage that was taken out for good."""

    by: UUID
    at: datetime | None
    reason: str


class CaseRecord(Shape):
    """A record: what holds now, who began it, every version, and the traces of redactions."""

    id: UUID
    record_type: str
    version: int
    date: str
    content: dict[str, Any]
    about: UUID | None
    state: str | None
    begun_by: UUID
    begun_at: datetime | None
    versions: list[RecordVersion]
    redactions: list[RecordRedaction]

    @classmethod
    def of(cls, kept: Kept) -> Self:
        """Return the shape of a record."""
        record = kept.record
        return cls(
            id=kept.id,
            record_type=kept.kind.value,
            version=kept.version,
            date=kept.date,
            content=dict(record.current.content),
            about=record.about,
            state=record.marks.get("state"),
            begun_by=record.first.by,
            begun_at=moment(record.first.at),
            versions=[RecordVersion.of(version) for version in record.versions],
            redactions=[
                RecordRedaction(by=r.by, at=moment(r.at), reason=r.reason)
                for r in record.redactions
            ],
        )


class CaseRecordPage(Shape):
    """A page of records, newest date first; there is never a total."""

    items: list[CaseRecord]
    cursor: str | None

    @classmethod
    def of(cls, page: RecordPage) -> Self:
        """Return the shape of a page."""
        return cls(items=[CaseRecord.of(kept) for kept in page.items], cursor=page.cursor)


class NewRecord(Shape):
    """A record to be added; `assignee` says whose task it is (yours by default)."""

    content: dict[str, Any]
    assignee: UUID | None = Field(default=None, strict=False)


class Correction(Shape):
    """A new version; a note's needs the reason of the correction."""

    content: dict[str, Any]
    reason: Words = Field(default="", max_length=1000)


class NewRedaction(Shape):
    """A passage to be taken out of every version for good, exactly as it stands."""

    passage: str = Field(min_length=2, max_length=20_000)
    reason: Words = Field(min_length=1, max_length=1000)


class NewLink(Shape):
    """A link to another case of yours."""

    case_id: UUID = Field(strict=False)
    content: dict[str, Any]


class LinkList(Shape):
    """The links of a case; `about` is the other case."""

    items: list[CaseRecord]


class NewRefusal(Shape):
    """A member of staff whom the survivor does not want."""

    staff_id: UUID = Field(strict=False)
    content: dict[str, Any] = Field(default_factory=dict)


class Refusal(Shape):
    """Whom the survivor refuses; `holds_keys`: keys are still to be taken from them."""

    id: UUID
    staff_id: UUID | None
    content: dict[str, Any]
    holds_keys: bool

    @classmethod
    def of(cls, refused: RefusedPerson) -> Self:
        """Return the shape of a refusal."""
        record = refused.record.record
        return cls(
            id=refused.record.id,
            staff_id=record.about,
            content=dict(record.current.content),
            holds_keys=refused.holds_keys,
        )


class RefusalList(Shape):
    """Everybody whom the survivor refuses."""

    items: list[Refusal]


class NewTransition(Shape):
    """The status that the case shall have, and why."""

    content: dict[str, Any]


class Decision(Shape):
    """A supervisor's answer to the wish to close a case."""

    approve: bool
    reason: Words | None = Field(default=None, max_length=1000)


class Transition(Shape):
    """What became of a change of status: ``done``, ``waiting`` for an approval, ``declined``."""

    id: UUID
    state: str
    status: str

    @classmethod
    def of(cls, moved: Moved) -> Self:
        """Return the shape of a change of status."""
        return cls(id=moved.id, state=moved.state, status=moved.case.status.value)
