"""A release over a million made-up people: seconds and memory of `casevault release simulate`.

    python benchmarks/releases.py [PEOPLE]

Limits at a million: 30 s of processor time and 500 MB. Exit code 1 if they are exceeded. Then what
it takes to read the facts of a vault, a case: with its grant the first time, with the key that is
kept for counting afterwards. It has no limit here: a million cases take minutes, not seconds.
"""

from __future__ import annotations

import csv
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from casevault.disclosure.vault_facts import FactsIntake
from casevault.domain.staff.granting import PrincipalKind
from casevault.host import settle_memory
from casevault.services.casework.casework import Casework, NewCase
from casevault.store.context.caller import Gate
from casevault.store.counting.facts_reading import FactsReader
from casevault.store.keys import principals
from tests.builders import AVault, a_vault
from tests.conftest import Databases

SECONDS, MEGABYTES = 30, 500
_COLUMNS = "case_row pid accepted region branch statistics_consent gender age_band citizenships"
_COLUMNS += " exploitation controlled_by context"
_LISTS = {
    "region": ("North", "South", "East", "West", ""),
    "gender": ("Feminine", "Masculine", "NonConforming", "NonSpecifiedUnknown", ""),
    "age_band": ("under_18", "18_to_24", "25_to_34", "35_to_49", "50_and_over", ""),
    "citizenships": ("NG", "RO", "VN", "BR", "UA", "PH", "NG;IT", ""),
    "exploitation": ("ForcedLabour", "SexualExploitation", "Servitude", "ForcedMarriage", "Other"),
    "controlled_by": ("DebtBondage", "FalsePromises", "PhysicalThreats;DebtBondage", ""),
    "context": ("conflict", "climate", "", ""),
}
_SERVICES = ("safehouse", "health_medical", "psychosocial", "legal_assistance", "food")


def write(folder: Path, people: int) -> None:
    """Write facts and services of made-up people, the same for the same number."""
    draw = random.Random(people)  # noqa: S311 - made-up people, no secrets
    with (
        (folder / "facts.csv").open("w", newline="") as facts,
        (folder / "services.csv").open("w", newline="") as services,
    ):
        cases, given = csv.writer(facts), csv.writer(services)
        cases.writerow(_COLUMNS.split())
        given.writerow(["case_row", "service", "date", "outcome"])
        for number in range(people):
            day = date(2025, 1, 1) + timedelta(days=draw.randrange(365))
            cases.writerow(_case(draw, number, day))
            given.writerows(_services(draw, number, day))


def _case(draw: random.Random, number: int, day: date) -> list[str]:
    found = {name: draw.choice(values) for name, values in _LISTS.items()}
    first = [str(number), f"made-up-{draw.randrange(10**9):09d}", day.isoformat()]
    rest = [found[name] for name in _COLUMNS.split()[6:]]
    return [*first, found["region"], "", str(int(draw.random() < 0.97)), *rest]


def _services(draw: random.Random, number: int, day: date) -> Iterator[list[str]]:
    for _ in range(draw.choice((0, 1, 2, 2, 6))):
        on = day + timedelta(days=draw.randrange(60))
        outcome = draw.choice(("provided", "provided", "unavailable"))
        yield [str(number), draw.choice(_SERVICES), on.isoformat(), outcome]


def vault(cases: int) -> None:
    """Print what reading the facts of a vault takes, the first time and later."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        urls = (f"sqlite:///{folder / 'data.db'}", f"sqlite:///{folder / 'keyring.db'}")
        made = a_vault(Databases("sqlite", *urls), folder)
        made.enrolled("amal", frozenset({"caseworker"}), made.team)
        made.admit("amal")
        work, me = Casework(made.stores, Gate(made.stores, "passphrase")), made.caller("amal")
        history = [{"type": "Exploitation", "exploitation": ["ForcedLabour"]}]
        for first in range(0, cases, 50):
            some = [
                NewCase({"name_to_use": f"Made-up {first + n}", "age": 30}, {"history": history})
                for n in range(50)
            ]
            work.open_cases(me, some)
        # As `casevault release make` and the service's workers do.
        settle_memory()
        first, later = _read(made), _read(made)
        made.close()
    print(f"facts of a vault: {first * 1e6:.0f} us a case at the first count,", end=" ")
    print(f"{later * 1e6:.0f} us later (a million: {later * 1e6 / 60:.0f} minutes)")


def _read(made: AVault) -> float:
    """Return seconds of processor time a case."""
    stores = made.stores
    with stores.keyring.reading() as tx:
        reader = FactsReader(stores, *principals.in_use(tx, PrincipalKind.COUNTING))
    intake, begun, count = (
        FactsIntake((), bytes(32), stores.clock.now().date()),
        time.process_time(),
        0,
    )
    for one in reader.read():
        assert one.content is not None
        intake.take(one.content)
        count += 1
    return (time.process_time() - begun) / count


def main() -> int:
    """Measure one release in a process of its own."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, people)
        command = [sys.executable, "-m", "casevault", "release", "simulate"]
        command += [str(folder / "facts.csv"), "--services", str(folder / "services.csv")]
        command += ["--declared-size", str(people), "--out", str(folder / "out")]
        done = subprocess.run(command, capture_output=True, env=os.environ, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr.decode()
        files = len(list((folder / "out").glob("*.csv")))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(f"a release over {people:,} people, {files} tables: {seconds:.1f} s, {megabytes:.0f} MB")
    vault(2_000)
    return int(people <= 1_000_000 and (seconds > SECONDS or megabytes > MEGABYTES))


if __name__ == "__main__":
    sys.exit(main())
