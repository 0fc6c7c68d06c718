"""Sealed streams: all of it, in its place and order, or a fault; in pieces of any size."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from casevault.crypto.principals import PrincipalSecret, wrap
from casevault.crypto.sealing import HEADER_BYTES, Key, Place, seal, unseal
from casevault.crypto.streams import (
    CHUNK_BYTES,
    HEADER_TO_BYTES,
    TAG_BYTES,
    _info,
    bucketed,
    open_stream,
    open_stream_from,
    recipient,
    seal_stream,
    seal_stream_to,
    stream_header,
    unpadded,
)
from casevault.errors import Tampered

FOLDER = Path(__file__).parents[2] / "vectors"
VECTORS = json.loads((FOLDER / "streams.json").read_text())
KEY = Key(bytes(range(32)), 3)
PLACE = Place(UUID(int=1), "file", UUID(int=2), UUID(int=3), "narrative")
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES
LONG = bytes(range(256)) * 3 * 256  # three chunks exactly

contents = st.builds(
    lambda piece, times: piece * times, st.binary(max_size=9), st.sampled_from([1, 30, 40_000])
)


class Dripping:
    """A source that gives a few bytes at a time, as a pipe may."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, size, /):
        return self._file.read(min(size, 1000))


def sealed(content, bucket=bucketed, revision=7):
    return b"".join(seal_stream(KEY, PLACE, [content], revision, bucket))


def opened(data, key=KEY, place=PLACE, revision=None):
    return b"".join(open_stream(key, place, io.BytesIO(data), revision))


def assert_tampered(act):
    with pytest.raises(Tampered) as caught:
        act()
    assert (caught.value.detail, caught.value.hint, caught.value.__cause__) == ("", "", None)


