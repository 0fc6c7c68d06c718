"""Cleaning: what is shown stays, everything else goes; what cannot be cleaned has a reason."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
import zlib

import pytest
from PIL import Image, ImageDraw, PngImagePlugin
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    RectangleObject,
    TextStringObject,
)

from casevault.cleaning import MAX_BYTES, TYPES, cleaned, jpeg
from casevault.cleaning.apart import Cleaner
from casevault.cleaning.faults import SENTENCES, Unclean
from casevault.cleaning.samples import sample
from casevault.errors import Invalid

SECRETS = (
    b"MadeUpCamera",
    b"Secret Author",
    b"hidden remark",
    b"alert(",
    b"PK\x03\x04",
    b"<script",
)
BOMB = io.BytesIO()
with zipfile.ZipFile(BOMB, "w", zipfile.ZIP_DEFLATED) as made:
    made.writestr("42.txt", bytes(10 << 20))


def refused(content: bytes, kind: str) -> str:
    """Return why a file is not taken."""
    with pytest.raises(Unclean) as caught:
        cleaned(content, kind)
    assert caught.value.code in SENTENCES
    return caught.value.code


def a_picture(form="JPEG", size=(60, 40), mode="RGB", behind=b"", **more) -> bytes:
    """Return a picture with everything that a telephone writes into one."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x010F], exif[0x0112] = "MadeUpCamera", 6
    exif.get_ifd(0x8825)[1] = "N"
    if form == "PNG":
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_text("Author", "Secret Author")
    elif form == "JPEG":
        more["comment"] = b"hidden remark"
    picture = Image.new(mode, size)
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 2, size[1] // 2), fill=1)
    picture.save(out, form, exif=exif, icc_profile=b"Secret Author" * 9, **more)
    return out.getvalue() + behind


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_its_pixels_the_right_way_up(form):
    """No place, author, remark, profile, nor what hangs on behind: an archive, a page."""
    behind = BOMB.getvalue() + b"<script>alert(1)</script>"
    dirty = a_picture(form, behind=behind)
    found = cleaned(dirty, f"image/{form.lower()}")
    assert any(secret in dirty for secret in SECRETS)
    assert not [secret for secret in SECRETS if secret in found]
    with Image.open(io.BytesIO(found)) as picture:
        assert picture.format == form
        assert picture.size == (40, 60)
        assert not picture.getexif()
        assert not {"icc_profile", "comment", "Author", "exif"} & picture.info.keys()
    assert not zipfile.is_zipfile(io.BytesIO(found))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pictures_keep_what_can_be_seen_of_them(mode):
    """In every mode that scanners write; colours of a palette, shades, what shines through."""
    out = io.BytesIO()
    picture = Image.new(mode, (8, 8))
    picture.save(out, "PNG", **({"transparency": 0} if mode == "P" else {}))
    with Image.open(io.BytesIO(cleaned(out.getvalue(), "image/png"))) as found:
        found.load()
        before, after = picture.convert("RGBA"), found.convert("RGBA")
        assert mode == "P" or before.tobytes() == after.tobytes()
        assert mode != "P" or set(after.getchannel("A").tobytes()) == {0}


def test_colours_for_printers_and_double_pictures_of_telephones_are_taken():
    """CMYK becomes RGB; of an MPO the picture that is shown."""
    one, two = io.BytesIO(), io.BytesIO()
    Image.new("CMYK", (9, 9)).save(one, "JPEG")
    first = Image.new("RGB", (9, 9))
    first.save(two, "MPO", save_all=True, append_images=[Image.new("RGB", (7, 7))])
    for content in (one.getvalue(), two.getvalue()):
        with Image.open(io.BytesIO(cleaned(content, "image/jpeg"))) as found:
            assert (found.format, found.mode, found.size) == ("JPEG", "RGB", (9, 9))


def test_a_flood_of_pixels_is_refused_before_one_is_decoded():
    """Twenty thousand by twenty thousand, in a few kilobytes."""
    row = zlib.compress(bytes(2501 * 200), 9)

    def chunk(kind, data):
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    head = (20_000).to_bytes(4, "big") * 2 + b"\x01\x00\x00\x00\x00"
    flood = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", row) + chunk(b"IEND", b"")
    assert len(flood) < 100_000
    assert refused(flood, "image/png") == "file.pixels"


