"""The tree against RFC 6962 itself: published vectors and a naive recursion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.errors import Invalid, Tampered
from casevault.ledger.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)

from .reference import mth, path, reader_of, sha, some_hashes, subproof

HASHES = some_hashes(140)
ROOTS = [mth(HASHES[:n]) for n in range(len(HASHES) + 1)]
READ = reader_of(HASHES)

# The inputs and roots that Certificate Transparency's own tests use.
CT_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

sizes = st.integers(1, len(HASHES))


def test_the_empty_root_is_the_hash_of_nothing():
    """RFC 6962: MTH({}) = SHA-256()."""
    known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert EMPTY_ROOT.hex() == known
    assert Frontier().root() == root_at(0, READ) == EMPTY_ROOT


@pytest.mark.parametrize("count", range(1, 9))
def test_the_known_vectors_of_certificate_transparency(count):
    """The eight classic leaves give the eight classic roots."""
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in CT_LEAVES[:count]]
    assert Frontier().extend(hashes).root().hex() == CT_ROOTS[count - 1]


def test_leaf_and_node_hashes_are_told_apart():
    """The prefixes 0x00 and 0x01 stand where the RFC puts them."""
    assert leaf_hash(b"x") == sha(b"\x00x")
    assert node_hash(b"l", b"r") == sha(b"\x01lr")


@given(st.integers(0, len(HASHES)), st.integers(0, len(HASHES)))
def test_a_frontier_gives_the_root_of_the_recursion(first, second):
    """However it was grown, the frontier has the root of the definition."""
    low, high = sorted((first, second))
    grown = Frontier().extend(HASHES[:low]).extend(HASHES[low:high])
    assert grown.root() == ROOTS[high] == root_at(high, READ)
    assert Frontier.decode(grown.encode()) == grown


def test_append_is_extend_by_one():
    """One leaf at a time comes to the same."""
    grown = Frontier()
    for item in HASHES[:20]:
        grown = grown.append(item)
    assert grown == Frontier().extend(HASHES[:20])


def test_a_frontier_takes_hashes_only():
    """A leaf hash has 32 bytes."""
    with pytest.raises(Invalid):
        Frontier().append(b"short")


@pytest.mark.parametrize(
    ("size", "hashes"), [(1, ()), (-1, ()), (2**63, (bytes(32),)), (1, (b"short",))]
)
def test_a_frontier_that_does_not_fit_its_size_is_invalid(size, hashes):
    """One hash per set bit of the size."""
    with pytest.raises(Invalid):
        Frontier(size, hashes)


@pytest.mark.parametrize(
    "data",
    [b"", bytes(7), bytes(9), bytes(8) + bytes(32), b"\xff" * 8, (1).to_bytes(8, "big")],
)
def test_a_stored_frontier_is_read_strictly(data):
    """Wrong length or size of a stored frontier is Tampered."""
    with pytest.raises(Tampered):
        Frontier.decode(data)


@given(sizes, st.data())
def test_inclusion_proofs_are_those_of_the_recursion(size, data):
    """Every leaf of every size has the proof of section 2.1.1, and it verifies."""
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, READ)
    assert list(proof) == path(index, HASHES[:size])
    verify_inclusion(HASHES[index], index, size, proof, ROOTS[size])


@given(sizes, st.data())
def test_consistency_proofs_are_those_of_the_recursion(new, data):
    """Every pair of sizes has the proof of section 2.1.2, and it verifies."""
    old = data.draw(st.integers(0, new))
    proof = consistency_proof(old, new, READ)
    assert list(proof) == (subproof(old, HASHES[:new]) if old else [])
    verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)


def test_all_small_proofs_verify():
    """Exhaustive up to 17 leaves, so that no shape is left to chance."""
    for new in range(1, 18):
        for old in range(new + 1):
            proof = consistency_proof(old, new, READ)
            verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)
        for index in range(new):
            proof = inclusion_proof(index, new, READ)
            assert list(proof) == path(index, HASHES[:new])
            verify_inclusion(HASHES[index], index, new, proof, ROOTS[new])


def broken(proof: tuple[bytes, ...], data: st.DataObject) -> tuple[bytes, ...]:
    """Change one bit, or the length, of a proof."""
    kind = data.draw(st.sampled_from(["longer", "shorter", "flip"])) if proof else "longer"
    place = data.draw(st.integers(0, max(len(proof) - 1, 0)))
    if kind == "longer":
        return (*proof[:place], bytes(32), *proof[place:])
    if kind == "shorter":
        return proof[:place] + proof[place + 1 :]
    flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
    return (*proof[:place], flipped, *proof[place + 1 :])


@given(sizes, st.data())
def test_a_broken_inclusion_proof_is_tampered(size, data):
    """Any change to proof, leaf or root is found."""
    index = data.draw(st.integers(0, size - 1))
    good = inclusion_proof(index, size, READ)
    leaf, root = HASHES[index], ROOTS[size]
    for item, proof, head in [
        (leaf, broken(good, data), root),
        (sha(b"other"), good, root),
        (leaf, good, sha(b"other")),
        (leaf[1:], good, root),
        (leaf, (b"short",), root),
        (leaf, (root,) * 127, root),
    ]:
        with pytest.raises(Tampered):
            verify_inclusion(item, index, size, proof, head)


def inclusion_holds(leaf, index, size, proof, root):
    try:
        verify_inclusion(leaf, index, size, proof, root)
    except Tampered:
        return False
    return True


def consistency_holds(old, new, first, second, proof):
    try:
        verify_consistency(old, new, first, second, proof)
    except Tampered:
        return False
    return True


@given(sizes, st.data())
def test_what_the_public_vectors_try_on_inclusion(size, data):
    """Another index or size, a root for the leaf, a proof reversed, doubled, cut, led or followed.

    These are the kinds of wrong that transparency-dev's vectors hold.
    """
    index = data.draw(st.integers(0, size - 1))
    good = inclusion_proof(index, size, READ)
    leaf, root = HASHES[index], ROOTS[size]
    assert inclusion_holds(leaf, index, size, good, root)
    for other in {index - 1, index + 1, index ^ 2, size, size * 2, index + size} - {index}:
        assert not inclusion_holds(leaf, other, size, good, root)
    # The same path may fit a tree of another size; that tree has another root.
    for other in {size - 1, size + 1, size * 2, size // 2, index, 0} - {size}:
        if 0 < other < len(ROOTS):
            assert not inclusion_holds(leaf, index, other, good, ROOTS[other])
    assert not inclusion_holds(root if size > 1 else sha(b"x"), index, size, good, root)
    assert not inclusion_holds(leaf, index, size, good, leaf if size > 1 else sha(b"x"))
    wrong = [
        (root, *good),
        (*good, root),
        (*good, leaf),
        (leaf, *good),
        good * 2 if good else (leaf,),
    ]
    if good:
        wrong += [good[1:], good[:-1], ()]
    if good != good[::-1]:
        wrong.append(good[::-1])
    for proof in wrong:
        assert not inclusion_holds(leaf, index, size, tuple(proof), root)


@given(sizes, st.data())
def test_what_the_public_vectors_try_on_consistency(new, data):
    """The same kinds of wrong: sizes exchanged or shifted, roots exchanged, proofs bent."""
    old = data.draw(st.integers(1, new))
    good = consistency_proof(old, new, READ)
    first, second = ROOTS[old], ROOTS[new]
    assert consistency_holds(old, new, first, second, good)
    if old != new:
        assert not consistency_holds(new, old, second, first, good)
        assert not consistency_holds(old, new, second, first, good)
        assert not consistency_holds(old, new, first, first, good)
        assert not consistency_holds(old, new, first, second, ())
        for other in {old - 1, old + 1} - {new, 0}:
            assert not consistency_holds(other, new, first, second, good)
    wrong = [(first, *good), (*good, second), (*good, first), (second, *good)]
    if good:
        wrong += [good[1:], good[:-1], good * 2]
    if good != good[::-1]:
        wrong.append(good[::-1])
    for proof in wrong:
        assert not consistency_holds(old, new, first, second, tuple(proof))


@given(sizes, st.data())
def test_a_broken_consistency_proof_is_tampered(new, data):
    """Any change to proof or roots is found."""
    old = data.draw(st.integers(0, new))
    good = consistency_proof(old, new, READ)
    first, second = ROOTS[old], ROOTS[new]
    cases = [(first, second, broken(good, data)), (sha(b"other"), second, good)]
    if old:  # nothing binds an empty tree to any later root
        cases.append((first, sha(b"other"), good))
    for before, after, proof in cases:
        with pytest.raises(Tampered):
            verify_consistency(old, new, before, after, proof)


@pytest.mark.parametrize(
    ("old", "new", "first", "second"),
    [
        (3, 2, ROOTS[3], ROOTS[2]),
        (-1, 2, ROOTS[1], ROOTS[2]),
        (1, 2**63, ROOTS[1], ROOTS[2]),
        (0, 0, EMPTY_ROOT, ROOTS[1]),
        (0, 0, ROOTS[1], ROOTS[1]),
        (3, 5, ROOTS[3], ROOTS[5]),
        (1, 2, b"short", ROOTS[2]),
    ],
)
def test_impossible_heads_are_inconsistent(old, new, first, second):
    """Sizes that shrink, roots that cannot be, proofs that are not there."""
    with pytest.raises(Tampered):
        verify_consistency(old, new, first, second, ())


@pytest.mark.parametrize(("index", "size"), [(1, 1), (-1, 1), (0, 0), (0, 2**63)])
def test_an_index_outside_the_tree(index, size):
    """Building is Invalid, checking is Tampered."""
    with pytest.raises(Invalid):
        inclusion_proof(index, size, READ)
    with pytest.raises(Tampered):
        verify_inclusion(HASHES[0], index, size, (), ROOTS[1])


@pytest.mark.parametrize(("old", "new"), [(-1, 1), (2, 1), (1, 2**63)])
def test_a_consistency_proof_needs_sizes_in_order(old, new):
    """Sizes out of order are Invalid."""
    with pytest.raises(Invalid):
        consistency_proof(old, new, READ)


def test_a_reader_that_gives_rubbish_is_found():
    """A stored hash of the wrong length never enters a proof."""
    with pytest.raises(Tampered):
        inclusion_proof(0, 2, lambda _level, _index: b"short")


def test_a_proof_reads_little():
    """Ten million entries: fewer than 24 + 24 hashes are read for the worst index."""
    seen = []

    def read(level, index):
        seen.append((level, index))
        return bytes(32)

    assert len(inclusion_proof(9_999_999, 10_000_000, read)) <= 24
    assert len(seen) <= 48