@given(contents, st.sampled_from([bucketed, unpadded]), st.integers(1, 99))
@example(b"", unpadded, 1)
@example(b"\x80", unpadded, 1)
@example(b"\x80" + bytes(CHUNK_BYTES), unpadded, 1)
@example(bytes(2 * CHUNK_BYTES), unpadded, 1)
@example(bytes(CHUNK_BYTES - 1) + b"\x80", unpadded, 1)
def test_what_was_sealed_comes_back(content, bucket, revision):
    """Whatever it ends with, and however its size lies to the chunks."""
    data = sealed(content, bucket, revision)
    assert opened(data) == content
    assert opened(data, revision=revision) == content
    assert stream_header(data[:HEADER_BYTES]).revision == revision


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(0, 2 * CHUNK_BYTES))
def test_how_it_was_cut_does_not_matter(pieces, size):
    """Pieces of any size, empty ones too, and a source that gives little at a time."""
    found = [bytes(size), *pieces]
    data = b"".join(seal_stream(KEY, PLACE, iter(found)))
    assert b"".join(open_stream(KEY, PLACE, Dripping(data))) == b"".join(found)


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, 100_000])
def test_sizes_are_padded(size):
    """To a power of two, the mark counted; without padding only the mark is added."""
    for bucket, padded in ((bucketed, max(256, 1 << size.bit_length())), (unpadded, size + 1)):
        chunks = -(-padded // CHUNK_BYTES)
        assert len(sealed(bytes(size), bucket)) == HEADER_BYTES + padded + chunks * TAG_BYTES


def test_streams_of_one_content_share_nothing():
    """Not even their chunks do, although two of them are equal."""
    content = bytes(2 * CHUNK_BYTES)
    data = sealed(content) + sealed(content)
    blocks = {data[at : at + 32] for at in range(0, len(data) - 32, 32)}
    assert len(blocks) == len(range(0, len(data) - 32, 32))


@pytest.mark.parametrize(
    "place",
    [
        replace(PLACE, organisation=uuid4()),
        replace(PLACE, kind="document"),
        replace(PLACE, row=uuid4()),
        replace(PLACE, case=None),
        replace(PLACE, compartment="identity"),
    ],
)
def test_it_opens_in_its_place_only(place):
    """Every part of the place is bound to every chunk."""
    assert_tampered(lambda: opened(sealed(b"made up"), place=place))
    secret = PrincipalSecret.generate()
    data = b"".join(seal_stream_to(secret.public, PLACE, [b"made up"]))
    assert_tampered(lambda: list(open_stream_from(secret, place, io.BytesIO(data))))


def test_it_opens_with_its_key_and_revision_only():
    """A key by another version, another key, another revision."""
    data = sealed(b"made up")
    for key in (Key(KEY.material, 4), Key(bytes(32), 3)):
        assert_tampered(lambda key=key: opened(data, key=key))
    assert_tampered(lambda: opened(data, revision=8))


@pytest.mark.parametrize("content", [b"", b"made up", LONG[: CHUNK_BYTES + 9]], ids=len)
def test_every_cut_is_found(content):
    """At every length (of a long one, near the ends of header and chunks)."""
    data = sealed(content, unpadded)
    edges = (0, HEADER_BYTES, HEADER_BYTES + SEALED_CHUNK, len(data))
    cuts = range(len(data)) if len(data) < 600 else {e + n for e in edges for n in range(-40, 40)}
    for cut in cuts:
        if 0 <= cut < len(data):
            assert_tampered(lambda cut=cut: opened(data[:cut]))


def test_every_changed_byte_is_found():
    """In the header, in every chunk, in every tag."""
    data = sealed(LONG[: CHUNK_BYTES + 200], unpadded)
    places = [*range(HEADER_BYTES + 20), *range(HEADER_BYTES + 20, len(data), 997), len(data) - 1]
    for at in places:
        changed = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        assert_tampered(lambda changed=changed: opened(changed))


def test_chunks_cannot_be_moved_repeated_dropped_or_added():
    """Each has its number and whether it is the last."""
    data = sealed(LONG, unpadded)
    head, body = data[:HEADER_BYTES], data[HEADER_BYTES:]
    one, two, *rest = [body[at : at + SEALED_CHUNK] for at in range(0, len(body), SEALED_CHUNK)]
    for chunks in (
        [two, one, *rest],
        [one, one, two, *rest],
        [two, *rest],
        [one, *rest],
        [one, two],
        [one, two, *rest, rest[-1]],
        [one, two, *rest, b"\0"],
        [],
    ):
        assert_tampered(lambda chunks=chunks: opened(head + b"".join(chunks)))
    other = sealed(LONG, unpadded)[HEADER_BYTES:]
    assert_tampered(lambda: opened(head + one + other[SEALED_CHUNK:]))


def test_nothing_unauthenticated_is_given():
    """What came before the fault was in its place; of the faulty chunk nothing leaves."""
    data = bytearray(sealed(LONG, unpadded))
    data[HEADER_BYTES + SEALED_CHUNK + 5] ^= 1
    found = []
    with pytest.raises(Tampered):
        found.extend(open_stream(KEY, PLACE, io.BytesIO(bytes(data))))
    given = b"".join(found)
    assert given == LONG[: len(given)]
    assert len(given) <= CHUNK_BYTES


def test_a_sealed_object_is_no_stream_and_a_stream_no_object():
    """The format byte tells, and so do the derived keys."""
    assert_tampered(lambda: opened(seal(KEY, PLACE, b"made up", 7)))
    assert_tampered(lambda: unseal(KEY, PLACE, sealed(b"made up")))
    data = seal(KEY, PLACE, b"made up", 7)
    assert_tampered(lambda: opened(data[:2] + b"\x02" + data[3:]))


def test_a_writer_that_pads_without_a_mark_is_refused():
    """The content of a stream ends with its mark."""
    for tail in (b"", b"\0\0", b"x"):
        data = b"".join(seal_stream(KEY, PLACE, [b"made up"], 7, unpadded))
        plain = b"made up" + tail
        assert opened(data) == b"made up"
        assert_tampered(lambda plain=plain: opened(unmarked(plain)))


def unmarked(plain):
    """Return a stream whose last chunk was sealed without a mark."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("casevault.crypto.streams._padded", lambda content, _: content)
        return b"".join(seal_stream(KEY, PLACE, [plain], 7))


def test_it_opens_for_its_recipient_only():
    """To a principal: by name, and by what is wrapped in front."""
    mine, other = PrincipalSecret.generate(), PrincipalSecret.generate()
    data = b"".join(seal_stream_to(mine.public, PLACE, [LONG]))
    assert b"".join(open_stream_from(mine, PLACE, io.BytesIO(data))) == LONG
    assert recipient(data[:HEADER_TO_BYTES]) == mine.public.key_id
    assert_tampered(lambda: list(open_stream_from(other, PLACE, io.BytesIO(data))))
    renamed = data[:4] + other.public.key_id + data[20:]
    assert_tampered(lambda: list(open_stream_from(other, PLACE, io.BytesIO(renamed))))
    for cut in (0, 4, 20, 100, HEADER_TO_BYTES, HEADER_TO_BYTES + HEADER_BYTES, len(data) - 1):
        short = io.BytesIO(data[:cut])
        assert_tampered(lambda short=short: list(open_stream_from(mine, PLACE, short)))
    for at in (0, 2, 3, 5, 30, 1100, HEADER_TO_BYTES, len(data) - 1):
        changed = io.BytesIO(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert_tampered(lambda changed=changed: list(open_stream_from(mine, PLACE, changed)))


def test_a_long_stream_needs_little_memory():
    """Whatever it holds, even if all of it could be padding."""

    class Zeros:
        """Ends after 16 MiB."""

        left = 16 << 20

        def __iter__(self):
            for _ in range(16):
                yield bytes(1 << 20)

    class Joined:
        """Reads what is being sealed."""

        def __init__(self, pieces):
            self._pieces, self._rest = pieces, b""

        def read(self, size, /):
            self._rest = self._rest or next(self._pieces, b"")
            found, self._rest = self._rest[:size], self._rest[size:]
            return found

    tracemalloc.start()
    source = Joined(seal_stream(KEY, PLACE, Zeros(), bucket=unpadded))
    count = sum(len(piece) for piece in open_stream(KEY, PLACE, source))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 16 << 20
    assert most < 4 << 20


@pytest.mark.parametrize("vector", VECTORS["streams"])
def test_stream_vectors_open(vector):
    """What was written down stays readable."""
    key = Key(bytes.fromhex(vector["key"]), vector["version"])
    content = bytes.fromhex(vector["piece"]) * vector["times"]
    data = base64.b64decode(vector["sealed"])
    assert opened(data, key, _place(), vector["revision"]) == content


def test_the_vector_to_a_principal_opens():
    """The recipient's seed is in the file."""
    vector = VECTORS["to"]
    secret = PrincipalSecret(bytes.fromhex(vector["seed"]))
    source = io.BytesIO(base64.b64decode(vector["sealed"]))
    found = b"".join(open_stream_from(secret, _place(), source))
    assert found == bytes.fromhex(vector["piece"])


def _place():
    found = VECTORS["place"]
    at = (UUID(found[name]) for name in ("organisation", "row", "case"))
    organisation, row, case = at
    return Place(organisation, found["kind"], row, case, found["compartment"])


def verified(path, folder):
    command = [sys.executable, "-I", str(FOLDER / "verify_streams.py"), str(path)]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def test_the_verifier_reads_the_vectors_and_finds_a_changed_one(tmp_path):
    """Without our package in reach; it can fail."""
    assert "casevault" not in (FOLDER / "verify_streams.py").read_text().split('"""', 2)[2].replace(
        "casevault/1/", ""
    )
    assert verified(FOLDER / "streams.json", tmp_path) == 0
    for name in ("streams", "to"):
        changed = json.loads(json.dumps(VECTORS))
        target = changed[name][1] if name == "streams" else changed[name]
        target["piece"] = "ff"
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(changed))
        assert verified(path, tmp_path) == 1


def test_a_stream_whose_key_has_another_length_is_refused():
    """Anybody who knows the public key can wrap anything: only 32 bytes are a key."""
    secret = PrincipalSecret(bytes(range(64)))
    whole = b"".join(seal_stream_to(secret.public, PLACE, [b"content"]))
    rest = whole[HEADER_TO_BYTES:]
    short = wrap(secret.public, bytes(31), _info(PLACE, secret.public.key_id))
    with pytest.raises(Tampered):
        list(open_stream_from(secret, PLACE, io.BytesIO(whole[:20] + short + rest)))