def test_pictures_that_are_none_are_refused():
    """Another kind, moving, cut off, a page with a picture's name, nothing."""
    moving = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
    frames[0].save(moving, "WEBP", save_all=True, append_images=frames[1:])
    assert refused(moving.getvalue(), "image/webp") == "file.animated"
    assert refused(a_picture("PNG"), "image/jpeg") == "file.type"
    assert refused(b"<svg onload='alert(1)'/>", "image/png") == "file.type"
    assert refused(BOMB.getvalue(), "image/jpeg") == "file.type"
    whole = a_picture("JPEG", (400, 300))
    assert refused(whole[: len(whole) // 2], "image/jpeg") == "file.broken"
    for kind in TYPES:
        assert refused(b"", kind) == "file.empty"
        assert refused(bytes(MAX_BYTES + 1), kind) == "file.too-large"


def test_a_picture_that_grows_beyond_the_limit_is_refused(monkeypatch):
    """What is kept is what counts."""
    monkeypatch.setattr("casevault.cleaning.MAX_BYTES", 200)
    out = io.BytesIO()
    Image.effect_noise((60, 60), 90).convert("1").save(out, "WEBP", quality=1)
    content = out.getvalue()
    monkeypatch.setattr("casevault.cleaning.MAX_BYTES", len(content))
    assert refused(content, "image/webp") == "file.too-large"


# --- PDF -----------------------------------------------------------------------------------------


def name(text):
    """Return a name of PDF."""
    return NameObject(text)


def named(**entries):
    """Return a dictionary of PDF."""
    return DictionaryObject({name("/" + key): value for key, value in entries.items()})


def script(text="alert(1)"):
    """Return an action that runs a script."""
    return named(S=name("/JavaScript"), JS=TextStringObject(text))


def a_stream(data, **entries):
    """Return a stream of PDF."""
    stream = DecodedStreamObject()
    stream.set_data(data)
    stream.update(named(**entries))
    return stream


def a_pdf(change=lambda writer, page: None, picture=None) -> bytes:
    """Return a PDF of one page with a picture, after `change`."""
    out, scan = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (60, 40), (200, 9, 9)).save(scan, "PDF")
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(scan.getvalue())))
    page = writer.pages[0]
    if picture is not None:
        shown = page["/Resources"]["/XObject"]["/image"].get_object()
        shown._data = picture
    change(writer, page)
    writer.write(out)
    return out.getvalue()


def everything(writer, page):
    """Put in whatever a PDF can hide."""
    writer.add_metadata({"/Author": "Secret Author", "/Title": "Secret Author"})
    writer.add_attachment("42.zip", BOMB.getvalue())
    root = writer._root_object
    root[name("/OpenAction")] = script()
    root[name("/Metadata")] = writer._add_object(a_stream(b"<x>Secret Author</x>"))
    root[name("/Names")][name("/JavaScript")] = named(
        Names=ArrayObject([TextStringObject("x"), script()])
    )
    page[name("/AA")] = named(O=script())
    page[name("/PieceInfo")] = named(X=TextStringObject("Secret Author"))
    shown = page["/Resources"]["/XObject"]["/image"].get_object()
    shown[name("/Metadata")] = writer._add_object(a_stream(b"Secret Author"))
    look = writer._add_object(a_stream(b"0 0 9 9 re f", Subtype=name("/Form")))
    box = RectangleObject((0, 0, 9, 9))
    field = named(
        Type=name("/Annot"), Subtype=name("/Widget"), Rect=box, AP=named(N=look), FT=name("/Tx"),
        T=TextStringObject("hidden remark"), V=TextStringObject("Secret Author"), A=script(),
    )  # fmt: skip
    link = named(
        Type=name("/Annot"), Subtype=name("/Link"), Rect=box, AP=named(N=look),
        A=named(S=name("/URI"), URI=TextStringObject("https://hidden remark/")),
    )  # fmt: skip
    attached = named(Type=name("/Annot"), Subtype=name("/FileAttachment"), Rect=box)
    notes = [writer._add_object(one) for one in (field, link, attached)]
    page[name("/Annots")] = ArrayObject(notes)
    root[name("/AcroForm")] = named(Fields=ArrayObject(notes[:1]), XFA=TextStringObject("alert("))


def words_of(content: bytes) -> bytes:
    """Return all that stands in a PDF, streams unpacked."""
    reader = PdfReader(io.BytesIO(content))
    found = [content]
    for number in range(1, len(reader.xref[0]) + 1 if reader.xref else 1):
        one = reader.get_object(number)
        found.append(repr(one).encode())
        if hasattr(one, "get_data") and one.get("/Subtype") != "/Image":
            found.append(one.get_data())
    return b"\n".join(found)


