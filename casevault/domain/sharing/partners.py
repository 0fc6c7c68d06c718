"""Partners: who can help whom, where, in which language, and which gaps there are.

A partner is an organisation and never a person in need. Pure: the fields of an entry, how old it
may be before somebody should ask again, who fits a search, which service has nobody in an area.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.fields import Field, Type
from casevault.domain.sharing.consent import recipient_key
from casevault.errors import FieldError, Invalid

STALE_DAYS = 180
DOCUMENT = "partner"

FIELDS = (
    Field("name", purpose="To call them", required=True),
    Field("type", Type.CODE, "Which rules bind them", required=True, codes="organisation_type"),
    Field("country", Type.COUNTRY, "Over a border it takes a consent of its own", required=True),
    Field("areas", purpose="Where they help", many=True, required=True),
    Field("services", Type.CODE, "What for", many=True, required=True, codes="service_type"),
    Field("languages", Type.LANGUAGE, "Whom they understand", many=True),
    Field("serves", Type.CODE, "Whom they help; empty: everybody", many=True, codes="serves"),
    Field("hours", purpose="When to call"),
    Field("phone", Type.PHONE, "How to reach them"),
    Field("email", purpose="How to reach them, never with a name of a survivor"),
    Field("address", Type.LONG, "Where it is; leave it out where that must stay secret"),
    Field("capacity", Type.CODE, "Whether a call is worth it", codes="capacity"),
    Field("fee", Type.CODE, "Whether somebody must pay", codes="fee"),
    Field("public", Type.YES_NO, "Whether it may stand on a leaflet"),
    Field("verified_on", Type.DATE, "When somebody last asked them", required=True),
    Field("agreement_until", Type.DATE, "Until when an agreement on data binds them"),
)


@dataclass(frozen=True, slots=True)
class Pinned:
    """The vault of a partner: where it answers, which of its teams is asked, and that one's keys.

    From a card that the partner's compared key had signed.
    """

    address: str
    team: str
    team_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Partner:
    """An organisation in the directory; `key` holds its public keys once they were compared."""

    id: UUID
    content: Mapping[str, Any] = field(repr=False)
    version: int = 1
    key: bytes | None = field(default=None, repr=False)
    key_checked_by: UUID | None = None
    pinned: Pinned | None = None

    @property
    def name(self) -> str:
        """What they are called."""
        return str(self.content["name"])

    @property
    def services(self) -> frozenset[str]:
        """What they help with."""
        return frozenset(self.content["services"])

    def in_area(self, area: str) -> bool:
        """Say whether they help in an area, however it is written."""
        return recipient_key(area) in {recipient_key(one) for one in self.content["areas"]}

    def is_stale(self, today: date) -> bool:
        """Say whether somebody should ask them again whether all this still holds."""
        asked = date.fromisoformat(self.content["verified_on"])
        return asked + timedelta(days=STALE_DAYS) < today


@dataclass(frozen=True, slots=True)
class Search:
    """Who is looked for: a service in an area, perhaps by language and by whom it is for."""

    service: str
    area: str = ""
    language: str = ""
    serves: str = ""

    def __post_init__(self) -> None:
        """Refuse codes that no list has."""
        faults = [
            FieldError(f"/{name}", "field.code")
            for name, code, codes in (
                ("service", self.service, "service_type"),
                ("serves", self.serves, "serves"),
            )
            if code and code not in vocabulary.code_list(codes)
        ]
        if faults or not self.service:
            raise Invalid(
                "Some fields cannot be taken as they are.",
                errors=tuple(faults or [FieldError("/service", "field.required")]),
            )


@dataclass(frozen=True, slots=True)
class Gap:
    """A service that nobody verified offers in an area; `stale`: somebody may, ask them again."""

    service: str
    area: str
    stale: bool


def checked(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry in normal form, else `Invalid` with every fault."""
    return dictionary.checked(FIELDS, content)


def pathways(partners: Iterable[Partner], search: Search, today: date) -> list[Partner]:
    """Return who can help: verified before stale, open before full, then by name."""
    fitting = [one for one in partners if _fits(one, search)]
    order = {"open": 0, "waiting_list": 1, "full": 3}
    return sorted(
        fitting,
        key=lambda one: (
            one.is_stale(today),
            order.get(one.content.get("capacity", ""), 2),
            recipient_key(one.name),
            one.id,
        ),
    )


def gaps(partners: Iterable[Partner], today: date) -> list[Gap]:
    """Return every service × known area without a verified partner."""
    known = list(partners)
    areas = {recipient_key(area): area for one in known for area in one.content["areas"]}
    found = []
    for service in vocabulary.code_list("service_type"):
        for _, area in sorted(areas.items()):
            there = [one for one in known if service in one.services and one.in_area(area)]
            if all(one.is_stale(today) for one in there):
                found.append(Gap(service, area, stale=bool(there)))
    return found


def _fits(partner: Partner, search: Search) -> bool:
    content = partner.content
    serves = content.get("serves", ())
    return (
        search.service in partner.services
        and (not search.area or partner.in_area(search.area))
        and (not search.language or search.language in content.get("languages", ()))
        and (not search.serves or not serves or search.serves in serves)
    )
