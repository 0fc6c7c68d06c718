"""The rules of the watch on made-up months: recall per rule, alerts about ordinary work.

    python benchmarks/watch.py [--seeds N]

See tests/office.py for what is ordinary and what is put in. Figures here are counts, not times, so
they are the same on every machine.
"""

from __future__ import annotations

import argparse
from collections import Counter

from tests import office

EACH = 8


def measure(seeds: int) -> list[str]:
    """Return the figures over so many seeds as lines of a table."""
    measured = [office.months(seed, EACH) for seed in range(1, seeds + 1)]
    total = office.Measured(
        put_in=sum((one.put_in for one in measured), Counter()),
        found=sum((one.found for one in measured), Counter()),
        ordinary=sum((one.ordinary for one in measured), Counter()),
        accesses=sum(one.accesses for one in measured),
    )
    worst = max(one.per_thousand for one in measured)
    return [*office.lines(total), f"the worst of {seeds} offices: {worst:.2f}, goal 2"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    print("\n".join(measure(parser.parse_args().seeds)))


if __name__ == "__main__":
    main()
