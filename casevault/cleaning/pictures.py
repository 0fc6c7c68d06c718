"""Pictures: decoded, turned the right way up, and encoded anew from their pixels alone.

Place, time, camera, author, thumbnail, colour profile and whatever hangs on behind stay behind.
"""

from __future__ import annotations

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from casevault.cleaning.faults import Unclean

MAX_PIXELS = 50_000_000
_QUALITY = 92
_MODES = {
    "JPEG": frozenset({"L", "RGB"}),
    "PNG": frozenset({"1", "L", "LA", "RGB", "RGBA"}),
    "WEBP": frozenset({"RGB", "RGBA"}),
}
# Pillow's own limit warns where we refuse: the size is known before a pixel is decoded.
Image.MAX_IMAGE_PIXELS = None


def cleaned_picture(content: bytes, form: str) -> bytes:
    """Return a picture (`JPEG`, `PNG`, `WEBP`) made from the pixels of this one.

    :raises Unclean: it is none of this kind, too many pixels, moving, or damaged.
    """
    try:
        with Image.open(io.BytesIO(content), formats=[form]) as picture:
            _check(picture, form)
            picture.load()
            return _encoded(ImageOps.exif_transpose(picture), form)
    except UnidentifiedImageError:
        raise Unclean("file.type") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError):
        raise Unclean("file.broken") from None


def _check(picture: Image.Image, form: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise Unclean("file.pixels")
    # A telephone's JPEG may hold a second, smaller picture behind the one that is shown.
    if form != "JPEG" and getattr(picture, "n_frames", 1) > 1:
        raise Unclean("file.animated")


def _encoded(picture: Image.Image, form: str) -> bytes:
    mode = picture.mode
    if mode not in _MODES[form]:
        see_through = mode in ("LA", "PA", "RGBA") or "transparency" in picture.info
        mode = "RGBA" if see_through and form != "JPEG" else "RGB"
    pixels = picture.convert(mode)
    fresh = Image.new(pixels.mode, pixels.size)
    fresh.paste(pixels)
    out = io.BytesIO()
    if form == "PNG":
        fresh.save(out, form)
    else:
        fresh.save(out, form, quality=_QUALITY)
    return out.getvalue()
