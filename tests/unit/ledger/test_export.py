"""An export and its offline verifier: what was written verifies, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casevault.errors import Invalid, Tampered
from casevault.ledger.entry import encode_leaf
from casevault.ledger.export import (
    Retired,
    encode_bundle,
    encode_line,
    export_files,
    export_pieces,
    hash_of,
    parse_line,
)
from casevault.ledger.note import Checkpoint, sign_note
from casevault.ledger.tiles import bundle_paths, tile_paths
from casevault.ledger.tree import Frontier
from casevault.ledger.verify import Gap, verify_export, verify_extension

from .reference import (
    NAME,
    OTHER_PUBLIC,
    PRIVATE,
    PUBLIC,
    WRITER,
    a_leaf,
    a_note,
    some_leaves,
    verify,
)

SIZE = 300
LEAVES = some_leaves(SIZE)
FILES = dict(export_files(LEAVES, a_note(LEAVES)))


def write(folder, files):
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def check(folder, **options):
    return verify_export(folder, NAME, PUBLIC, verify, **options)


def checked(folder, leaves, **options):
    return check(write(folder, dict(export_files(leaves, a_note(leaves)))), **options)


def code_of(folder, **options):
    with pytest.raises(Tampered) as caught:
        check(folder, **options)
    return caught.value.code


def test_an_export_has_the_files_of_tlog_tiles():
    """Checkpoint, lines, tiles and bundles, each once, the checkpoint last."""
    names = {name.path for name in (*tile_paths(SIZE), *bundle_paths(SIZE))}
    assert set(FILES) == names | {"checkpoint", "entries.jsonl"}
    assert list(FILES)[-1] == "checkpoint"
    assert len(list(export_files(LEAVES, a_note(LEAVES)))) == len(FILES)


def test_bundle_and_line_bytes():
    """Two bytes of length, big endian; and one line of JSON."""
    assert encode_bundle([b"ab", b"c"]) == b"\x00\x02ab\x00\x01c"
    assert encode_line(3, b'{"v":1}') == b'{"i":3,"d":"{\\"v\\":1}"}\n'
    assert encode_line(4, Retired(bytes(32))) == b'{"i":4,"h":"' + b"A" * 43 + b'="}\n'


def test_a_leaf_longer_than_a_bundle_can_say_is_invalid():
    """uint16 is the limit of the format."""
    with pytest.raises(Invalid):
        encode_bundle([b"x" * 65_536])


def test_a_retired_hash_has_32_bytes():
    """Nothing else holds a leaf's place."""
    with pytest.raises(Invalid):
        Retired(b"short")


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600])
def test_a_good_export_verifies(tmp_path, size):
    """Origin, size and root come back, without gaps."""
    leaves = some_leaves(size)
    report = checked(tmp_path, leaves)
    assert (report.origin, report.size) == (NAME, size)
    assert report.root == Frontier().extend(map(hash_of, leaves)).root()
    assert (report.gaps, report.retired, report.unread, report.older) == ((), 0, 0, None)
    assert report.writers == (1 if size else 0)


def test_progress_is_told(tmp_path):
    """The callback sees every 256 entries and the end."""
    seen = []
    checked(tmp_path, LEAVES, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(256, 300), (300, 300)]


def test_a_note_for_another_tree_is_not_exported():
    """Neither another size nor another root."""
    for leaves in (LEAVES[:-1], LEAVES[::-1]):
        with pytest.raises(Tampered):
            next(export_files(leaves, a_note(LEAVES)))


