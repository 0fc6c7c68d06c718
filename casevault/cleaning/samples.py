"""A small file of each kind, made here: with it the libraries load all that they will need."""

from __future__ import annotations

import io


def sample(media_type: str) -> bytes:
    """Return a small file of a kind, with what is to be taken out of it."""
    if media_type == "text/plain":
        return b"made up\n"
    return _picture(media_type) if media_type.startswith("image/") else _pdf()


def _picture(media_type: str) -> bytes:
    # The JPEG of a telephone may turn out to be this one when it is opened.
    from PIL import Image, MpoImagePlugin, TiffImagePlugin  # noqa: F401

    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(out, media_type.removeprefix("image/").upper(), exif=exif)
    return out.getvalue()


def _pdf() -> bytes:
    from pypdf import PdfWriter

    out, writer = io.BytesIO(), PdfWriter()
    writer.add_blank_page(8, 8)
    writer.write(out)
    return out.getvalue()
