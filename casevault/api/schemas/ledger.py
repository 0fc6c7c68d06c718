"""Shapes of ledger entries as auditors see them."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, Field

from casevault.api.schemas.common import Shape
from casevault.services.audit.ledger_exports import Format
from casevault.services.audit.oversight import Found, Names
from casevault.store.audit.ledger_query import Query


class Touched(Shape):
    """A record that an act was about: its pseudonym of that month, and versions of its parts."""

    type: str
    record: str
    versions: dict[str, int]


class LedgerEntry(Shape):
    """One opened entry. `leaf` is the exact public line that the tree covers."""

    id: UUID
    position: int
    recorded: str
    code: str
    outcome: int
    rule: str
    actor: str | None
    actor_id: UUID | None
    roles: list[str]
    session: str | None
    assurance: str
    purpose: str
    entities: list[Touched]
    fields: list[str]
    filters: list[str]
    count: int | None
    query: str | None
    request: str | None
    leaf: str

    @classmethod
    def of(cls, found: Found) -> Self:
        """Return the shape of an entry."""
        body = found.entry.body
        return cls(
            id=found.entry.id,
            position=found.entry.position,
            recorded=body.recorded,
            code=body.code,
            outcome=body.outcome,
            rule=body.rule,
            actor=body.actor,
            actor_id=found.actor,
            roles=list(body.roles),
            session=body.session,
            assurance=body.assurance,
            purpose=body.purpose,
            entities=[
                Touched(type=e.type, record=e.record, versions=dict(e.versions))
                for e in body.entities
            ],
            fields=list(body.fields),
            filters=list(body.filters),
            count=body.count,
            query=body.query,
            request=body.request,
            leaf=found.entry.leaf_bytes.decode(),
        )


class LedgerPage(Shape):
    """A page of entries, newest first."""

    items: list[LedgerEntry]
    cursor: str | None


class LedgerMonths(Shape):
    """Months such as 2026-11, newest first."""

    items: list[str]


class LedgerNames(Shape):
    """What one id is called in a month: as a record, as an actor, as a session."""

    month: str
    subject: str
    actor: str
    session: str

    @classmethod
    def of(cls, names: Names) -> Self:
        """Return the shape of what an id is called."""
        return cls(
            month=names.month, subject=names.subject, actor=names.actor, session=names.session
        )


class LedgerExport(Shape):
    """What is exported, and how: the conditions of a question, within one month."""

    format: Annotated[Format, Field(strict=False)] = Format.JSONL
    month: str | None = Field(default=None, pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")
    case: UUID | None = Field(default=None, strict=False)
    subject: UUID | None = Field(default=None, strict=False)
    actor: UUID | None = Field(default=None, strict=False)
    session: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{16,64}$")
    record: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{16,64}$")
    code: str | None = Field(default=None, pattern=r"^[a-z_.]{3,40}$")
    outcome: int | None = Field(default=None, ge=0, le=12)
    since: Annotated[AwareDatetime, Field(strict=False)] | None = None
    until: Annotated[AwareDatetime, Field(strict=False)] | None = None

    @property
    def query(self) -> Query:
        """The conditions as a question."""
        found = self.model_dump(exclude={"format"})
        return Query(**found)
