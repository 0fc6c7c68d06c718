"""Runs every rule over the package in this tree: `python -m tests.checks`.

Findings go to stdout, one a line; the exit code is 1 when there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from casevault.ledger.codes import CODES
from tests.checks.rules import (
    RULES,
    check,
    folders_without_init,
    modules,
    recorded_codes,
    sealed_fields,
    short_functions,
    tests_say_what,
)

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = TESTS.parent / "casevault"


def main() -> int:
    """Check the tree; return the exit code."""
    tree = list(modules(PACKAGE))
    if not tree:
        print("no module found: nothing was checked", file=sys.stderr)
        return 1
    if not sealed_fields():
        print("no data dictionary yet: columns were not compared with it", file=sys.stderr)
    findings = [finding for path, source in tree for finding in check(path, source)]
    findings += folders_without_init(PACKAGE) + short_functions(tree) + tests_say_what(TESTS)
    findings += recorded_codes(tree, CODES)
    for finding in findings:
        print(finding)
    print(f"{len(tree)} modules, {len(RULES) + 4} rules, {len(findings)} findings", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
