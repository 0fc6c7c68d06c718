"""Whoever uses the service key says how it is rotated: a new user is found here."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2] / "casevault"
_USE = re.compile(r"roots\.service\(|stamps\.stamp\(|map\(roots\.service")

# File → what becomes of it when the service key gets a new version.
ROTATED = {
    "api/deps.py": "the pseudonym of a line of the program's own log; nothing is kept",
    "store/search/answers.py": "how often one question was asked on one day; counts begin again",
    "store/audit/audit_records.py": "a finding of the day of the rotation may be kept twice",
    "store/search/cards.py": "counted; a card moves at its next change or when cards are rebuilt",
    "store/case/cases.py": "counted and moved by `versions.move_service_key`",
    "store/recovery/data_backups.py": "stamps of backups; older keys stay while they are promised",
    "store/staff/failures.py": "kept for two minutes; two entries instead of one at worst",
    "store/staff/guesses.py": "counts of one day begin again, in other slots",
    "store/engine/idempotency.py": "kept for a day, looked for under every version",
    "store/case/import_lines.py": "its derived keys are kept (`versions.LASTING`)",
    "store/log/ledger.py": "its derived key is kept (`versions.LASTING`)",
    "store/keys/people.py": "counted and moved by `versions.move_service_key`",
    "store/counting/register.py": "counted and moved by `versions.move_service_key`",
    "store/log/retention_marks.py": "counted and moved by `versions.move_service_key`",
    "store/recovery/versions.py": "counts and moves",
}


def users(root=ROOT):
    """Return the modules that use the service key, but for the key's own."""
    return {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if _USE.search(path.read_text())
        and not str(path.relative_to(root)).startswith("crypto/roots/")
        and path.name != "stamps.py"
    }


def test_every_user_of_the_service_key_says_how_it_is_rotated():
    """Add a line above, and count or move it in `store.recovery.versions` if it is kept."""
    assert users() == set(ROTATED)


def test_a_new_user_is_found(tmp_path):
    """The check can fail."""
    (tmp_path / "new.py").write_text("key = stores.roots.service()\n")
    assert users(tmp_path) == {"new.py"}
