"""PDFs: rebuilt from what their pages show.

Only pages go over, with the entries that a page needs to be drawn; annotations as what they look
like. So scripts, actions, attached files, forms' hidden values, authors, former versions and
whatever no page reaches stay behind. What a page reaches is walked once and relieved of what
describes instead of shows, pictures of where they were taken.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    EncodedStreamObject,
    IndirectObject,
    NameObject,
    PdfObject,
    StreamObject,
)

from casevault.cleaning import jpeg
from casevault.cleaning.faults import Unclean

MAX_PAGES = 500
_MAX_OBJECTS = 100_000
_MAX_PICTURE = 64 << 20
_PAGE = frozenset(
    "/Type /Parent /MediaBox /CropBox /BleedBox /TrimBox /ArtBox /Rotate /Resources /Contents"
    " /Group /UserUnit /Annots".split()
)
# Annotations that are drawn; a field of a form is kept as the picture of what it holds.
_DRAWN = frozenset(
    "/FreeText /Line /Square /Circle /Polygon /PolyLine /Highlight /Underline /Squiggly /StrikeOut"
    " /Stamp /Ink /Text /Caret /Widget".split()
)
_ANNOTATION = frozenset("/Type /Subtype /Rect /AP /AS /F /C /IC /BS /Border /QuadPoints".split())
# Whose keys are names that the document chose, such as glyphs: there `/A` is a letter.
_NAMED_BY_THE_DOCUMENT = frozenset(
    "/Font /XObject /ExtGState /ColorSpace /Pattern /Shading /CharProcs".split()
)
_TELLING = (
    "/Metadata /PieceInfo /LastModified /AF /AA /A /JS /JavaScript /OpenAction /EF /EmbeddedFiles"
    " /OPI /Ref /Thumb /Alternates /StructParent /StructParents /OC /Measure /PtData"
    " /Properties"
).split()
_HIDING_PLACES = (b"Exif\0\0", b"uuid", b"xml ", b"xmpmeta")


def cleaned_pdf(content: bytes) -> bytes:
    """Return a PDF of the same pages and nothing else.

    :raises Unclean: it is none, is encrypted, too large in pages or parts, or damaged.
    """
    if content[:5] != b"%PDF-":
        raise Unclean("file.type")
    try:
        return _rebuilt(PdfReader(io.BytesIO(content)))
    except (PyPdfError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise Unclean("file.broken") from None
    except (MemoryError, OSError, zlib.error, NotImplementedError, AssertionError):
        raise Unclean("file.broken") from None


def _rebuilt(reader: PdfReader) -> bytes:
    if reader.is_encrypted:
        raise Unclean("file.encrypted")
    count = len(reader.pages)
    if not 0 < count <= MAX_PAGES:
        raise Unclean("file.pages")
    seen: set[int] = set()
    writer = PdfWriter()
    for page in reader.pages:
        _keep(page, _PAGE)
        _draw_annotations(page)
        for one, is_map in _reached(page, seen):
            if not is_map:
                _relieve(one)
        writer.add_page(page)
    writer.metadata = None
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _keep(one: DictionaryObject, names: frozenset[str]) -> None:
    for name in [name for name in one if name not in names]:
        del one[name]


def _draw_annotations(page: DictionaryObject) -> None:
    found = page.get("/Annots")
    found = found.get_object() if found is not None else None
    drawn = ArrayObject()
    for entry in found if isinstance(found, ArrayObject) else ():
        one = entry.get_object()
        if isinstance(one, DictionaryObject) and one.get("/Subtype") in _DRAWN and "/AP" in one:
            _keep(one, _ANNOTATION)
            one[NameObject("/Subtype")] = NameObject("/Stamp")
            drawn.append(entry)
    if "/Annots" in page:
        del page["/Annots"]
    if drawn:
        page[NameObject("/Annots")] = drawn


def _reached(start: PdfObject, seen: set[int]) -> Iterator[tuple[DictionaryObject, bool]]:
    """Yield every dictionary that a page reaches, once, and whether its keys are chosen names.

    What is taken out of one is not followed; nor is the tree of pages itself.
    """
    waiting: list[tuple[PdfObject | None, bool]] = [(start, False)]
    while waiting:
        one, is_map = waiting.pop()
        if isinstance(one, IndirectObject):
            one = one.get_object()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, DictionaryObject):
            _count(one, seen)
            yield one, is_map
            waiting += [
                (value, name in _NAMED_BY_THE_DOCUMENT and not is_map)
                for name, value in one.items()
                if is_map or name != "/Parent"
            ]
        elif isinstance(one, ArrayObject):
            _count(one, seen)
            waiting += [(entry, False) for entry in one]


def _count(one: PdfObject, seen: set[int]) -> None:
    seen.add(id(one))
    if len(seen) > _MAX_OBJECTS:
        raise Unclean("file.pages")


def _relieve(one: DictionaryObject) -> None:
    for name in _TELLING:
        if name in one:
            del one[name]
    if isinstance(one, StreamObject):
        _relieve_stream(one)


def _relieve_stream(one: StreamObject) -> None:
    filters = _filters(one)
    if "/JPXDecode" in filters:
        if any(mark in one._data for mark in _HIDING_PLACES):
            raise Unclean("file.picture-in-pdf")
    elif "/DCTDecode" in filters or "/DCT" in filters:
        if filters == ["/FlateDecode", "/DCTDecode"]:
            one._data = _inflated(one._data)
            one[NameObject("/Filter")] = NameObject("/DCTDecode")
            if "/DecodeParms" in one:
                del one["/DecodeParms"]
        elif len(filters) != 1:
            raise Unclean("file.picture-in-pdf")
        one._data = jpeg.stripped(one._data)
    elif isinstance(one, EncodedStreamObject) and "/Crypt" in filters:
        raise Unclean("file.encrypted")


def _filters(one: StreamObject) -> list[str]:
    found = one.get("/Filter")
    found = found.get_object() if found is not None else None
    if isinstance(found, ArrayObject):
        return [str(entry.get_object()) for entry in found]
    return [] if found is None else [str(found)]


def _inflated(data: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(data, _MAX_PICTURE)
    if unpacking.unconsumed_tail:
        raise Unclean("file.picture-in-pdf")
    return found
