"""The reviewed list of plain columns: what a dump shows is decided here, not by accident."""

from __future__ import annotations

import json
from pathlib import Path

from casevault.store.keyring_tables import keyring
from casevault.store.tables import data

FILE = Path(__file__).parent / "columns.json"
# A piece is a part of a sealed stream.
SEALED = {"sealed", "piece"}


def plain_columns():
    """Return the plain columns of every table of both stores."""
    return {
        f"{name}.{table.name}": [c.name for c in table.columns if c.name not in SEALED]
        for name, metadata in (("data", data), ("keyring", keyring))
        for table in metadata.sorted_tables
    }


def test_plain_columns_are_the_reviewed_ones():
    """A new column needs a change of columns.json, and of the list in SECURITY.md."""
    assert plain_columns() == json.loads(FILE.read_text())


def test_a_new_column_would_be_found():
    """The comparison can fail."""
    reviewed = json.loads(FILE.read_text())
    reviewed["data.case_file"].remove("status")
    assert plain_columns() != reviewed
