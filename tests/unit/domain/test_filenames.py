"""Names of files: what is taken as it is, and what is refused with a reason."""

from __future__ import annotations

import pytest

from casevault.domain.texts.filenames import checked, type_of
from casevault.errors import Invalid

BAD = (
    "", ".", "..", "../letter.pdf", "a/b.pdf", "a\\b.pdf", "/etc/passwd.txt", "C:letter.pdf",
    ".hidden.pdf", "-rf.pdf", " letter.pdf", "letter.pdf ", "letter.pdf.", "let\nter.pdf",
    "let\x00ter.pdf", "let\x1bter.pdf", "letter\u202efdp.txt", "let\u200bter.pdf", "a\ud800.pdf",
    "\ue000.pdf", "a\u2028.pdf", "con.pdf", "LPT1.txt", "nul.tar.pdf", "a" * 197 + ".pdf",
    "what?.pdf", "a|b.pdf", '"a".pdf',
)  # fmt: skip
ENDINGS = ("letter", "42.zip", "letter.pdf.exe", "x.svg", "x.docx", "x.heic", "x.tar.gz", "x.lnk")


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_a_name_that_could_do_harm_is_refused(name):
    """Folders, control and invisible characters, devices, what begins or ends oddly."""
    with pytest.raises(Invalid) as caught:
        checked(name)
    assert caught.value.code == "file.name"


@pytest.mark.parametrize("name", ENDINGS)
def test_what_runs_or_unpacks_is_refused(name):
    """By its ending, and the sentence says what to do instead."""
    with pytest.raises(Invalid, match="Save it as PDF") as caught:
        checked(name)
    assert caught.value.code == "file.ending"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Letter of Ms Made-Up (2).PDF", "application/pdf"),
        ("رسالة.txt", "text/plain"),
        ("می\u200cخواهم.jpeg", "image/jpeg"),
        ("письмо.v2.png", "image/png"),
    ],
)
def test_names_in_any_script_are_kept(name, kind):
    """With what they stand for."""
    assert checked(name) == name
    assert type_of(name) == kind


def test_a_name_is_taken_in_normal_form():
    """Two spellings of one letter are one name."""
    assert checked("cafe\u0301.txt") == checked("caf\u00e9.txt") == "caf\u00e9.txt"
