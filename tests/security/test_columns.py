"""The reviewed list of plain columns: what a dump shows is decided here, not by accident."""

from __future__ import annotations

import json

from tests.security.columns import FILE, plain_columns


def test_plain_columns_are_the_reviewed_ones():
    """A new column needs a change of columns.json, and of the list in SECURITY.md."""
    assert plain_columns() == json.loads(FILE.read_text())


def test_a_new_column_would_be_found():
    """The comparison can fail."""
    reviewed = json.loads(FILE.read_text())
    reviewed["data.case_file"].remove("status")
    assert plain_columns() != reviewed
