"""How a proof reads the rows of tiles."""

from __future__ import annotations

from casevault.store import tile_rows


def test_roots_are_read_from_the_index_alone(empty):
    """Not from rows, where each stands behind 8,192 bytes of hashes."""
    data, _ = empty
    if not data.is_sqlite:
        # PostgreSQL keeps such bytes in a table of their own, and reads what it thinks is less.
        return
    at = {"level": 1, "first": 0, "last": 151}
    statement = tile_rows._ROOTS._for(data.engine.dialect)
    with data.reading() as connection:
        assert tile_rows.tile_roots(connection, 1, 0, 151) == []
        cursor = connection.connection.cursor()
        cursor.execute("EXPLAIN QUERY PLAN " + statement.text, statement.parameters(at))
        plan = " ".join(row[-1] for row in cursor.fetchall())
    assert "COVERING INDEX ix_ledger_tile_root" in plan
    assert "TEMP B-TREE" not in plan
