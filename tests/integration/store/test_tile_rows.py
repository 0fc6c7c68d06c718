"""How a proof reads the rows of tiles."""

from __future__ import annotations

from casevault.ledger.tree import root_at, verify_inclusion
from casevault.store.log import tile_rows, tree
from tests.builders import an_act


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


def test_a_tile_that_is_not_full_is_not_looked_for(vault, monkeypatch):
    """Of a proof's questions to the database three would be in vain, one for each level's edge."""
    vault.stores.ledger.record(*(an_act(count=n) for n in range(5)))
    vault.integrate()
    looked = []
    monkeypatch.setattr(tile_rows, "full_tile", lambda *asked: looked.append(asked[1:]))
    with vault.stores.data.reading() as connection:
        proof = tree.inclusion(connection, 2, 4, log=0)
        root = root_at(4, tile_rows.reader(connection, 0, 4))
        (leaf,) = tile_rows.leaf_hashes(connection, 2, 2)
    assert looked == []
    verify_inclusion(leaf, 2, 4, proof, root)
