"""A witness: somebody else's memory of the last checkpoint of a log.

Lives in a folder of a second machine and needs no vault. It accepts a newer checkpoint only with
the proof that it extends the remembered one, so a log that is rewritten or cut after a witness saw
it is found, whoever holds the log's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from casevault.crypto.principals import is_raw_signature
from casevault.crypto.roots import write_private
from casevault.errors import Invalid, Tampered
from casevault.ledger.export import CHECKPOINT_PATH
from casevault.ledger.note import MAX_NOTE_BYTES, Checkpoint, VerifierKey, open_note
from casevault.ledger.sources import read_file
from casevault.ledger.verify import verify_extension

KEY_FILE = "key.vkey"
NOTE_FILE = "checkpoint"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a witness knows now, and the size of what it knew before (None at first sight)."""

    checkpoint: Checkpoint
    before: int | None


def remember(state: Path, folder: Path, key: VerifierKey | None) -> Remembered:
    """Compare the log in `folder` with what `state` remembers; then remember the newer one.

    :raises Tampered: it does not extend what was remembered; the memory stays as it was.
    :raises Invalid: at first sight no key was given, or another than the remembered one.
    """
    known = _key(state, key)
    old = _note(state / NOTE_FILE)
    if old is None:
        note = read_file(folder / CHECKPOINT_PATH, MAX_NOTE_BYTES)
        head, before = open_note(note, known.name, known.public, is_raw_signature), None
    else:
        earlier, head = verify_extension(folder, known.name, known.public, is_raw_signature, old)
        note, before = read_file(folder / CHECKPOINT_PATH, MAX_NOTE_BYTES), earlier.size
        if open_note(note, known.name, known.public, is_raw_signature) != head:
            raise Tampered(code="ledger-export-file")
    _keep(state, known, head, note)
    return Remembered(head, before)


def _key(state: Path, given: VerifierKey | None) -> VerifierKey:
    try:
        remembered = VerifierKey.parse((state / KEY_FILE).read_text("utf-8").strip())
    except FileNotFoundError:
        if given is None:
            raise Invalid(
                "Nothing is remembered yet. Give the log's key with --key.", code="witness.key"
            ) from None
        return given
    except UnicodeDecodeError:
        raise Tampered(code="ledger-verifier-key") from None
    if given is not None and given != remembered:
        raise Invalid(
            "This is not the key that is remembered. A new key or origin needs a memory of its own:"
            " name another folder.",
            code="witness.key",
        )
    return remembered


def _note(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _keep(state: Path, key: VerifierKey, head: Checkpoint, note: bytes) -> None:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (state / KEY_FILE).exists():
        write_private(state / KEY_FILE, key.encode().encode() + b"\n")
    # Every note that was seen stays: each of them is an older checkpoint for `ledger verify`.
    seen = state / f"{head.size:012}.checkpoint"
    if not seen.exists():
        write_private(seen, note)
    write_private(state / NOTE_FILE, note)
