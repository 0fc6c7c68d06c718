"""What a package may hold: files of known kinds, few and not large, each named once.

A package is a referral, an intake or plain files on their way between two organisations. Pure: the
limits and what is refused; `crypto.packages` makes and opens the bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from casevault.domain.texts import filenames
from casevault.errors import FieldError, Invalid

MAX_FILES = 50
MAX_BYTES = 64 << 20
MAX_SENDER = 200


class PackageKind(StrEnum):
    """What a package is for: one that was made for something else is not taken for it."""

    REFERRAL = "referral"
    INTAKE = "intake"
    FILES = "files"
    # What two vaults say to each other: `domain.sharing.exchanging`.
    EXCHANGE = "exchange"


@dataclass(frozen=True, slots=True)
class PackageOffer:
    """How a referral is packed: its page's language, when it is too late, and what opens it.

    `to_key`: the key of the recipient; else words that are said by phone.
    """

    language: str
    days: int
    to_key: bool


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file in a package; silent when printed."""

    name: str
    content: bytes = field(repr=False)

    @property
    def listed(self) -> Listed:
        """What the statement says about it."""
        return Listed(self.name, len(self.content), hashlib.sha256(self.content).digest())


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the statement names it: name, size in bytes, SHA-256."""

    name: str
    size: int
    digest: bytes = field(repr=False)


def checked(files: Iterable[PackedFile]) -> tuple[PackedFile, ...]:
    """Return files that may travel, their names in normal form, else `Invalid`."""
    named = tuple(
        PackedFile(filenames.checked(one.name, f"/files/{number}"), one.content)
        for number, one in enumerate(files)
    )
    check_list([one.listed for one in named])
    return named


def check_list(listed: Sequence[Listed]) -> None:
    """Refuse a list that is empty, too long or too large, or names a file twice or badly."""
    for number, one in enumerate(listed):
        filenames.checked(one.name, f"/files/{number}")
    if not 0 < len(listed) <= MAX_FILES or sum(one.size for one in listed) > MAX_BYTES:
        raise Invalid(
            "A package holds 1 to 50 files, 64 MiB in all.",
            code="package.size",
        )
    # Some disks do not tell capitals apart.
    if len({one.name.casefold() for one in listed}) < len(listed):
        raise Invalid(
            "Two files of one package have the same name.",
            code="package.names",
            errors=(FieldError("/files", "package.names"),),
        )
