"""Shapes of cases. Identity and profile follow the data dictionary, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, WithJsonSchema

from casevault.api.schemas.common import Shape, moment
from casevault.api.schemas.search import Found
from casevault.domain.case import dictionary
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.services.casework.assignments import Explained, Holder
from casevault.services.casework.casework import CaseView

IdentityContent = Annotated[
    dict[str, Any], WithJsonSchema(dictionary.json_schema(DocumentKind.IDENTITY))
]
ProfileContent = Annotated[
    dict[str, Any], WithJsonSchema(dictionary.json_schema(DocumentKind.PROFILE))
]
FactsContent = Annotated[dict[str, Any], WithJsonSchema(dictionary.json_schema(DocumentKind.FACTS))]


class NewCase(Shape):
    """A case to be opened: the two first documents."""

    identity: IdentityContent
    profile: ProfileContent = Field(default_factory=dict)
    retention_class: str = Field(default="standard", max_length=32)
    team: UUID | None = Field(default=None, strict=False)
    # Search at once for other cases of this person; it counts as one of your searches.
    look_for_duplicates: bool = False


class NewCaseOfIncident(Shape):
    """One case of a batch."""

    identity: IdentityContent
    profile: ProfileContent = Field(default_factory=dict)
    retention_class: str = Field(default="standard", max_length=32)


class NewCases(Shape):
    """Cases of one incident."""

    cases: list[NewCaseOfIncident] = Field(min_length=1, max_length=50)
    team: UUID | None = Field(default=None, strict=False)


class Case(Shape):
    """The plain metadata of a case, and what the caller can open of it."""

    id: UUID
    reference: str
    team: UUID
    status: str
    retention_class: str
    opened_month: str
    next_review: str
    due: dict[str, str]
    hold: bool
    restriction: bool
    version: int
    open_compartments: list[str]
    display_name: str | None = None

    @classmethod
    def of(cls, view: CaseView) -> Self:
        """Return the shape of a case."""
        case = view.case
        return cls(
            id=case.id,
            reference=case.reference,
            team=case.team,
            status=case.status.value,
            retention_class=case.retention_class,
            opened_month=case.opened_month,
            next_review=case.next_review,
            due={
                "identity": case.due_identity,
                "narrative": case.due_narrative,
                "facts": case.due_facts,
            },
            hold=case.hold,
            restriction=case.restriction,
            version=case.version,
            open_compartments=list(view.open_compartments),
            display_name=view.display_name,
        )


class OpenedCase(Case):
    """A new case, and where the person may be known already if that was looked for.

    `duplicates_failed` says why it could not be looked for; the case is open all the same. Ask
    again with `POST /v1/cases/{id}/duplicates`.
    """

    possible_duplicates: Found | None = None
    duplicates_failed: str | None = None


class OpenedCases(Shape):
    """The cases of a batch in the order in which they were sent."""

    items: list[Case]


class CasePage(Shape):
    """A page of the caller's caseload; there is never a total.

    `unreadable` names cases of this page that do not open: the alarm is recorded.
    """

    items: list[Case]
    cursor: str | None
    unreadable: list[UUID] = Field(default_factory=list)


class Compartmented(Shape):
    """Whether the caller can open a compartment, and by which rule."""

    compartment: str
    open: bool
    rule: str
    expires_at: datetime | None

    @classmethod
    def of(cls, explained: Explained) -> Self:
        """Return the shape of an explanation."""
        return cls(
            compartment=explained.compartment,
            open=explained.is_open,
            rule=explained.rule,
            expires_at=moment(explained.expires_at),
        )


class Access(Shape):
    """Why the caller can open what."""

    items: list[Compartmented]


class NewGrant(Shape):
    """An assignment: to whom, which compartments, until when."""

    staff_id: UUID = Field(strict=False)
    compartments: list[Annotated[Compartment, Field(strict=False)]] = Field(
        default=list(Compartment), min_length=1, max_length=3
    )
    expires_at: datetime | None = Field(default=None, strict=False)


class Grant(Shape):
    """Somebody who holds keys of the case."""

    principal: UUID
    kind: str
    compartments: list[str]
    granted_by: UUID
    issued_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, holder: Holder) -> Self:
        """Return the shape of a holder."""
        return cls(
            principal=holder.principal,
            kind=holder.kind,
            compartments=list(holder.compartments),
            granted_by=holder.granted_by,
            issued_at=moment(holder.issued_at),
            expires_at=moment(holder.expires_at),
        )


class Reviewed(Shape):
    """By when the case is to be looked through again."""

    next_review: str = Field(examples=["2027-05-31"])


class Revoked(Shape):
    """What is left after a person's own grants are gone."""

    still_opens_through: list[str] = Field(
        description="Groups through which the person opens the case all the same.",
        examples=[["oversight"]],
    )


class GrantList(Shape):
    """Everybody who holds keys of the case."""

    items: list[Grant]
