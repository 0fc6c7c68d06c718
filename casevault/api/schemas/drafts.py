"""Shapes of drafts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from casevault.api.schemas.common import Shape, moment
from casevault.domain.pages.drafts import DraftForm
from casevault.services.casework.drafts import Draft, DraftPage


class NewDraft(Shape):
    """A form as far as it is filled in; an ``intake`` holds ``identity`` and ``profile``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "form": "intake",
                    "content": {
                        "identity": {"name_to_use": "Ondine Obvious-Madeup"},
                        "profile": {"presenting_situation": "Made up: was interru"},
                    },
                }
            ]
        }
    )
    form: Annotated[DraftForm, Field(strict=False)]
    case_id: UUID | None = Field(default=None, strict=False)
    content: dict[str, Any]


class DraftSaved(Shape):
    """Under which id a draft was saved, and its last day if it is not saved again."""

    id: UUID
    version: int
    kept_until: date

    @classmethod
    def of(cls, draft: Draft) -> Self:
        """Return the shape of a draft that was saved."""
        return cls(id=draft.id, version=draft.version, kept_until=draft.kept_until)


class DraftListed(DraftSaved):
    """A draft on the list; without a form it does not open any more and can only be deleted."""

    form: DraftForm | None
    case_id: UUID | None
    saved_at: datetime | None

    @classmethod
    def of(cls, draft: Draft) -> Self:
        """Return the shape of a listed draft."""
        return cls(
            id=draft.id,
            version=draft.version,
            kept_until=draft.kept_until,
            form=draft.form,
            case_id=draft.case,
            saved_at=moment(draft.saved_at),
        )


class FullDraft(DraftListed):
    """A draft with what was typed."""

    content: dict[str, Any]

    @classmethod
    def of(cls, draft: Draft) -> Self:
        """Return the shape of a draft."""
        return cls(
            id=draft.id,
            version=draft.version,
            kept_until=draft.kept_until,
            form=draft.form,
            case_id=draft.case,
            saved_at=moment(draft.saved_at),
            content=dict(draft.content),
        )


class DraftList(Shape):
    """A page of your drafts; there is never a total."""

    items: list[DraftListed]
    cursor: str | None

    @classmethod
    def of(cls, page: DraftPage) -> Self:
        """Return the shape of a page."""
        return cls(items=[DraftListed.of(draft) for draft in page.items], cursor=page.cursor)
