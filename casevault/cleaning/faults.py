"""Why a file is not taken: a closed list of codes, each with the sentence that people read."""

from __future__ import annotations

from types import MappingProxyType

SENTENCES = MappingProxyType(
    {
        "file.empty": "This file is empty.",
        "file.too-large": "This file is larger than 25 MiB. Make the picture smaller, or split the"
        " document.",
        "file.type": "What is in this file is not what its name says. Save it anew in the program"
        " that made it.",
        "file.broken": "This file cannot be read safely. Print it as PDF, or take a picture of it,"
        " and send that.",
        "file.pixels": "This picture has too many pixels. Make it smaller: 50 million are enough to"
        " read a letter.",
        "file.animated": "Moving pictures are not taken. Save the one picture that matters.",
        "file.encrypted": "This PDF is protected by a password. Print it as PDF without one.",
        "file.pages": "This PDF has too many pages or parts. Split it.",
        "file.picture-in-pdf": "A picture in this PDF cannot be cleaned. Print it as PDF once"
        " more.",
        "file.text": "This text is not plain UTF-8, or holds control characters. Save it as plain"
        " text.",
    }
)


class Unclean(Exception):
    """A file that is not taken; the code is one of `SENTENCES`, and there is nothing else in it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