@pytest.mark.parametrize("path", FILES)
def test_one_changed_byte_anywhere_is_found(tmp_path, path):
    """In every file: first and last byte, and 25 between them."""
    write(tmp_path, FILES)
    data, target = FILES[path], tmp_path / path
    for place in {*range(0, len(data), len(data) // 25 or 1), len(data) - 1}:
        flipped = bytes([data[place] ^ (1 << place % 8)])
        target.write_bytes(data[:place] + flipped + data[place + 1 :])
        assert code_of(tmp_path).startswith("ledger-")
    target.write_bytes(data)
    check(tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(FILES)), st.data())
def test_any_change_of_a_byte_is_found(tmp_path, path, data):
    """The same, with any place and any other value."""
    write(tmp_path, FILES)
    place = data.draw(st.integers(0, len(FILES[path]) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = bytearray(FILES[path])
    changed[place] ^= flip
    (tmp_path / path).write_bytes(changed)
    code_of(tmp_path)


@pytest.mark.parametrize("path", FILES)
def test_a_longer_shorter_or_missing_file_is_found(tmp_path, path):
    """Not a byte more, not a byte less, and not a folder."""
    write(tmp_path, FILES)
    target = tmp_path / path
    for data in (FILES[path] + b"\n", FILES[path][:-1], b""):
        target.write_bytes(data)
        code_of(tmp_path)
    target.unlink()
    if path != "entries.jsonl":  # whose content the bundles and tiles hold as well
        assert code_of(tmp_path) == "ledger-export-missing"
    target.mkdir()
    assert code_of(tmp_path) == "ledger-export-missing"


def test_the_index_of_the_bad_entry_is_named(tmp_path):
    """The error tells where, and holds none of the data."""
    lines = FILES["entries.jsonl"].splitlines(keepends=True)
    lines[270] = lines[270].replace(b"rest", b"auth")
    write(tmp_path, FILES | {"entries.jsonl": b"".join(lines)})
    with pytest.raises(Tampered) as caught:
        check(tmp_path)
    assert caught.value.errors[0].pointer == "/256"  # the bundle in which it stands
    assert "auth" not in str(caught.value)


def forge(leaves, claimed):
    """Export files of `leaves` under the signed head of `claimed`."""
    return dict(export_files(leaves, a_note(leaves))) | {"checkpoint": a_note(claimed)}


@pytest.mark.parametrize("change", ["swap", "remove", "insert", "edit"])
def test_a_whole_new_export_under_the_old_head_is_found(tmp_path, change):
    """Who rewrites all files consistently still lacks the signature."""
    leaves = list(LEAVES)
    if change == "swap":
        leaves[3], leaves[4] = leaves[4], leaves[3]
    if change == "remove":
        del leaves[3]
    if change == "insert":
        leaves.insert(3, encode_leaf(a_leaf(9999)))
    if change == "edit":
        leaves[3] = encode_leaf(a_leaf(3, outcome=4))
    write(tmp_path, forge(leaves, LEAVES))
    code_of(tmp_path)


def test_an_export_under_another_key_is_not_believed(tmp_path):
    """The verifier trusts one key."""
    write(tmp_path, FILES)
    with pytest.raises(Tampered):
        verify_export(tmp_path, NAME, OTHER_PUBLIC, verify)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 299, 300])
def test_an_older_checkpoint_is_extended(tmp_path, size):
    """Whoever kept an earlier head sees that history goes on."""
    write(tmp_path, FILES)
    assert check(tmp_path, older=a_note(LEAVES[:size])).older == size


@pytest.mark.parametrize("size", [1, 255, 256, 257, 300])
def test_a_fork_from_an_older_checkpoint_is_found(tmp_path, size):
    """An earlier head of another history does not fit."""
    write(tmp_path, FILES)
    other = [encode_leaf(a_leaf(i, outcome=8)) for i in range(size)]
    assert code_of(tmp_path, older=a_note(other)) == "ledger-fork"


def test_an_impossible_empty_older_checkpoint_is_found(tmp_path):
    """Size 0 has one root."""
    write(tmp_path, FILES)
    text = Checkpoint(NAME, 0, bytes(32)).encode()
    older = sign_note(text, NAME, PUBLIC, PRIVATE.sign)
    assert code_of(tmp_path, older=older) == "ledger-fork"


def test_a_rollback_is_found(tmp_path):
    """A log smaller than an earlier head."""
    write(tmp_path, FILES)
    assert code_of(tmp_path, older=a_note(some_leaves(301))) == "ledger-rollback"


def test_gaps_in_counters_are_reported_by_writer(tmp_path):
    """Missing numbers are named as ranges; order in the tree does not matter."""
    numbers = [("writer-b", 5), (WRITER, 3), ("writer-b", 1), (WRITER, 0), ("writer-b", 2)]
    leaves = [encode_leaf(a_leaf(s, writer=w)) for w, s in numbers]
    report = checked(tmp_path, leaves)
    assert report.gaps == (
        Gap("writer-000000001", 1, 2),
        Gap("writer-b", 0, 0),
        Gap("writer-b", 3, 4),
    )
    assert report.writers == 2


def test_a_counter_used_twice_is_tampered(tmp_path):
    """One number, two entries: one of them is a copy."""
    leaves = [encode_leaf(a_leaf(0)), encode_leaf(a_leaf(1)), encode_leaf(a_leaf(1, outcome=4))]
    write(tmp_path, dict(export_files(leaves, a_note(leaves))))
    with pytest.raises(Tampered) as caught:
        check(tmp_path)
    assert caught.value.code == "ledger-counter-repeated"
    assert caught.value.errors[0].pointer == "/2"


def test_an_entry_that_is_no_leaf_is_tampered(tmp_path):
    """Even a signed tree may hold leaves only."""
    leaves = [*LEAVES[:2], b'{"v":1}']
    write(tmp_path, dict(export_files(leaves, a_note(leaves))))
    with pytest.raises(Tampered) as caught:
        check(tmp_path)
    assert (caught.value.code, caught.value.errors[0].pointer) == ("ledger-leaf", "/2")


def retired(leaves, count):
    return [Retired(hash_of(leaf)) for leaf in leaves[:count]] + list(leaves[count:])


def test_retired_leaves_still_verify(tmp_path):
    """Content goes, the hash stays, the root is the same; the bundle is left out."""
    report = checked(tmp_path, retired(LEAVES, 256))
    assert report.retired == 256
    assert report.root == Frontier().extend(map(hash_of, LEAVES)).root()
    assert report.gaps == (Gap(WRITER, 0, 255),)
    assert not (tmp_path / "tile/entries/000").exists()


def test_a_bundle_beside_retired_lines_is_tampered(tmp_path):
    """Lines and bundle must tell the same about retirement."""
    files = dict(export_files(retired(LEAVES, 256), a_note(LEAVES)))
    write(tmp_path, files | {"tile/entries/000": FILES["tile/entries/000"]})
    assert code_of(tmp_path) == "ledger-export-bundle"


def test_a_false_retired_hash_is_found(tmp_path):
    """A hash that was never in the tree changes the root."""
    leaves = [Retired(bytes(32)), *retired(LEAVES, 256)[1:]]
    write(tmp_path, forge(leaves, LEAVES))
    assert code_of(tmp_path) == "ledger-export-root"


@pytest.mark.parametrize("holes", [(0,), (255,), (256,), (299,), tuple(range(255))])
def test_retirement_has_no_holes(tmp_path, holes):
    """Only whole bundles from the start: anything else that is gone was taken by somebody."""
    leaves = [Retired(hash_of(x)) if n in holes else x for n, x in enumerate(LEAVES)]
    write(tmp_path, dict(export_files(leaves, a_note(LEAVES))))
    assert code_of(tmp_path) == "ledger-retired"


def test_more_retired_leaves_than_were_named_are_found(tmp_path):
    """Whoever verifies says how many retention may have removed."""
    write(tmp_path, dict(export_files(retired(LEAVES, 256), a_note(LEAVES))))
    assert check(tmp_path, retired=256).retired == 256
    with pytest.raises(Tampered) as caught:
        check(tmp_path, retired=255)
    assert caught.value.code == "ledger-retired"


@pytest.mark.parametrize("gone", [0, 256])
def test_tiles_alone_verify(tmp_path, gone):
    """Without JSON lines the bundles and tiles hold everything."""
    files = dict(export_files(retired(LEAVES, gone), a_note(LEAVES)))
    del files["entries.jsonl"]
    write(tmp_path, files)
    report = check(tmp_path)
    assert (report.size, report.retired, report.unread) == (SIZE, gone, 0)


def test_one_changed_byte_of_the_tiles_alone_is_found(tmp_path):
    """Every file, its first, middle and last byte; longer, shorter, gone."""
    files = {name: data for name, data in FILES.items() if name != "entries.jsonl"}
    write(tmp_path, files)
    for name, data in files.items():
        changed = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in (0, -1)]
        middle = len(data) // 2
        changed.append(data[:middle] + bytes([data[middle] ^ 128]) + data[middle + 1 :])
        for other in (*changed, data[:-1], data + b"x", b""):
            (tmp_path / name).write_bytes(other)
            code_of(tmp_path, retired=0)
        (tmp_path / name).unlink()
        code_of(tmp_path, retired=0)
        (tmp_path / name).write_bytes(data)
    check(tmp_path)


