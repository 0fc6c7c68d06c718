"""Backups of the data store: one sealed file each, with a manifest at its head.

Decides what counts as a backup: a copy of one moment that was restored for a trial and looked
through, then sealed to the backup key, whose private half is not on this machine. Anybody can seal
to a public key, so the manifest carries a stamp of the service key over itself and the digest of
the content. The format is written down in docs/formats/backup.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from casevault import __version__
from casevault.crypto import canonical, macs, sealed_files
from casevault.crypto.canonical import Part, Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.crypto.roots import RootProvider
from casevault.crypto.sealed_files import FileHeader
from casevault.errors import MediumFault, Misconfigured, Tampered
from casevault.ids import new_id
from casevault.store.engine import stamps
from casevault.store.recovery import media
from casevault.store.recovery.dumps import Form
from casevault.store.recovery.examining import Examined

KIND = "data-backup"
_STAMP = "data-backup"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself, in plain; a dump would show as much."""

    id: UUID
    organisation: UUID
    keyring_id: UUID
    # Of the keyring, when the backup was made: one that is behind these is an older one. The epoch
    # is that of the last roll that came to its end, since only then are copies of it sure to be.
    generation: int
    epoch: int
    made_at: int
    form: Form
    schema: str
    program: str
    ledger_size: int
    ledger_root: bytes
    length: int
    digest: bytes
    rows: tuple[tuple[str, int], ...]
    stamp: bytes = field(default=b"", repr=False)

    @property
    def name(self) -> str:
        """The name of its file."""
        made = datetime.fromtimestamp(self.made_at, UTC)
        return f"casevault-data-{made:%Y%m%dT%H%M%SZ}-{self.id.hex[:8]}.cv"

    def header(self, recipient: PublicKeys) -> FileHeader:
        """Return the header of a file that is sealed to `recipient`."""
        return FileHeader(
            KIND,
            self.organisation,
            self.keyring_id,
            self.generation,
            self.made_at,
            self.id,
            recipient.key_id,
            (*self._about(), self.stamp),
        )

    def stamped(self) -> bytes:
        """Return what the stamp covers: all of it."""
        return canonical.encode(
            self.organisation,
            self.keyring_id,
            self.generation,
            self.made_at,
            self.id,
            *self._about(),
        )

    def check(self, roots: RootProvider) -> None:
        """Return if this vault made the backup, else `Tampered`."""
        stamps.check(roots, _STAMP, self.stamped(), self.stamp)

    def _about(self) -> tuple[Part, ...]:
        return (
            self.epoch,
            self.form.value,
            self.schema,
            self.program,
            self.ledger_size,
            self.ledger_root,
            self.length,
            self.digest,
            self.rows,
        )


def moment(at: int) -> str:
    """Return a moment (Unix seconds) as people and programs read it."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def describe(
    roots: RootProvider, found: Examined, form: Form, plain: Path, seen: tuple[int, int], now: int
) -> Manifest:
    """Return the stamped manifest of a copy that was looked through.

    `seen` is the keyring's generation and the epoch of the last roll that came to its end.
    """
    digest, length = hashlib.sha256(), 0
    for piece in _pieces(plain):
        digest.update(piece)
        length += len(piece)
    manifest = Manifest(
        new_id(),
        found.organisation,
        found.keyring_id,
        *seen,
        now,
        form,
        found.schema,
        __version__,
        found.ledger_size,
        found.ledger_root,
        length,
        digest.digest(),
        tuple(sorted(found.rows.items())),
    )
    return replace(manifest, stamp=stamps.stamp(roots, _STAMP, manifest.stamped()))


def write(folder: Path, manifest: Manifest, plain: Path, recipient: PublicKeys) -> Path:
    """Seal a copy into its file, read it back, and return where it lies.

    :raises Misconfigured: the folder cannot be written, or gave other bytes back.
    """
    path = folder / manifest.name
    header = manifest.header(recipient)
    try:
        media.replace(path, lambda out: sealed_files.write(out, header, recipient, _pieces(plain)))
    except MediumFault as fault:
        raise Misconfigured(
            "The backup was not made: its folder is full, read-only or gone, or gave back other"
            " bytes than were written. Nothing else is changed.",
            code="backup." + fault.code.rpartition(".")[2],
        ) from None
    return path


def read_manifest(source: BinaryIO) -> Manifest:
    """Return what the head of a file says; nothing vouches for it yet."""
    return _manifest(sealed_files.read_header(source))


def extract(source: BinaryIO, backup: PrincipalSecret, target: Path) -> Manifest:
    """Open a backup into a new file; return its manifest, whose digest the content fits.

    :raises Tampered: it is not for this key, was changed or cut off, or holds something else.
    """
    header, pieces = sealed_files.opened(source, backup)
    manifest = _manifest(header)
    digest, length = hashlib.sha256(), 0
    with target.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            length += len(piece)
            file.write(piece)
    if length != manifest.length or not macs.same(digest.digest(), manifest.digest):
        raise Tampered(code="backup")
    return manifest


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _manifest(header: FileHeader) -> Manifest:
    if header.kind != KIND:
        raise Misconfigured(
            "This file is not a backup of the data store: it is a CaseVault file of another kind.",
            code="backup.kind",
        )
    reader = Reader(header.about)
    try:
        manifest = Manifest(
            header.id,
            header.organisation,
            header.keyring_id,
            header.generation,
            reader.number(),
            header.made_at,
            Form(reader.text()),
            reader.text(),
            reader.text(),
            reader.number(),
            reader.bytes_(),
            reader.number(),
            reader.bytes_(),
            tuple(_row(part) for part in reader.list_()),
            reader.bytes_(),
        )
    except ValueError:
        raise Tampered(code="backup") from None
    reader.end()
    return manifest


def _row(part: Part) -> tuple[str, int]:
    reader = Reader(part if isinstance(part, tuple) else ())
    found = reader.text(), reader.number()
    reader.end()
    return found
