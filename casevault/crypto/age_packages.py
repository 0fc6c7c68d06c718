"""Packages for whoever has no key with us: an age file under a generated passphrase.

The ordinary `age` program opens it and finds a ZIP archive without compression: the files, the
signed statement, and zeros that hide the size. Must never unpack anything that is compressed, and
never read what the statement does not name. The format is written down in docs/formats/package.md.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

import pyrage

from casevault.crypto import packages
from casevault.crypto.packages import Package, Statement
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.streams import bucketed
from casevault.domain.sharing import packing
from casevault.domain.sharing.packing import PackedFile
from casevault.errors import Refused, Tampered

STATEMENT, PADDING = "casevault.statement", "casevault.padding"
_MAGIC = b"age-encryption.org/v1\n"
# As `packages` limits what it reads: the files, doubled by padding, and what surrounds them.
_MAX_SEALED = 2 * packing.MAX_BYTES + (1 << 20)
# Time and order say nothing about whoever made it.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_PRIVATE = 0o600 << 16
# A further member costs a header here and one in the list at the end.
_MEMBER_BYTES = 30 + 46 + 2 * len(PADDING)


def seal_package(
    statement: Statement,
    signer: PrincipalSecret | None,
    passphrase: str,
    files: Iterable[PackedFile],
) -> bytes:
    """Return an age file that opens with `passphrase`, padded to a power of two.

    :raises ValueError: the statement names another signer or list of files.
    """
    found = tuple(files)
    if statement.files != tuple(one.listed for one in found) or statement.recipient:
        raise ValueError("the statement names something else")
    members = [(one.name, one.content) for one in found]
    members.append((STATEMENT, packages.signed(statement, signer)))
    size = len(_zipped(members)) + _MEMBER_BYTES
    padded = _zipped([*members, (PADDING, bytes(bucketed(size) - size))])
    return bytes(pyrage.passphrase.encrypt(padded, passphrase))


def open_package(sealed: bytes, passphrase: str) -> Package:
    """Return what an age file of ours holds, all of it checked.

    :raises Refused: the passphrase is another one, or the file was changed: age says no more.
    :raises Tampered: it opened, and is not what the statement in it says.
    """
    if len(sealed) > _MAX_SEALED:
        raise Tampered(code="package")
    try:
        opened = pyrage.passphrase.decrypt(sealed, passphrase)
    except pyrage.DecryptError:
        raise Refused(
            "This passphrase does not open the file, or the file is damaged.",
            code="package.passphrase",
        ) from None
    return read_archive(opened)


def read_archive(data: bytes) -> Package:
    """Return what the archive inside of an age file holds, else `Tampered`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _package(archive)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, ValueError, RuntimeError):
        raise Tampered(code="package") from None


def is_age(start: bytes) -> bool:
    """Say whether bytes begin like an age file."""
    return start[: len(_MAGIC)] == _MAGIC


def _package(archive: zipfile.ZipFile) -> Package:
    members = archive.infolist()
    names = [one.filename for one in members]
    if len(members) > packing.MAX_FILES + 2 or not all(_is_stored(one) for one in members):
        raise Tampered(code="package")
    statement = packages.checked(archive.read(STATEMENT))
    expected = [*(one.name for one in statement.files), STATEMENT, PADDING]
    if names != expected or statement.recipient:
        raise Tampered(code="package")
    read = (archive.read(one.name) for one in statement.files)
    return Package(statement, tuple(packages.of_files(statement.files, read)))


def _is_stored(member: zipfile.ZipInfo) -> bool:
    return (
        member.compress_type == zipfile.ZIP_STORED
        and member.file_size == member.compress_size <= _MAX_SEALED
    )


def _zipped(members: Iterable[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, _NO_TIME)
            info.external_attr = _PRIVATE
            archive.writestr(info, content)
    return out.getvalue()
