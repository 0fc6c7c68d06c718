"""What a programme says of itself in public, by which its counts are made. Configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from casevault.config import Settings
from casevault.store.engine.keyring import Keyring
from casevault.store.keys import people


@dataclass(frozen=True, slots=True)
class CountingOptions:
    """`people`: how many people a year the organisation says it assists, 0 if it says nothing.

    `team_regions`: the declared region of each team, by the team's name.
    """

    people: int = 0
    team_regions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what these settings declare."""
        return cls(settings.declared_people, settings.team_regions)

    @property
    def regions(self) -> tuple[str, ...]:
        """Return the declared regions, in order."""
        return tuple(sorted(set(self.team_regions.values())))

    def region_of(self, keyring: Keyring, team: UUID) -> dict[str, str]:
        """Return what a new case's facts say about its region: nothing where none is declared."""
        if not self.team_regions:
            return {}
        with keyring.reading() as tx:
            region = self.team_regions.get(people.teams(tx).get(team, ""))
        return {} if region is None else {"region": region}