@pytest.mark.parametrize("size", [0, 1, 256, 300])
def test_a_file_of_lines_alone_verifies(tmp_path, size):
    """The flat export and its checkpoint, without any tile."""
    leaves = LEAVES[:size]
    files = dict(export_files(leaves, a_note(leaves)))
    flat = tmp_path / "flat.jsonl"
    flat.write_bytes(files["entries.jsonl"])
    report = verify_export(flat, NAME, PUBLIC, verify, checkpoint=files["checkpoint"])
    assert (report.size, report.unread) == (size, 0)


def test_an_export_in_chunks_has_the_same_bytes():
    """However it was cut, as long as every chunk but the last is of whole tiles."""
    note, whole = a_note(LEAVES), {}
    for name, data in export_pieces([LEAVES[:256], LEAVES[256:]], note):
        whole[name] = whole.get(name, b"") + data
    assert whole == FILES
    with pytest.raises(Invalid):
        list(export_pieces([LEAVES[:100], LEAVES[100:]], note))


def test_files_that_belong_to_nothing_are_counted(tmp_path):
    """A stray file is not tampering, and not overlooked."""
    write(tmp_path, FILES | {"README": b"hello", "tile/0/000.p/7": b"old"})
    assert check(tmp_path).unread == 2


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]\n",
        b"{}\n",
        b"null\n",
        b'{"i":0}\n',
        b'{"i":0,"d":7}\n',
        b'{"i":0,"d":"\xc3\xa9"}\n',
        b'{"i":0,"d":"\\u00e9"}\n',
        b'{"i":0,"d":"x"}',
        b'{"i":1,"d":"x"}\n',
        b'{"i":0,"d":"x","h":null}\n',
        b'{"i":0,"h":7}\n',
        b'{"i":0,"h":"AAAA"}\n',
        b'{"i":0,"h":"?"}\n',
        b'{"i": 0,"d":"x"}\n',
        b"[" * 100_000,
    ],
)
def test_a_malformed_line_is_tampered(line):
    """Every malformed line is the same class of error, with its index."""
    with pytest.raises(Tampered) as caught:
        parse_line(0, line)
    assert caught.value.code == "ledger-export-line"


