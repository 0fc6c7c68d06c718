"""Packages: for one recipient, whole or not at all, and nothing that nobody signed."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from casevault.crypto import age_packages, canonical, key_files, packages, streams
from casevault.crypto.credentials import SMALL, Envelope
from casevault.crypto.packages import Statement, open_package, seal_package
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Place, seal
from casevault.domain.sharing import packing
from casevault.domain.sharing.packing import Listed, PackageKind, PackedFile
from casevault.errors import Invalid, Refused, Tampered

FOLDER = Path(__file__).parents[2] / "vectors"
VECTORS = json.loads((FOLDER / "packages.json").read_text())
SENDER, RECIPIENT, OTHER = (PrincipalSecret(bytes([n]) * 64) for n in (1, 2, 3))
FILES = (
    PackedFile("referral.html", b"<p>Made up</p>"),
    PackedFile("referral.json", b"{}"),
    PackedFile("رسالة.pdf", b"%PDF- made up"),
)


def a_statement(held=FILES, **other) -> Statement:
    """Return a statement from SENDER to RECIPIENT."""
    usual = Statement(
        id=uuid4(),
        kind=PackageKind.REFERRAL,
        sender="Made-Up House",
        made_at=1_790_000_000,
        expires_at=None,
        recipient=RECIPIENT.public.key_id,
        signer=SENDER.public,
        files=tuple(one.listed for one in held),
    )
    return replace(usual, **other)


def sealed(files=FILES, signer=SENDER, to=RECIPIENT, **other) -> bytes:
    """Return a package."""
    named = {"signer": None if signer is None else signer.public, "recipient": to.public.key_id}
    statement = a_statement(files, **(named | other))
    return b"".join(seal_package(statement, signer, to.public, files))


def by_hand(statement, content, signer=SENDER) -> bytes:
    """Return a package as somebody makes it who keeps to no rule but the format's."""
    head = packages.signed(statement, signer)
    parts = [len(head).to_bytes(4, "big"), head, *content]
    place = Place(UUID(int=0), "package", statement.id)
    stream = streams.seal_stream_to(RECIPIENT.public, place, parts)
    return packages.MAGIC + statement.id.bytes + b"".join(stream)


def opened(data: bytes, secret=RECIPIENT):
    """Open a package."""
    return open_package(io.BytesIO(data), secret)


@pytest.mark.parametrize("signer", [SENDER, None], ids=["signed", "unsigned"])
def test_the_recipient_gets_what_was_sent_and_from_whom(signer):
    """Names, contents, order, and whose signature it bears."""
    found = opened(sealed(signer=signer))
    assert found.files == FILES
    assert found.statement.signer == (None if signer is None else signer.public)
    assert found.statement.sender == "Made-Up House"
    assert "Made up" not in repr(found)


def test_nobody_else_opens_it():
    """Not even who sealed it; the sentence says why."""
    with pytest.raises(Refused, match="another key"):
        opened(sealed(), OTHER)
    with pytest.raises(Refused):
        opened(sealed(), SENDER)


def test_from_outside_there_is_an_id_a_recipient_and_a_rounded_size():
    """Not who sent it; two referrals of nearly the same length look the same."""
    one = sealed()
    other = sealed([PackedFile("letter.txt", b"a")])
    assert len(one) == len(other)
    for secret in (b"referral.html", b"Made-Up House", SENDER.public.sign, SENDER.public.key_id):
        assert secret not in one
    assert packages.read_outside(io.BytesIO(one))[1] == RECIPIENT.public.key_id


def test_cut_off_at_any_length_nothing_comes_out():
    """Nor with a byte more, or one bit changed anywhere."""
    data = sealed([PackedFile("a.txt", b"made up")])
    copies = [data[:length] for length in range(len(data))]
    copies += [data + b"\0", data + data]
    copies += [data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :] for at in range(0, len(data), 7)]
    for copy in copies:
        with pytest.raises((Tampered, Refused)):
            opened(copy)


def test_a_recipient_cannot_pass_it_on_as_if_it_were_for_somebody_else():
    """What was sealed anew says inside for whom it was."""
    for other in (a_statement(recipient=OTHER.public.key_id), replace(a_statement(), id=uuid4())):
        data = by_hand(other, [one.content for one in FILES])
        moved = data if other.recipient != RECIPIENT.public.key_id else _under_id(data, uuid4())
        with pytest.raises(Tampered):
            opened(moved)


def _under_id(data: bytes, other: UUID) -> bytes:
    return data[:4] + other.bytes + data[20:]


def _lies():
    good = [one.content for one in FILES]
    names = [replace(FILES[0].listed, name=name) for name in ("../a.txt", "a\n.txt", "42.zip")]
    for listed in names:
        yield a_statement(files=(listed,)), good[:1]
    first = FILES[0].listed
    yield a_statement(files=()), []
    yield a_statement(files=(first, replace(first, name="REFERRAL.html"))), good[:1] * 2
    yield a_statement(files=(replace(first, size=first.size + 1),)), good[:1]
    yield a_statement(files=(replace(first, digest=bytes(32)),)), good[:1]
    yield a_statement(), [*good, b"more"]
    yield a_statement(), good[:-1]
    # A bomb: sizes that nobody should begin to write.
    huge = Listed("a.txt", packing.MAX_BYTES + 1, bytes(32))
    yield a_statement(files=(huge,)), good[:1]
    many = tuple(replace(first, name=f"{n}.html") for n in range(packing.MAX_FILES + 1))
    yield a_statement(files=many), good[:1] * len(many)