def test_a_pdf_is_its_pages():
    """Scripts, files, authors, hidden values, links, former versions: gone; the look stays."""
    dirty = a_pdf(everything, a_picture())
    found = cleaned(dirty, "application/pdf")
    for secret in (*SECRETS, b"JavaScript", b"EmbeddedFile", b"/AA", b"/URI", b"XFA", b"/Info"):
        assert secret not in words_of(found), secret
    for secret in (b"Secret Author", b"alert(", b"/URI"):
        assert secret in words_of(dirty), secret
    (page,) = PdfReader(io.BytesIO(found)).pages
    (note,) = page["/Annots"]
    assert note.get_object()["/Subtype"] == "/Stamp"
    assert note.get_object()["/AP"]["/N"].get_object().get_data() == b"0 0 9 9 re f"
    with Image.open(io.BytesIO(page["/Resources"]["/XObject"]["/image"]._data)) as picture:
        assert picture.size == (60, 40)
        assert not picture.getexif()


def test_what_a_document_calls_its_fonts_and_pictures_is_left_to_it():
    """A picture named `/A` or `/JS` is no action."""

    def rename(writer, page):
        pictures = page["/Resources"]["/XObject"]
        for other in ("/A", "/JS", "/Metadata"):
            pictures[name(other)] = pictures.raw_get("/image")
        page["/Resources"][name("/Properties")] = named(X=TextStringObject("Secret Author"))

    (page,) = PdfReader(io.BytesIO(cleaned(a_pdf(rename), "application/pdf"))).pages
    assert set(page["/Resources"]["/XObject"]) == {"/image", "/A", "/JS", "/Metadata"}
    assert "/Properties" not in page["/Resources"]


def test_pictures_in_a_pdf_are_relieved_too(monkeypatch):
    """Packed twice is unpacked once; what cannot be looked into is refused."""

    def packed(writer, page):
        shown = page["/Resources"]["/XObject"]["/image"].get_object()
        shown._data = zlib.compress(a_picture())
        shown[name("/Filter")] = ArrayObject([name("/FlateDecode"), name("/DCTDecode")])
        shown[name("/DecodeParms")] = ArrayObject([named(), named()])

    found = cleaned(a_pdf(packed), "application/pdf")
    assert b"MadeUpCamera" not in found
    (page,) = PdfReader(io.BytesIO(found)).pages
    assert page["/Resources"]["/XObject"]["/image"]["/Filter"] == "/DCTDecode"

    def as_filter(filters, data):
        def change(writer, page):
            shown = page["/Resources"]["/XObject"]["/image"].get_object()
            shown._data, shown[name("/Filter")] = data, filters

        return change

    monkeypatch.setattr("casevault.cleaning.pdfs._MAX_PICTURE", 1 << 20)
    odd = ArrayObject([name("/ASCII85Decode"), name("/DCTDecode")])
    bomb = ArrayObject([name("/FlateDecode"), name("/DCTDecode")])
    wrong = (
        (odd, b"x"), (bomb, zlib.compress(bytes(2 << 20))), (name("/JPXDecode"), b"..uuid.."),
        (name("/DCTDecode"), b"no picture"),
    )  # fmt: skip
    for filters, data in wrong:
        found = a_pdf(as_filter(filters, data))
        assert refused(found, "application/pdf") == "file.picture-in-pdf"
    cleaned(a_pdf(as_filter(name("/JPXDecode"), b"made-up pixels")), "application/pdf")


def test_pdfs_that_are_none_are_refused():
    """Protected, damaged, too many pages or parts, something before its beginning."""
    protected = io.BytesIO()
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(a_pdf())))
    writer.encrypt("made up")
    writer.write(protected)
    assert refused(protected.getvalue(), "application/pdf") == "file.encrypted"
    whole = a_pdf()
    for broken in (whole[:200], b"%PDF-1.7\n" + bytes(900), whole.replace(b"/Pages", b"/Pagez")):
        assert refused(broken, "application/pdf") in ("file.broken", "file.pages")
    for polyglot in (BOMB.getvalue() + whole, b"<html>" + whole, a_picture("PNG") + whole):
        assert refused(polyglot, "application/pdf") == "file.type"
    assert BOMB.getvalue() not in cleaned(whole + BOMB.getvalue(), "application/pdf")


def test_a_pdf_has_so_many_pages_and_parts(monkeypatch):
    """A tree that goes on for ever is left."""
    monkeypatch.setattr("casevault.cleaning.pdfs._MAX_OBJECTS", 3)
    assert refused(a_pdf(), "application/pdf") == "file.pages"
    monkeypatch.setattr("casevault.cleaning.pdfs.MAX_PAGES", 0)
    assert refused(a_pdf(), "application/pdf") == "file.pages"

    def in_circles(writer, page):
        tree = writer._root_object["/Pages"]
        tree["/Kids"].append(tree.indirect_reference)
        tree[name("/Count")] = NumberObject(10**9)

    monkeypatch.undo()
    assert refused(a_pdf(in_circles), "application/pdf") in ("file.broken", "file.pages")


