"""Made-up records for tests of counts: an intake with sensible defaults, a plan, exact vectors."""

from __future__ import annotations

import random
from datetime import date
from fractions import Fraction

from casevault.disclosure import catalogue
from casevault.disclosure.catalogue import Basis
from casevault.disclosure.classifications import Tier
from casevault.disclosure.counting import Snapshot, snapshot
from casevault.disclosure.measuring import exact_vectors
from casevault.disclosure.records import Intake, Records, day_number
from casevault.disclosure.releasing import Design, Release
from casevault.disclosure.tabulating import Period, tabulate, whole_year
from casevault.domain import vocabulary

KEY = bytes(32)
REGIONS = ("North", "South")
ALL = tuple(t.id for t in catalogue.shipped().tables.values() if Basis.YEAR in t.periods)


class Book:
    """Records in the making; every argument but the person has a default."""

    def __init__(self) -> None:
        self._intake = Intake(catalogue.counted_fields(), KEY)
        self._cases = 0

    def case(
        self,
        person: str,
        on: date = date(2025, 3, 1),
        *,
        consent: bool = True,
        historic: bool = False,
        region: int = 0,
        **facts: tuple[str, ...],
    ) -> str:
        """Add a case of a person and return its row."""
        self._cases += 1
        row = f"row-{self._cases}"
        names = self._intake.fields
        assert set(facts) <= set(names)
        values = [self._intake.value(name, facts.get(name, ())) for name in names]
        self._intake.add(
            self._intake.number(row),
            self._intake.number(person),
            day_number(on),
            region,
            (consent, historic),
            values,
        )
        return row

    def service(
        self, row: str, service: str, on: date = date(2025, 3, 5), outcome: str = "provided"
    ) -> None:
        """Add a service of a case."""
        self._event("services", "service_outcome", row, service, on, outcome)

    def referral(
        self, row: str, service: str, on: date = date(2025, 3, 5), outcome: str = "completed"
    ) -> None:
        """Add a referral of a case."""
        self._event("referrals", "referral_outcome", row, service, on, outcome)

    def _event(
        self, kind: str, outcomes: str, row: str, service: str, on: date, outcome: str
    ) -> None:
        getattr(self._intake, kind).add(
            self._intake.number(row),
            vocabulary.code_list("service_type").index(service),
            day_number(on),
            vocabulary.code_list(outcomes).index(outcome),
        )

    def records(self) -> Records:
        """Return everything as columns."""
        return self._intake.close()

    def snapshot(self) -> Snapshot:
        """Return what may be counted."""
        return snapshot(self.records(), KEY, quarters=True)


def release(
    *tables: str,
    tier: Tier = Tier.COARSE,
    period: Period | None = None,
    rho: Fraction = Fraction(9, 100),
) -> Release:
    """Return a release of tables, all of the catalogue if none is named."""
    design = Design(
        "SIMULATION-test",
        catalogue.shipped().version,
        tables or ALL,
        tier,
        period or whole_year(2025),
        REGIONS,
        rho,
        1e-6,
        "0",
        simulation=True,
    )
    return Release.of(design, catalogue.shipped())


def exact(snap: Snapshot, made: Release) -> dict:
    """Return every exact vector of a release by its name."""
    details = {
        t.id: tabulate(
            snap,
            t,
            [made.dimensions[a] for a in t.axes],
            made.design.tier,
            made.design.period,
        )
        for t in made.tables
    }
    return exact_vectors(made.measurements, made.tables, details)


def cell(
    snap: Snapshot,
    table: str,
    tier: Tier = Tier.COARSE,
    period: Period | None = None,
    **place: str,
) -> int:
    """Return the exact count of one cell of a table, or of a margin of it."""
    made = release(table, tier=tier, period=period)
    axes = made.tables[0].axes
    counts = tabulate(
        snap, made.tables[0], [made.dimensions[a] for a in axes], tier, made.design.period
    )
    for position, axis in reversed(list(enumerate(axes))):
        if axis in place:
            index = made.dimensions[axis].categories.index(place[axis])
            counts = counts.take(index, axis=position)
        else:
            counts = counts.sum(axis=position)
    return int(counts)


def crowd(people: int, seed: int = 1, years: int = 1) -> Book:
    """Return made-up people of all kinds: several cases, services, refusals, late years."""
    draw = random.Random(seed)  # noqa: S311 - made-up people, no secrets
    book = Book()
    lists = {
        "exploitation": vocabulary.code_list("type_of_exploitation"),
        "age_band": vocabulary.code_list("age_band"),
        "gender": vocabulary.code_list("gender"),
        "citizenships": ("NG", "RO", "VN", "BR"),
        "context": vocabulary.code_list("context"),
        "controlled_by": vocabulary.code_list("methods_of_control"),
    }
    many = {"exploitation", "citizenships", "context", "controlled_by"}
    services = vocabulary.code_list("service_type")
    outcomes = vocabulary.code_list("service_outcome")
    states = vocabulary.code_list("referral_outcome")
    for person in range(people):
        for _case in range(draw.choice([1, 1, 1, 2])):
            on = date(2025 + draw.randrange(years), draw.randrange(1, 13), draw.randrange(1, 29))
            facts = {
                name: tuple(
                    sorted(draw.sample(codes, draw.choice([0, 1, 1, 2 if name in many else 1])))
                )
                for name, codes in lists.items()
            }
            row = book.case(
                f"person-{person}",
                on,
                consent=draw.random() < 0.95,
                historic=draw.random() < 0.05,
                region=draw.randrange(3),
                **facts,
            )
            for _service in range(draw.choice([0, 1, 2, 9])):
                day = on.replace(month=draw.randrange(1, 13))
                book.service(row, draw.choice(services), day, draw.choice(outcomes))
            for _referral in range(draw.choice([0, 0, 1, 8])):
                book.referral(row, draw.choice(services), on, draw.choice(states))
    return book


def _some(draw: random.Random, codes: tuple[str, ...], most: int) -> tuple[str, ...]:
    return tuple(sorted(draw.sample(codes, draw.choice([0, 1, 1, most]))))
