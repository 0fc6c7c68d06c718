"""Shapes of attached files."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from casevault.api.schemas.common import Shape
from casevault.services.casework.files import CaseFile


class FileCompartment(StrEnum):
    """Where a file lies: with who somebody is, or with what happened."""

    IDENTITY = "identity"
    NARRATIVE = "narrative"


class FileShown(Shape):
    """A file as it is listed. `size`: bytes after cleaning."""

    id: UUID
    name: str
    media_type: str
    size: int
    compartment: FileCompartment
    added_at: datetime
    added_by: UUID

    @classmethod
    def of(cls, found: CaseFile) -> Self:
        """Return the shape of a file."""
        first = found.record.record.first
        return cls(
            id=found.record.id,
            name=first.content["name"],
            media_type=first.content["media_type"],
            size=first.content["bytes"],
            compartment=FileCompartment(found.compartment),
            added_at=datetime.fromtimestamp(first.at, UTC),
            added_by=first.by,
        )


class FileList(Shape):
    """The files that the caller can open, newest first."""

    items: list[FileShown]
