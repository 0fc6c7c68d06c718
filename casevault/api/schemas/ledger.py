"""Shapes of ledger entries as auditors see them."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from casevault.api.schemas.common import Shape
from casevault.services.oversight import Found


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
            request=body.request,
            leaf=found.entry.leaf_bytes.decode(),
        )


class LedgerPage(Shape):
    """A page of entries, newest first."""

    items: list[LedgerEntry]
    cursor: str | None
