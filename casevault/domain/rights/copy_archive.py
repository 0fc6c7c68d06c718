"""The survivor's copy with its files as one archive: the page, the JSON, the files beside them.

Pure. Stored and not packed tightly, so that every program opens it and how long it is tells no more
than the files do. Must never name anybody in the name of a file, nor say when it was made.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from casevault.domain.rights import copies, copy_page
from casevault.domain.sharing.packing import MAX_BYTES, PackedFile
from casevault.errors import Invalid

_NO_TIME = (1980, 1, 1, 0, 0, 0)
# An ordinary file that its owner reads and writes, and nobody else.
_PRIVATE = 0o100600 << 16


def check_size(sizes: Iterable[int]) -> None:
    """Refuse files that are too large together for one answer."""
    if sum(sizes) > MAX_BYTES:
        raise Invalid(
            "The files of this copy have more than 64 MiB in all.",
            code="copy.size",
            hint="Give the copy as a page, and the files one by one.",
        )


def archive(copy: Mapping[str, Any], language: str, files: Iterable[PackedFile]) -> bytes:
    """Return the archive of a copy; the same copy and files have the same bytes."""
    page = copy_page.page(copy, language, with_files=True).encode()
    members = [("copy.html", page), ("copy.json", copies.encoded(copy))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archived:
        for name, content in (*members, *((one.name, one.content) for one in files)):
            info = zipfile.ZipInfo(name, _NO_TIME)
            info.external_attr = _PRIVATE
            archived.writestr(info, content)
    return out.getvalue()
