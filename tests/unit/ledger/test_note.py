"""Signed notes and checkpoints, against a published note and against every malformed one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.errors import Invalid, Tampered
from casevault.ledger.note import (
    MAX_NOTE_BYTES,
    Checkpoint,
    VerifierKey,
    add_signature,
    from_base64,
    has_signature,
    key_id,
    open_note,
    sign_note,
    to_base64,
    unverified_checkpoint,
    verify_note,
)

from .reference import NAME, OTHER, OTHER_PUBLIC, PRIVATE, PUBLIC, sha, verify

CHECKPOINT = Checkpoint(NAME, 20_852_163, sha(b"root"))
NOTE = sign_note(CHECKPOINT.encode(), NAME, PUBLIC, PRIVATE.sign)
LINE = NOTE.rpartition(b"\n\n")[2]
WITNESS = sign_note(CHECKPOINT.encode(), "witness.example/ü", OTHER_PUBLIC, OTHER.sign)
WITNESS_LINE = WITNESS.rpartition(b"\n\n")[2]

# The example of Go's golang.org/x/mod/sumdb/note, from which the C2SP format comes.
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
PETER_NOTE = (
    PETER_TEXT
    + (
        "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv"
        "qfqdngotpRZb6KE6RyyBwJnAM=\n"
    ).encode()
)


def test_a_published_note_verifies():
    """The key id, the key's spelling and the signature of Go's example are ours, too."""
    key = VerifierKey.parse(PETER_KEY)
    assert key.encode() == PETER_KEY
    assert key_id(key.name, key.public).hex() == "c74f20a3"
    assert verify_note(PETER_NOTE, key.name, key.public, verify) == PETER_TEXT


def test_a_published_note_is_no_checkpoint():
    """A good signature over something else is not a tree head."""
    key = VerifierKey.parse(PETER_KEY)
    with pytest.raises(Tampered):
        open_note(PETER_NOTE, key.name, key.public, verify)


def test_a_checkpoint_is_three_lines():
    """Origin, size, root; then the empty line and the signature."""
    root = base64.b64encode(sha(b"root")).decode()
    assert CHECKPOINT.encode() == f"{NAME}\n20852163\n{root}\n".encode()
    assert NOTE.startswith(CHECKPOINT.encode() + f"\n— {NAME} ".encode())


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_a_signed_checkpoint_survives(size, root):
    """What was signed is what is opened."""
    head = Checkpoint(NAME, size, root)
    note = sign_note(head.encode(), NAME, PUBLIC, PRIVATE.sign)
    assert open_note(note, NAME, PUBLIC, verify) == unverified_checkpoint(note) == head


def test_witness_lines_are_passed_over():
    """Signatures of unknown keys change nothing."""
    assert open_note(NOTE + WITNESS_LINE, NAME, PUBLIC, verify) == CHECKPOINT
    assert open_note(WITNESS + LINE, NAME, PUBLIC, verify) == CHECKPOINT


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_one_changed_byte_is_found(place, flip):
    """No byte of a note can be another."""
    data = bytearray(NOTE)
    data[place] ^= flip
    with pytest.raises(Tampered):
        open_note(bytes(data), NAME, PUBLIC, verify)


def signed(text: bytes) -> bytes:
    """Sign whatever text, good or not."""
    line = to_base64(key_id(NAME, PUBLIC) + PRIVATE.sign(text))
    return text + f"\n— {NAME} {line}\n".encode()


BAD_NOTES = {
    "nothing": b"",
    "no signature": CHECKPOINT.encode(),
    "no signature line": CHECKPOINT.encode() + b"\n",
    "only a witness": WITNESS,
    "twice": NOTE + LINE,
    "no final newline": NOTE[:-1],
    "carriage return": NOTE.replace(b"\n", b"\r\n"),
    "not utf-8": b"\xff" + NOTE,
    "dash": NOTE.replace("—".encode(), b"-"),
    "no base64": NOTE + "— a b!\n".encode(),
    "loose base64": NOTE + "— a AAAAAAB=\n".encode(),
    "other script": NOTE + "— a ААААААА=\n".encode(),
    "id only": NOTE + "— a AAAAAA==\n".encode(),
    "three words": NOTE + "— a b AAAAAAA=\n".encode(),
    "plus in name": NOTE + "— a+b AAAAAAA=\n".encode(),
    "space in name": NOTE + "— a\u2003b AAAAAAA=\n".encode(),
    "many": NOTE + WITNESS_LINE * 64,
    "long": b"a" * MAX_NOTE_BYTES + NOTE,
    "short signature": CHECKPOINT.encode()
    + f"\n— {NAME} {to_base64(key_id(NAME, PUBLIC) + bytes(63))}\n".encode(),
    "extension line": signed(CHECKPOINT.encode() + b"more\n"),
    "two lines": signed(f"{NAME}\n1\n".encode()),
    "leading zero": signed(CHECKPOINT.encode().replace(b"\n2", b"\n02")),
    "sign": signed(CHECKPOINT.encode().replace(b"\n2", b"\n+2")),
    "too large": signed(CHECKPOINT.encode().replace(b"\n20852163", b"\n9223372036854775808")),
    "other digits": signed(CHECKPOINT.encode().replace(b"20852163", "٣".encode())),
    "short root": signed(f"{NAME}\n1\nAAAA\n".encode()),
    "no root": signed(f"{NAME}\n1\n?\n".encode()),
    "empty origin": signed(CHECKPOINT.encode().removeprefix(NAME.encode())),
    "other origin": signed(CHECKPOINT.encode().replace(b"2026a", b"2026b")),
}


@pytest.mark.parametrize("name", BAD_NOTES)
def test_a_malformed_note_is_tampered(name):
    """Every malformed or unsigned note is the same class of error."""
    with pytest.raises(Tampered):
        open_note(BAD_NOTES[name], NAME, PUBLIC, verify)


def test_the_key_of_somebody_else_is_not_believed():
    """Same name, another key: no known signature."""
    with pytest.raises(Tampered):
        open_note(NOTE, NAME, OTHER_PUBLIC, verify)


@pytest.mark.parametrize(
    ("text", "name", "public", "sign"),
    [
        (b"no newline", NAME, PUBLIC, PRIVATE.sign),
        (b"tab\t\n", NAME, PUBLIC, PRIVATE.sign),
        (b"\xff\n", NAME, PUBLIC, PRIVATE.sign),
        (b"x\n", "a b", PUBLIC, PRIVATE.sign),
        (b"x\n", NAME, PUBLIC[:-1], PRIVATE.sign),
        (b"x\n", NAME, PUBLIC, lambda _message: b"short"),
    ],
)
def test_only_a_proper_note_is_signed(text, name, public, sign):
    """What could not be read back is Invalid and not signed."""
    with pytest.raises(Invalid):
        sign_note(text, name, public, sign)


@pytest.mark.parametrize(
    "values",
    [
        ("", 0, bytes(32)),
        ("a b", 0, bytes(32)),
        ("a\n", 0, bytes(32)),
        ("x" * 256, 0, bytes(32)),
        (7, 0, bytes(32)),
        (NAME, -1, bytes(32)),
        (NAME, True, bytes(32)),
        (NAME, 0, bytes(31)),
    ],
)
def test_a_checkpoint_has_one_form(values):
    """Origin, size and root are checked when they are put together."""
    with pytest.raises(Invalid):
        Checkpoint(*values)


def test_a_verifier_key_survives():
    """The string that an operator copies gives the key back."""
    key = VerifierKey(NAME, PUBLIC)
    assert VerifierKey.parse(key.encode()) == key


GOOD_KEY = VerifierKey(NAME, PUBLIC).encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME,
        "+".join([NAME, "00000000", GOOD_KEY.split("+", 2)[2]]),
        GOOD_KEY.replace(GOOD_KEY.split("+")[1], GOOD_KEY.split("+")[1].upper() + "A"),
        GOOD_KEY[:-4],
        GOOD_KEY + "\n",
        GOOD_KEY.replace("2026a", "2026b"),
        PETER_KEY.replace("+ARpc", "+BBpc"),
        " " + GOOD_KEY,
    ],
)
def test_a_wrong_verifier_key_is_tampered(text):
    """A key id that does not fit, another type or another spelling is refused."""
    with pytest.raises(Tampered):
        VerifierKey.parse(text)


@pytest.mark.parametrize(("name", "public"), [("", PUBLIC), ("a+b", PUBLIC), (NAME, b"")])
def test_a_verifier_key_needs_name_and_32_bytes(name, public):
    """A key that could not be written is Invalid."""
    with pytest.raises(Invalid):
        VerifierKey(name, public)


@pytest.mark.parametrize("text", ["AA", "AA=", "AB==", "A A=", "AA==\n", "ÄÄ==", "AA-_"])
def test_base64_has_one_spelling(text):
    """Missing padding, spare bits, white space and the other alphabet are refused."""
    with pytest.raises(ValueError, match=r"base64|ascii"):
        from_base64(text)


def test_a_note_may_carry_more_signatures():
    """Of another key over the same text: each is verified for itself, and known by its key."""
    key, other = VerifierKey(NAME, PUBLIC), VerifierKey("witness.example/ü", OTHER_PUBLIC)
    assert has_signature(NOTE, key)
    assert not has_signature(NOTE, other)
    both = add_signature(NOTE, other.name, other.public, OTHER.sign)
    assert both == NOTE + WITNESS_LINE
    assert has_signature(both, key)
    assert has_signature(both, other)
    assert not has_signature(both, VerifierKey(NAME, OTHER_PUBLIC))