@pytest.mark.parametrize("lie", range(len(list(_lies()))))
def test_a_signed_lie_is_no_better(lie):
    """Names with folders, archives, wrong sizes, too many files, bytes that nobody listed."""
    statement, content = list(_lies())[lie]
    with pytest.raises(Tampered):
        opened(by_hand(statement, content))


def test_a_signature_of_somebody_else_is_found():
    """And one that was taken away, and one over another statement."""
    statement = a_statement()
    right = packages.signed(statement, SENDER)
    encoded, signature = canonical.decode(right)
    other = a_statement().encode()
    for forged in ((encoded, None), (encoded, OTHER.sign(packages.CONTEXT, encoded)),
                   (other, signature)):  # fmt: skip
        with pytest.raises(Tampered):
            packages.checked(canonical.encode(*forged))
    with pytest.raises(Tampered):
        unsigned = replace(statement, signer=None).encode()
        packages.checked(canonical.encode(unsigned, signature))
    assert packages.checked(right) == statement


def test_a_source_without_end_is_left():
    """Whoever sends zeros for ever is not waited for."""

    class Endless:
        def __init__(self):
            self.data = io.BytesIO(sealed())

        def read(self, size, /):
            return self.data.read(size) or bytes(max(size, 1 << 24))

    with pytest.raises(Tampered):
        open_package(Endless(), RECIPIENT)


def test_the_maker_is_held_to_the_limits_too():
    """A file twice, none, too large in all, a name with a folder: refused before it is sealed."""
    for files in ([], [FILES[0], FILES[0]], [PackedFile("../x.txt", b"")]):
        with pytest.raises(Invalid):
            packing.checked(files)
    with pytest.raises(Invalid):
        packing.check_list([Listed("a.txt", packing.MAX_BYTES + 1, b"")])
    with pytest.raises(ValueError, match="something else"):
        b"".join(seal_package(a_statement(), SENDER, OTHER.public, FILES))
    with pytest.raises(ValueError, match="signer"):
        packages.signed(a_statement(), OTHER)


def archive(members, how=zipfile.ZIP_STORED) -> bytes:
    """Return a ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as made:
        for name, content in members:
            made.writestr(name, content)
    return out.getvalue()


def test_the_archive_in_an_age_file_is_what_the_statement_says():
    """No compression, nothing besides, no other order."""
    statement = a_statement(recipient=b"")
    head = (age_packages.STATEMENT, packages.signed(statement, SENDER))
    good = [(one.name, one.content) for one in FILES]
    padding = (age_packages.PADDING, b"")
    whole = [*good, head, padding]
    assert age_packages.read_archive(archive(whole)).files == FILES
    wrong = [
        archive(whole, zipfile.ZIP_DEFLATED),
        archive([*good, head]),
        archive([head, *good, padding]),
        archive([*good, ("../x.txt", b"x"), head, padding]),
        archive([(name, content + b"x") for name, content in good] + [head, padding]),
        archive([*good, (age_packages.STATEMENT, b"no statement"), padding]),
        archive([*good, padding]),
        archive([(f"{n}.txt", b"") for n in range(80)]),
        archive(whole)[:-30],
        b"no archive",
    ]
    for data in wrong:
        with pytest.raises(Tampered):
            age_packages.read_archive(data)
    with pytest.raises(Tampered):
        age_packages.open_package(bytes(age_packages._MAX_SEALED + 1), "made up")


def test_a_bomb_in_an_age_file_is_not_unpacked():
    """A megabyte of zeros in a kilobyte: refused by its header."""
    statement = a_statement([PackedFile("a.txt", bytes(1 << 20))], recipient=b"")
    with pytest.raises(Tampered):
        head = (age_packages.STATEMENT, packages.signed(statement, SENDER))
        members = [("a.txt", bytes(1 << 20)), head, (age_packages.PADDING, b"")]
        age_packages.read_archive(archive(members, zipfile.ZIP_DEFLATED))


def test_a_key_file_opens_with_its_passphrase_only():
    """Another is a sentence; a changed file is found."""
    data = key_files.sealed(RECIPIENT, "six made up words", SMALL)
    assert key_files.opened(data, "six  made up words").seed == RECIPIENT.seed
    assert key_files.public_of(data) == RECIPIENT.public
    assert RECIPIENT.seed not in data
    with pytest.raises(Refused):
        key_files.opened(data, "other made up words")
    swapped = canonical.decode(data)
    other = canonical.encode(swapped[0], *OTHER.public.parts, swapped[3])
    for changed in (data[:-1], data[:-1] + bytes([data[-1] ^ 1]), other, canonical.encode("x")):
        with pytest.raises(Tampered):
            key_files.opened(changed, "six made up words")


def test_a_weakened_key_file_is_refused_before_it_is_tried():
    """Its cost is below the floor, or beyond what we ever chose."""
    parts = canonical.decode(key_files.sealed(RECIPIENT, "six made up words", SMALL))
    for memory in (8, 1 << 30):
        envelope = canonical.encode(memory, *canonical.decode(parts[3])[1:])
        with pytest.raises(Tampered):
            key_files.opened(canonical.encode(*parts[:3], envelope), "six made up words")


@pytest.mark.parametrize("text", ["", "AAAA", "not base64 at all!", "é"])
def test_what_is_no_public_key_is_said(text):
    """In a sentence that names the command."""
    with pytest.raises(Invalid, match="keygen"):
        key_files.read(text)


def test_public_keys_are_a_line_that_can_be_read_back():
    """Also with line ends of a letter in it."""
    line = key_files.written(SENDER.public)
    assert key_files.read(line[:70] + "\r\n" + line[70:] + "\n") == SENDER.public


@pytest.mark.parametrize("vector", VECTORS["packages"], ids=lambda one: one["kind"])
def test_vectors_open(vector):
    """What was written down stays readable."""
    secret = PrincipalSecret(bytes.fromhex(VECTORS["recipient"]))
    found = opened(base64.b64decode(vector["sealed"]), secret)
    expected = {name: (text * times).encode() for name, (text, times) in vector["files"].items()}
    assert {one.name: one.content for one in found.files} == expected
    assert found.statement.kind == vector["kind"]
    assert (found.statement.signer is not None) == vector["signed"]


def verified(path, folder):
    """Run the independent verifier elsewhere, without our package in reach."""
    command = [sys.executable, "-I", str(FOLDER / "verify_packages.py"), str(path)]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def test_the_verifier_reads_the_vectors_and_finds_a_changed_one(tmp_path):
    """It imports nothing of ours, and it can fail."""
    source = (FOLDER / "verify_packages.py").read_text().split('"""', 2)[2]
    assert "casevault" not in source.replace("casevault/1/", "")
    assert verified(FOLDER / "packages.json", tmp_path) == 0
    changed = json.loads(json.dumps(VECTORS))
    changed["packages"][0]["files"]["a.txt"][0] = "x"
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(changed))
    assert verified(path, tmp_path) == 1


