"""JPEG inside of PDF: its markers without those that tell where, when and by whom.

Lossless: the compressed pixels stay as they are. What remains before them is what a decoder needs
(ITU T.81, B.1.1.3): tables, frame and scan headers, JFIF, and Adobe's note on colours.
"""

from __future__ import annotations

from casevault.cleaning.faults import Unclean

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_JFIF, _ADOBE = 0xE0, 0xEE
_APPLICATION = range(0xE0, 0xF0)
_COMMENT = 0xFE
# Markers without a length: restarts, and a leftover of arithmetic coding.
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})


def stripped(content: bytes) -> bytes:
    """Return a JPEG without comments and foreign application data, ending where it ends.

    :raises Unclean: it is no JPEG.
    """
    if content[:2] != bytes([0xFF, _SOI]):
        raise Unclean("file.picture-in-pdf")
    kept, at = [content[:2]], 2
    while True:
        at, marker = _marker(content, at)
        if marker == _EOI:
            return b"".join([*kept, bytes([0xFF, _EOI])])
        if marker in _BARE:
            continue
        end = at + int.from_bytes(content[at : at + 2], "big")
        segment = content[at:end]
        if end < at + 2 or len(segment) != end - at:
            raise Unclean("file.picture-in-pdf")
        if _is_needed(marker, segment):
            kept.append(bytes([0xFF, marker]) + segment)
        at = end
        if marker == _SOS:
            end = _scan_end(content, at)
            kept.append(content[at:end])
            at = end


def _is_needed(marker: int, segment: bytes) -> bool:
    if marker == _JFIF:
        # Without the thumbnail that may follow.
        return segment[2:7] == b"JFIF\0" and len(segment) == 16
    if marker == _ADOBE:
        return segment[2:7] == b"Adobe"
    return marker != _COMMENT and marker not in _APPLICATION


def _marker(content: bytes, at: int) -> tuple[int, int]:
    """Return where the next marker's segment begins, and the marker."""
    if content[at : at + 1] != b"\xff":
        raise Unclean("file.picture-in-pdf")
    while content[at : at + 1] == b"\xff":
        at += 1
    if at >= len(content):
        raise Unclean("file.picture-in-pdf")
    return at + 1, content[at]


def _scan_end(content: bytes, at: int) -> int:
    """Return where compressed pixels end: at a marker that is neither stuffing nor a restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise Unclean("file.picture-in-pdf")
        following = content[at + 1]
        if following not in (0x00, 0xFF) and following not in _BARE:
            return at
        at += 1 if following == 0xFF else 2
