"""How a programme searches: what stands on cards, how wide, how often. Set in the configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """`regions` are the countries whose phone numbers are read without their prefix."""

    full_phones: bool = False
    papers: bool = False
    regions: tuple[str, ...] = ()
    # Whether directories that other teams share are searched too.
    organisation_wide: bool = False
    per_hour: int = 60
