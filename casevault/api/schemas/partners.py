"""Shapes of the directory of partners."""

from __future__ import annotations

from datetime import date
from typing import Any, Self
from uuid import UUID

from pydantic import Base64Bytes, ConfigDict, Field

from casevault.api.schemas.common import Shape
from casevault.domain.sharing.partners import Gap
from casevault.services.sharing.partners import Found
from casevault.store.counting.published_needs import Unmet


class PartnerEntry(Shape):
    """What is known about an organisation that helps."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "content": {
                        "name": "Made-Up House of Calm",
                        "type": "NGO",
                        "country": "IT",
                        "areas": ["Nowhere"],
                        "services": ["safehouse"],
                        "languages": ["fr", "ar"],
                        "phone": "+390000000009",
                        "verified_on": "2026-11-20",
                    }
                }
            ]
        }
    )
    content: dict[str, Any]


class PartnerKey(Shape):
    """A partner's public keys, and the fingerprint that they read out."""

    key: Base64Bytes = Field(strict=False, max_length=4096, repr=False)
    fingerprint: str = Field(max_length=80)


class PartnerShown(Shape):
    """A partner. `stale`: nobody asked them for half a year.

    `vault`: where theirs answers and which team gets letters there, if they run one.
    """

    id: UUID
    version: int
    content: dict[str, Any]
    stale: bool
    fingerprint: str | None
    vault: str | None
    vault_team: str | None

    @classmethod
    def of(cls, found: Found) -> Self:
        """Return the shape of a partner."""
        one = found.partner
        return cls(
            id=one.id,
            version=one.version,
            content=dict(one.content),
            stale=found.stale,
            fingerprint=found.fingerprint,
            vault=None if one.pinned is None else one.pinned.address,
            vault_team=None if one.pinned is None else one.pinned.team,
        )


class PartnerList(Shape):
    """Partners; in an answer to a search, those to call first come first."""

    items: list[PartnerShown]


class UnmetShown(Shape):
    """A number from a published release, with the bounds in which the exact one probably lies."""

    value: int
    lower95: int
    upper95: int
    period_start: date
    period_end: date
    release_id: str

    @classmethod
    def of(cls, one: Unmet) -> Self:
        """Return the shape of a published number."""
        return cls(
            value=one.value,
            lower95=one.lower,
            upper95=one.upper,
            period_start=one.start,
            period_end=one.end,
            release_id=one.release_id,
        )


class GapShown(Shape):
    """A service that nobody verified offers in an area; `stale`: ask those again who did."""

    service: str
    area: str
    stale: bool
    # People of the whole country whose need of this service could not be met, as published last.
    unmet: UnmetShown | None

    @classmethod
    def of(cls, gap: Gap, unmet: Unmet | None) -> Self:
        """Return the shape of a gap."""
        shown = None if unmet is None else UnmetShown.of(unmet)
        return cls(service=gap.service, area=gap.area, stale=gap.stale, unmet=shown)


class GapList(Shape):
    """Every gap in the areas that the directory knows."""

    items: list[GapShown]