# --- markers of JPEG -----------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
def test_markers_that_tell_go_and_pixels_stay(progressive):
    """Lossless; a thumbnail beside JFIF goes with it, and what comes after the end."""
    dirty = a_picture(progressive=progressive, behind=b"PK\x03\x04")
    found = jpeg.stripped(dirty)
    assert not [secret for secret in SECRETS if secret in found]
    with Image.open(io.BytesIO(dirty)) as before, Image.open(io.BytesIO(found)) as after:
        assert before.tobytes() == after.tobytes()
    adobe = io.BytesIO()
    Image.new("CMYK", (9, 9)).save(adobe, "JPEG")
    assert b"Adobe" in jpeg.stripped(adobe.getvalue())


def test_a_jpeg_that_is_cut_off_is_refused_at_every_length():
    """And one that does not begin like one."""
    whole = a_picture(size=(20, 10))
    end = whole.rindex(b"\xff\xd9")
    for length in range(end + 1):
        with pytest.raises(Unclean):
            jpeg.stripped(whole[:length])
    assert jpeg.stripped(whole[: end + 2])
    # Fill bytes before a marker, and a restart between two, are nothing.
    at = whole.index(b"\xff\xdb")
    assert jpeg.stripped(whole[:at] + b"\xff\xff\xd0\xff" + whole[at:])
    for wrong in (b"\x00\x01", b"\x00\x00"):
        with pytest.raises(Unclean):
            jpeg.stripped(whole[:2] + b"\xff\xe1" + wrong)


# --- text, and the process apart -----------------------------------------------------------------


def test_a_text_is_letters_and_lines():
    """One kind of line end, no mark at its beginning; anything else is refused."""
    assert (
        cleaned("\ufeffمكتوب\r\nmade\rup\t\n".encode(), "text/plain")
        == "مكتوب\nmade\nup\t\n".encode()
    )
    for wrong in (b"\xff\xfe", b"a\x00b", b"\x1b[31m", "\ue000".encode(), b"a\x08"):
        assert refused(wrong, "text/plain") == "file.text"
    for other in (b"%PDF-1.7", b" <html>", b"<?xml ?>", b"<svg onload=x>", b"<!DOCTYPE html>"):
        assert refused(other, "text/plain") == "file.type"


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_process_apart_does_the_same(kind):
    """It has loaded what it needs before it can open nothing more."""
    dirty = {
        "application/pdf": lambda: a_pdf(everything, a_picture()),
        "image/jpeg": a_picture,
        "image/png": lambda: a_picture("PNG"),
        "image/webp": lambda: a_picture("WEBP"),
        "text/plain": lambda: b"made up",
    }[kind]()
    assert Cleaner().cleaned(dirty, kind) == cleaned(dirty, kind)
    assert cleaned(sample(kind), kind)


def test_the_process_apart_says_why_not_and_survives_what_kills_it(monkeypatch):
    """A refusal by its code; a crash, a silence or nonsense is a file that cannot be read."""
    with pytest.raises(Invalid, match="empty") as caught:
        Cleaner().cleaned(b"", "text/plain")
    assert caught.value.code == "file.empty"
    endings = {
        "import os; os.kill(os.getpid(), 11)": "file.broken",
        "import time; time.sleep(60)": "file.broken",
        "print('file.nonsense', end=''); raise SystemExit(3)": "file.broken",
        "pass": "file.broken",
    }
    monkeypatch.setattr("casevault.cleaning.apart._MOST_SECONDS", 0.3)
    start = subprocess.Popen
    for program, code in endings.items():
        monkeypatch.setattr(
            "casevault.cleaning.apart.subprocess.Popen",
            lambda command, p=program, **more: start([sys.executable, "-S", "-c", p], **more),
        )
        with pytest.raises(Invalid) as caught:
            Cleaner().cleaned(b"made up", "text/plain")
        assert caught.value.code == code


def test_the_process_apart_can_open_no_file_and_start_nothing():
    """Not the keys of the vault, which lie on the same disk; its limits hold for what it runs."""
    program = (
        "import os, sys; from casevault.cleaning import child; child._limit()\n"
        "found = []\n"
        "for act in (lambda: open('/etc/hostname'), os.fork, lambda: bytearray(2 << 30)):\n"
        "    try: act(); found.append('done')\n"
        "    except (OSError, MemoryError): pass\n"
        "sys.exit(len(found))\n"
    )
    command = [sys.executable, "-c", program]
    # As root the number of processes is not limited; elsewhere nothing of this works.
    assert subprocess.run(command, check=False).returncode <= 1
