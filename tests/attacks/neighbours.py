"""Two files, one person apart: may anything but a number tell them apart?

Rows, labels, columns, names of files and which numbers are withheld are compared over many seeds,
for people whom a careless publisher would show by a label: alone in a region, in a year, with a
rare code, in hundreds of rows. The naive publisher names what the file holds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from casevault.disclosure import facts_csv, rendering, simulating
from casevault.disclosure.facts_csv import Facts
from casevault.disclosure.simulating import Wish
from casevault.domain import vocabulary
from tests.attacks.attacks import Outcome
from tests.attacks.world import FLOOR, KEY

HEADER = "case_row,pid,accepted,region,branch,statistics_consent,gender,age_band,exploitation"
SERVICES = "case_row,service,date,outcome"
KINDS = vocabulary.code_list("service_type")
Lines: TypeAlias = Sequence[str]
# Lines of facts and of services that only the file with the person has.
STRANGERS: Mapping[str, tuple[Lines, Lines]] = {
    "alone in a region": (["x,x,2025-03-03,Faraway,b,1,Feminine,under_18,OrganRemoval"], []),
    "alone in a year": (["x,x,2019-03-03,North,b,1,Feminine,under_18,OrganRemoval"], []),
    "outside every period": (["x,x,1990-01-01,,b,1,,,"], []),
    "with a rare code": (["x,x,2025-03-03,North,b,1,NonConforming,50_and_over,Surrogacy"], []),
    "with every code": (
        ["x,x,2025-03-03,North,b,1,Feminine,under_18,ForcedLabour;OrganRemoval;OrganRemoval"],
        [],
    ),
    "in hundreds of rows": (
        [f"x{n},x,2025-03-03,Place {n % 40},b,1,Feminine,under_18,Other" for n in range(300)],
        [],
    ),
    "with hundreds of services": (
        ["x,x,2025-03-03,North,b,1,Feminine,under_18,Other"],
        [f"x,{KINDS[n % len(KINDS)]},2025-04-{1 + n % 28:02},provided" for n in range(300)],
    ),
    "who refused": (["x,x,2019-03-03,Faraway,b,0,Feminine,under_18,OrganRemoval"], []),
}


def crowd(people: int) -> list[str]:
    """Return lines of many people in three large regions."""
    kinds = ("ForcedLabour", "SexualExploitation", "")
    return [
        f"{n},p{n},2025-0{1 + n % 9}-15,{('North', 'South', 'West')[n % 3]},b,1,"
        f"{'Feminine' if n % 2 else 'Masculine'},18_to_24,{kinds[n % len(kinds)]}"
        for n in range(people)
    ]


def read(lines: Lines, services: Lines) -> Facts:
    """Read a file of these lines, of which nobody declared the regions."""
    facts, given = ("\n".join(part) for part in ([HEADER, *lines], [SERVICES, *services]))
    return facts_csv.read(io.StringIO(facts), io.StringIO(given), None, regions=None, key=KEY)


def drawn(facts: Facts, tables: Sequence[str], seed: int) -> dict[str, list[dict[str, str]]]:
    """Return the rows of all files that a simulation without a list of years or regions makes."""
    chosen = simulating.chosen(tables, services=True, referrals=False)
    wish = Wish(chosen, 1000, f"neighbour {seed}", "0")
    made = rendering.files(simulating.simulate(facts, wish, (), KEY))
    return {
        name: list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        for name, content in made.items()
        if name.endswith(".csv")
    }


def shape(files: Mapping[str, Sequence[Mapping[str, str]]]) -> object:
    """Return everything of files but their numbers and what stands for a number."""
    numbers = {"value", "lower95", "upper95", "status"}
    return [
        (name, [[(k, v) for k, v in row.items() if k not in numbers] for row in rows])
        for name, rows in files.items()
    ]


def differ(stranger: tuple[Lines, Lines], people: int, seeds: range) -> float:
    """Return the share of seeds under which the shape of the files gives a person away."""
    lines, services = stranger
    without, with_ = read(crowd(people), []), read([*crowd(people), *lines], services)
    found = [shape(drawn(with_, (), seed)) != shape(drawn(without, (), seed)) for seed in seeds]
    return sum(found) / len(found)


def labels(people: int, tries: int) -> Outcome:
    """Rows and labels of every stranger; the naive simulator names what stands in the file."""
    naive = [_own_labels(people, one) for one in STRANGERS.values()]
    shipped = [differ(one, people, range(tries)) for one in STRANGERS.values()]
    return Outcome(sum(naive) / len(naive), max(shipped), 0.0)


def _own_labels(people: int, stranger: tuple[Lines, Lines]) -> bool:
    lines, _services = stranger
    both = (crowd(people), [*crowd(people), *lines])
    seen = [{tuple(cells(one)) for one in some} for some in both]
    return seen[0] != seen[1]


def cells(line: str) -> tuple[str, str]:
    """Return year and region of a line."""
    parts = line.split(",")
    return parts[2][:4], parts[3]


def withheld(people: int, tries: int) -> Outcome:
    """Which numbers are withheld: a person more in a group of ten, shown from eleven on.

    Scored as the difference of how often the group is shown. The naive publisher counts exactly."""
    table, kind = "people-exploitation-age-gender", "Masculine,50_and_over,OrganRemoval"
    few = [f"few{n},few{n},2025-03-03,North,b,1,{kind}" for n in range(FLOOR - 1)]
    line = f"x,x,2025-03-03,North,b,1,{kind}"
    shown = [0, 0]
    for side, more in enumerate(([], [line])):
        facts = read([*crowd(people), *few, *more], [])
        for seed in range(tries):
            rows = drawn(facts, [table], seed)[f"{table}.csv"]
            margin = [r for r in rows if r["exploitation"] == "Other" and r["gender"] == "_T"]
            shown[side] += any(row["value"] for row in margin)
    chance = 3 * (0.5 / tries) ** 0.5
    return Outcome(1.0, abs(shown[1] - shown[0]) / tries, chance)
