"""A vault of made-up people, as `casevault init` sets it up with somebody at the terminal.

Prints the two lines that the configuration needs afterwards. Runs as the vault's own account.
"""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

from casevault import founding
from casevault.cli.demo.world import FIRST
from casevault.config import load_settings
from casevault.services.recovery.ceremony import FirstPerson, Plan

if __name__ == "__main__":
    organisation = uuid4()
    people = tuple(
        FirstPerson(name, login, frozenset({role}), team, f"made up words of {login} alone")
        for login, name, role, team in FIRST
    )
    settings = load_settings(Path(sys.argv[1]), {})
    made = founding.hold_ceremony(settings, organisation, Plan(people))
    sys.stdout.write(f'organisation_id = "{organisation}"\nroot_fingerprint = "{made.root_pin}"\n')