def test_a_statement_of_something_else_is_no_statement():
    """What is signed says first that it is a package's."""
    said = canonical.decode(a_statement().encode())
    with pytest.raises(Tampered):
        Statement.decode(canonical.encode("another/1/package", *said[1:]))


def test_a_head_longer_than_any_of_ours_is_not_read():
    """Its length is the first thing inside; whoever sealed it may have written anything."""
    package = uuid4()
    parts = [(1 << 31).to_bytes(4, "big"), bytes(100)]
    stream = streams.seal_stream_to(RECIPIENT.public, Place(UUID(int=0), "package", package), parts)
    with pytest.raises(Tampered):
        opened(packages.MAGIC + package.bytes + b"".join(stream))


def test_no_more_is_read_than_a_package_may_have(monkeypatch):
    """However much comes."""
    data = sealed()
    monkeypatch.setattr(packages, "_MAX_SEALED", len(data) - 1)
    with pytest.raises(Tampered):
        opened(data)


def test_a_key_file_with_somebody_elses_public_half_is_refused():
    """Whoever knows the passphrase could give out another's keys as their own."""
    salt = bytes(range(16))
    kek = key_files._kek(SMALL, "made up words", salt)
    closed = seal(kek, key_files._place(OTHER.public, SMALL), SENDER.seed)
    envelope = Envelope(SMALL, salt, 0, closed).encode()
    lying = canonical.encode("casevault/1/key-file", *OTHER.public.parts, envelope)
    with pytest.raises(Tampered):
        key_files.opened(lying, "made up words")


def test_an_age_file_opens_with_its_passphrase_and_is_checked(monkeypatch):
    """The same statement, signature and files; another passphrase, a lie and a flood do not."""
    statement = a_statement(recipient=b"")
    data = age_packages.seal_package(statement, SENDER, "made up words", FILES)
    assert age_packages.is_age(data)
    assert not age_packages.is_age(sealed())
    found = age_packages.open_package(data, "made up words")
    assert (found.statement, found.files) == (statement, FILES)
    with pytest.raises(Refused) as caught:
        age_packages.open_package(data[:-1] + bytes([data[-1] ^ 1]), "made up words")
    assert caught.value.code == "package.passphrase"
    with pytest.raises(ValueError, match="something else"):
        age_packages.seal_package(statement, SENDER, "made up words", FILES[:1])
    monkeypatch.setattr(age_packages, "_MAX_SEALED", len(data) - 1)
    with pytest.raises(Tampered):
        age_packages.open_package(data, "made up words")


def test_files_that_may_travel_are_named_in_normal_form():
    """Composed letters, and one thing to be called by."""
    (one,) = packing.checked([PackedFile("Cafe\u0301.txt", b"made up")])
    assert one.name == "Caf\u00e9.txt"
