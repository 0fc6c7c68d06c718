"""Records of a case that grow with it: notes, services, tasks, links, changes of status.

A record keeps every version with who wrote it, when and why it was corrected. A passage can be
redacted: it goes from every version for good, and leaves a trace that says so. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from casevault.domain.case import facts
from casevault.errors import FieldError, Invalid, Tampered

# What a record that needs a second person is marked with.
WAITING, DONE, DECLINED, WITHDRAWN = "waiting", "done", "declined", "withdrawn"
REDACTED = "[redacted]"
MAX_VERSIONS = 200


@dataclass(frozen=True, slots=True)
class Version:
    """What somebody wrote at a moment (Unix seconds); `reason` says why it was corrected."""

    by: UUID
    at: int
    content: Mapping[str, Any] = field(repr=False)
    reason: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Redaction:
    """The trace of a passage that is gone."""

    by: UUID
    at: int
    reason: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """All versions of a record, oldest first; `about` is the other case or person, if any."""

    versions: tuple[Version, ...]
    redactions: tuple[Redaction, ...] = ()
    about: UUID | None = None
    # What the service itself notes: a state, who approved.
    marks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def new(
        cls,
        content: Mapping[str, Any],
        by: UUID,
        at: int,
        about: UUID | None = None,
        **marks: str,
    ) -> Record:
        """Return a record of one version."""
        return cls((Version(by, at, content),), (), about, marks)

    @property
    def first(self) -> Version:
        """The version by which the record began."""
        return self.versions[0]

    @property
    def current(self) -> Version:
        """The version that holds now."""
        return self.versions[-1]

    def marked(self, **marks: str) -> Record:
        """Return the record with further marks."""
        return replace(self, marks={**self.marks, **marks})

    def corrected(self, content: Mapping[str, Any], by: UUID, at: int, reason: str) -> Record:
        """Return the record with a new version; the old ones stay readable.

        :raises Invalid: it has as many versions as a record may have.
        """
        if len(self.versions) >= MAX_VERSIONS:
            raise Invalid("This record has too many versions. Write a new one.", code="record.full")
        return replace(self, versions=(*self.versions, Version(by, at, content, reason)))

    def redacted(
        self, passage: str, texts: frozenset[str], by: UUID, at: int, reason: str
    ) -> Record:
        """Return the record without a passage in the fields `texts` and the reasons, for good.

        :raises Invalid: the passage occurs nowhere in them.
        """
        found = [_without(version, passage, texts) for version in self.versions]
        if not any(changed for _, changed in found):
            raise Invalid(
                "This passage does not occur in the text.",
                code="redaction.absent",
                hint="Copy it exactly as it stands, without line breaks at its ends.",
                errors=(FieldError("/passage", "redaction.absent"),),
            )
        trace = Redaction(by, at, reason)
        return replace(
            self,
            versions=tuple(version for version, _ in found),
            redactions=(*self.redactions, trace),
        )

    def encode(self) -> dict[str, Any]:
        """Return the record as JSON."""
        return {
            "about": None if self.about is None else self.about.hex,
            "versions": [
                {"by": v.by.hex, "at": v.at, "reason": v.reason, "content": dict(v.content)}
                for v in self.versions
            ],
            "redactions": [
                {"by": r.by.hex, "at": r.at, "reason": r.reason} for r in self.redactions
            ],
            "marks": dict(self.marks),
        }

    @classmethod
    def decode(cls, raw: Mapping[str, Any]) -> Record:
        """Read what `encode` wrote, else `Tampered`."""
        try:
            versions = tuple(
                Version(UUID(v["by"]), v["at"], v["content"], v["reason"]) for v in raw["versions"]
            )
            redactions = tuple(
                Redaction(UUID(r["by"]), r["at"], r["reason"]) for r in raw["redactions"]
            )
            marks = {str(name): str(value) for name, value in raw["marks"].items()}
            about = None if raw["about"] is None else UUID(raw["about"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Tampered(code="record") from None
        if not versions:
            raise Tampered(code="record")
        return cls(versions, redactions, about, marks)


def coded_services(services: Iterable[Record]) -> list[dict[str, Any]]:
    """Return the services as the facts keep them: coded, dated, in an order that tells nothing.

    The facts are what counts are made from; which note belongs to which row must not be seen.
    """
    rows = [_coded(record) for record in services]
    return sorted(rows, key=lambda row: (row["date"], row["type"], row["outcome"]))


def _coded(record: Record) -> dict[str, str]:
    content = record.current.content
    row = {name: content[name] for name in ("type", "outcome", "date")}
    written = datetime.fromtimestamp(record.first.at, UTC).date()
    counted = facts.counted_on(date.fromisoformat(content["date"]), written)
    # Nothing published is counted anew: what is written down too late counts when it is written.
    return row if counted.isoformat() == row["date"] else {**row, "counted_on": str(counted)}


def _without(version: Version, passage: str, texts: frozenset[str]) -> tuple[Version, bool]:
    content = {
        name: value.replace(passage, REDACTED) if name in texts else value
        for name, value in version.content.items()
    }
    reason = None if version.reason is None else version.reason.replace(passage, REDACTED)
    changed = content != dict(version.content) or reason != version.reason
    return replace(version, content=content, reason=reason), changed