@pytest.mark.parametrize(("tiles", "lines"), [(True, False), (False, True), (False, False)])
def test_an_export_may_have_tiles_or_lines_alone(tmp_path, tiles, lines):
    """Each alone verifies; without either there is the checkpoint only."""
    pieces = export_pieces([LEAVES[:256], LEAVES[256:]], a_note(LEAVES), tiles=tiles, lines=lines)
    files = {}
    for path, data in pieces:
        files[path] = files.get(path, b"") + data
    assert ("entries.jsonl" in files) == lines
    assert any(path.startswith("tile/") for path in files) == tiles
    folder = write(tmp_path, files)
    if tiles:
        assert check(folder).size == SIZE
    elif lines:
        note = files["checkpoint"]
        assert check(folder / "entries.jsonl", checkpoint=note).size == SIZE
    else:
        assert set(files) == {"checkpoint"}


def test_an_empty_export_without_lines_is_a_checkpoint():
    """An empty file of lines is written only where lines are."""
    assert [path for path, _ in export_pieces([], a_note([]), lines=False)] == ["checkpoint"]


def grown(folder, older, newer=LEAVES):
    """Verify by tiles alone that the newer log extends the older."""
    write(folder, dict(export_files(newer, a_note(newer))))
    return verify_extension(folder, NAME, PUBLIC, verify, a_note(older))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, SIZE])
def test_tiles_alone_prove_that_a_log_has_grown(tmp_path, size):
    """Without reading an entry, from any older checkpoint, the same one too."""
    before, head = grown(tmp_path, LEAVES[:size])
    assert (before.size, head.size) == (size, SIZE)


@pytest.mark.parametrize("size", [40, SIZE])
def test_another_past_is_no_growth(tmp_path, size):
    """One entry was another: smaller or of the same size."""
    other = [encode_leaf(a_leaf(0, count=7)), *LEAVES[1:size]]
    with pytest.raises(Tampered):
        grown(tmp_path, other)


def test_a_log_that_shrank_is_found(tmp_path):
    """The older checkpoint is of more entries."""
    with pytest.raises(Tampered) as caught:
        grown(tmp_path, LEAVES, LEAVES[:40])
    assert caught.value.code == "ledger-rollback"


@pytest.mark.parametrize("name", list(tile_paths(SIZE)))
def test_a_changed_tile_proves_nothing(tmp_path, name):
    """The root of the tiles must be the signed one."""
    grown(tmp_path, LEAVES[:40])
    path = tmp_path / name.path
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(Tampered):
        verify_extension(tmp_path, NAME, PUBLIC, verify, a_note(LEAVES[:40]))
    path.unlink()
    with pytest.raises(Tampered):
        verify_extension(tmp_path, NAME, PUBLIC, verify, a_note(LEAVES[:40]))


def test_retired_bundles_are_read_from_their_tiles(tmp_path):
    """Without lines: the hashes are the tile's; a tile cut off is found."""
    leaves = [*(Retired(hash_of(one)) for one in LEAVES[:256]), *LEAVES[256:]]
    write(tmp_path, dict(export_files(leaves, a_note(LEAVES))))
    (tmp_path / "entries.jsonl").unlink()
    assert check(tmp_path).retired == 256
    tile = tmp_path / "tile/0/000"
    tile.write_bytes(tile.read_bytes()[:-1])
    assert code_of(tmp_path).startswith("ledger-export")
