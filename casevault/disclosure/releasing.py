"""A release as data: its design, the one noisy measurement, and the files that follow from both.

The noise is drawn once; what is stored is the noisy vectors. Rendering them again gives the same
bytes, so there is no seed to keep. Nothing here knows who may release or what it costs whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Self

from casevault.disclosure.accounting import epsilon
from casevault.disclosure.bits import Bits
from casevault.disclosure.catalogue import Catalogue, IndicatorTable
from casevault.disclosure.classifications import Dimension, Tier
from casevault.disclosure.counting import Snapshot
from casevault.disclosure.displaying import Cell, cells
from casevault.disclosure.estimating import Estimate, estimate
from casevault.disclosure.measuring import Measurement, Noisy, exact_vectors, measure, plan
from casevault.disclosure.parameters import LABELS_DELTA, SHARES
from casevault.disclosure.tabulating import Period, tabulate
from casevault.errors import Invalid


@dataclass(frozen=True, slots=True)
class Design:
    """All that decides a release but the people: public, and settled before anything is drawn."""

    release_id: str
    catalogue_version: int
    tables: tuple[str, ...]
    tier: Tier
    period: Period
    regions: tuple[str, ...]
    rho: Fraction
    delta: float
    code_version: str
    simulation: bool
    # What a simulation paid of ρ to choose labels that nobody declared; a part of its δ goes too.
    labels: Fraction = Fraction(0)

    @property
    def epsilon(self) -> float:
        """Return ε of the whole release at its δ."""
        left = float(1 - LABELS_DELTA) if self.labels else 1
        return epsilon(self.rho, self.delta * left)

    @property
    def measured(self) -> Fraction:
        """Return the ρ that is left for the numbers."""
        return self.rho - self.labels

    def as_data(self) -> dict[str, Any]:
        """Return the design as JSON takes it."""
        return {
            "release_id": self.release_id,
            "catalogue_version": self.catalogue_version,
            "tables": list(self.tables),
            "tier": self.tier.value,
            "period_start": self.period.start.isoformat(),
            "period_end": self.period.end.isoformat(),
            "regions": list(self.regions),
            "rho": str(self.rho),
            "delta": self.delta,
            "code_version": self.code_version,
            "simulation": self.simulation,
            **({"labels_rho": str(self.labels)} if self.labels else {}),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return the design that `as_data` wrote."""
        start, end = (date.fromisoformat(data[key]) for key in ("period_start", "period_end"))
        return cls(
            data["release_id"],
            data["catalogue_version"],
            tuple(data["tables"]),
            Tier(data["tier"]),
            Period(start, end),
            tuple(data["regions"]),
            Fraction(data["rho"]),
            data["delta"],
            data["code_version"],
            data["simulation"],
            Fraction(data.get("labels_rho", 0)),
        )


@dataclass(frozen=True, slots=True)
class Release:
    """A design with what it means in one catalogue."""

    design: Design
    tables: tuple[IndicatorTable, ...]
    dimensions: Mapping[str, Dimension]
    measurements: tuple[Measurement, ...]

    @classmethod
    def of(cls, design: Design, catalogue: Catalogue) -> Self:
        """Work out what has to be measured; a table or version that is unknown is refused."""
        if not catalogue.reads(design.catalogue_version):
            raise Invalid("The catalogue has another version.", code="release.catalogue-version")
        tables = catalogue.pick(design.tables)
        if any(design.period.basis not in table.periods for table in tables):
            raise Invalid("A table is not made for this period.", code="release.period-basis")
        names = dict.fromkeys(axis for table in tables for axis in table.axes)
        dimensions = {n: catalogue.dimension(n, design.tier, design.regions) for n in names}
        measurements = plan(tables, dimensions, design.measured, SHARES[design.tier])
        return cls(design, tables, dimensions, measurements)

    def measure(self, snap: Snapshot, bits: Bits) -> dict[str, tuple[int, ...]]:
        """Return every vector with noise: the only step that sees people."""
        design = self.design
        details = {
            table.id: tabulate(
                snap, table, [self.dimensions[a] for a in table.axes], design.tier, design.period
            )
            for table in self.tables
        }
        return measure(
            self.measurements, exact_vectors(self.measurements, self.tables, details), bits
        )

    def estimates(self, noisy: Noisy) -> dict[str, Estimate]:
        """Return the estimates that follow from a noisy measurement."""
        return estimate(self.measurements, noisy)

    def cells(self, noisy: Noisy) -> dict[str, tuple[Cell, ...]]:
        """Return what is shown of every table."""
        found = self.estimates(noisy)
        return {t.id: tuple(cells(t, self.dimensions, found)) for t in self.tables}
