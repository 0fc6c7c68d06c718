"""How a programme searches: what stands on cards, how wide, how often. Set in the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from casevault.config import Settings


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """`regions` are the countries whose phone numbers are read without their prefix."""

    full_phones: bool = False
    papers: bool = False
    regions: tuple[str, ...] = ()
    # Whether directories that other teams share are searched too.
    organisation_wide: bool = False
    per_hour: int = 60

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return how the programme of these settings searches."""
        return cls(
            full_phones=settings.search_full_phones,
            papers=settings.search_papers,
            regions=settings.search_regions,
            organisation_wide=settings.search_organisation_wide,
            per_hour=settings.search_per_hour,
        )
