"""Files for another medium: whole, for one principal, behind exactly their header."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from casevault.crypto import canonical, sealed_files
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealed_files import FileHeader
from casevault.errors import Tampered
from casevault.ids import new_id

SECRET = PrincipalSecret.generate()
CONTENT = [b"first " * 20_000, b"", b"second"]


def a_header(**changes):
    """Return the header of a file for SECRET."""
    header = FileHeader(
        "capsule", new_id(), new_id(), 7, 1_764_000_000, new_id(), SECRET.public.key_id, (3, "x")
    )
    return replace(header, **changes)


def a_file(header):
    """Return the bytes of a file, and what its writer keeps."""
    out = io.BytesIO()
    written = sealed_files.write(out, header, SECRET.public, CONTENT)
    return out.getvalue(), written


def test_a_file_opens_for_its_recipient_alone():
    """With its header; another principal, and a writer who names another, get nothing."""
    data, written = a_file(a_header())
    header, content = sealed_files.opened(io.BytesIO(data), SECRET)
    assert b"".join(content) == b"".join(CONTENT)
    assert header == written.header == sealed_files.read_header(io.BytesIO(data))
    with pytest.raises(Tampered):
        list(sealed_files.opened(io.BytesIO(data), PrincipalSecret.generate())[1])
    with pytest.raises(ValueError, match="another recipient"):
        a_file(a_header(recipient=bytes(16)))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "keyring-backup"},
        {"generation": 8},
        {"made_at": 1_764_000_001},
        {"about": (4, "x")},
        {"id": new_id()},
        {"keyring_id": new_id()},
    ],
)
def test_another_header_does_not_open(change):
    """What a file says of itself cannot be changed: an older one is not made newer."""
    data, written = a_file(a_header())
    before, after = (h.encode() for h in (written.header, replace(written.header, **change)))
    start = len(sealed_files.MAGIC)
    stream = data[start + 4 + len(before) :]
    changed = data[:start] + len(after).to_bytes(4, "big") + after + stream
    header, content = sealed_files.opened(io.BytesIO(changed), SECRET)
    assert header == replace(written.header, **change)
    with pytest.raises(Tampered):
        list(content)


def test_every_changed_or_missing_byte_is_found():
    """When it is opened, and when it is read back."""
    data, written = a_file(a_header())
    sealed_files.check(io.BytesIO(data), written)
    places = [0, 9, 13, 40, 200, 1400, len(data) // 2, len(data) - 1]
    spoilt = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in places]
    for bad in [*spoilt, data[:-1], data[:100], data + b"x", b""]:
        with pytest.raises(Tampered):
            sealed_files.check(io.BytesIO(bad), written)
        with pytest.raises(Tampered):
            list(sealed_files.opened(io.BytesIO(bad), SECRET)[1])


def test_a_header_of_another_kind_of_bytes_is_refused():
    """What does not say that it is one of our files is none."""
    said = canonical.decode(a_header().encode())
    with pytest.raises(Tampered):
        FileHeader.decode(canonical.encode("another/1/file", *said[1:]))
