"""Names of files that come from outside, or go to somebody's disk.

Decides what a name may be, so that nothing is written beside the folder that was meant, shown as
something that it is not, or run by a double click. Must never mend a bad name: it is refused, and
whoever gave it chooses another.
"""

from __future__ import annotations

import unicodedata

from casevault.errors import FieldError, Invalid

MAX_BYTES = 200
# What files may be, and as what they are known: nothing that runs and nothing that unpacks.
TYPES = {
    ".html": "text/html",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".txt": "text/plain",
}
_FORBIDDEN = frozenset('/\\:*?"<>|')
# Persian and the scripts of India write words with these two.
_JOINERS = "\u200c\u200d"
# What Windows takes for a device, with any ending.
_DEVICES = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{name}{number}" for name in ("com", "lpt") for number in range(10)
}


def checked(name: str, pointer: str = "/name") -> str:
    """Return a name in normal form (NFC), else `Invalid` (`file.name`, `file.ending`)."""
    normal = unicodedata.normalize("NFC", name)
    stem, ending = _split(normal)
    if not _is_plain(normal) or stem.partition(".")[0].strip().lower() in _DEVICES:
        raise Invalid(
            "This name of a file cannot be taken. Use letters, digits, spaces and hyphens, no"
            " folders and no invisible characters.",
            code="file.name",
            errors=(FieldError(pointer, "file.name"),),
        )
    if ending not in TYPES:
        raise not_taken(pointer)
    return normal


def not_taken(pointer: str) -> Invalid:
    """Return why files of a kind are refused."""
    return Invalid(
        "Files of this kind are not taken. Save it as PDF, JPEG, PNG, WebP or plain text; unpack an"
        " archive first.",
        code="file.ending",
        errors=(FieldError(pointer, "file.ending"),),
    )


def type_of(name: str) -> str:
    """Return the media type that a checked name stands for."""
    return TYPES[_split(name)[1]]


def ending_of(media_type: str) -> str:
    """Return with which ending a file of a kind is written to somebody's disk."""
    return next((ending for ending, one in TYPES.items() if one == media_type), ".bin")


def _split(name: str) -> tuple[str, str]:
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending.lower()) if dot else (name, "")


def _is_plain(name: str) -> bool:
    return (
        bool(name)
        and _bytes(name) <= MAX_BYTES
        and name[0] not in ".- "
        and name[-1] not in ". "
        and all(_is_visible(one) for one in name)
    )


def _bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))


def _is_visible(letter: str) -> bool:
    if letter in _FORBIDDEN:
        return False
    kind = unicodedata.category(letter)
    # Control and format characters, halves of pairs, private and unassigned ones, line ends.
    return letter in _JOINERS or not (kind[0] == "C" or kind in ("Zl", "Zp"))
