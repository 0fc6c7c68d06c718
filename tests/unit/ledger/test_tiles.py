"""Tiles: the paths of C2SP tlog-tiles, and the same hashes as the tree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casevault.errors import Invalid, Tampered
from casevault.ledger.tiles import (
    TileName,
    Tiler,
    bundle_paths,
    encode_index,
    tile_paths,
    tile_reader,
)
from casevault.ledger.tree import Frontier, consistency_proof, inclusion_proof, root_at

from .reference import mth, path, some_hashes, subproof

HASHES = some_hashes(1100)


def tiles_of(count):
    tiler = Tiler()
    tiles = [tile for item in HASHES[:count] for tile in tiler.push(item)] + tiler.rest()
    return {(tile.name.level, tile.name.index): tile for tile in tiles}


@pytest.mark.parametrize(
    ("index", "text"),
    [(0, "000"), (67, "067"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")],
)
def test_an_index_is_written_in_groups_of_three(index, text):
    """The specification's own example and its neighbours."""
    assert encode_index(index) == text


def test_a_negative_index_has_no_path():
    """An index outside the tree is Invalid."""
    with pytest.raises(Invalid):
        encode_index(-1)


def test_seventy_thousand_leaves_have_the_tiles_of_the_specification():
    """273 full and a partial of 112, one full and a partial of 17, a partial of 1."""
    names = list(tile_paths(70_000))
    assert len(names) == 273 + 1 + 1 + 1 + 1
    assert [name.path for name in names[273:]] == [
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]


def test_a_tree_of_256_has_a_full_tile_and_its_root():
    """The specification's second example."""
    assert [name.path for name in tile_paths(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert [name.path for name in bundle_paths(257)] == [
        "tile/entries/000",
        "tile/entries/001.p/1",
    ]


def test_an_empty_tree_has_no_tiles():
    """Empty tiles are never written."""
    assert not list(tile_paths(0))
    assert not list(bundle_paths(0))


def test_a_tile_knows_its_first_entry():
    """Start index of a bundle and of an upper tile."""
    assert TileName(None, 3).start == 768
    assert TileName(1, 2).start == 2 * 65_536


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 511, 512, 1100])
def test_a_tiler_writes_exactly_the_named_tiles(count):
    """Names and widths agree with the list, and level 0 is the leaf hashes."""
    tiles = tiles_of(count)
    assert {tile.name for tile in tiles.values()} == set(tile_paths(count))
    level = b"".join(tile.data for key, tile in sorted(tiles.items()) if key[0] == 0)
    assert level == b"".join(HASHES[:count])


def test_an_upper_tile_holds_the_roots_of_full_tiles():
    """Partial tiles are not hashed into the level above."""
    assert tiles_of(600)[1, 0].data == mth(HASHES[:256]) + mth(HASHES[256:512])


TILES = tiles_of(len(HASHES))


def read_tile(level, index):
    return TILES[level, index].data


@settings(max_examples=40, deadline=None)
@given(st.integers(1, len(HASHES)), st.data())
def test_proofs_through_tiles_are_those_of_the_recursion(size, data):
    """A reader over tiles serves every size up to the one that was written."""
    other = data.draw(st.integers(1, size))
    reader = tile_reader(read_tile)
    assert list(inclusion_proof(other - 1, size, reader)) == path(other - 1, HASHES[:size])
    assert list(consistency_proof(other, size, reader)) == subproof(other, HASHES[:size])
    assert root_at(size, reader) == Frontier().extend(HASHES[:size]).root()


def test_a_proof_reads_each_tile_once():
    """The reader remembers the tiles of one proof."""
    seen = []

    def counted(level, index):
        seen.append((level, index))
        return read_tile(level, index)

    inclusion_proof(700, 1100, tile_reader(counted))
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33), bytes(32), bytes(32 * 257)])
def test_a_tile_of_the_wrong_length_is_tampered(data):
    """Too short, too long or cut inside a hash."""
    with pytest.raises(Tampered):
        tile_reader(lambda _level, _index: data)(0, 1)
