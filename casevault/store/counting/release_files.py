"""A release as files: written as a whole into a new folder, and checked there by anybody.

Checks need no vault: the organisation's signature up to a root fingerprint that the reader knows
from elsewhere, the digest of every file, the sums of every table, the log's line if its key is
given. Must never call anything good that it did not check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from casevault.crypto import releases as signing
from casevault.disclosure import claims
from casevault.disclosure.checking import misfits_of
from casevault.disclosure.lifecycle import digest_of, digests_of
from casevault.errors import Tampered
from casevault.ledger.evidence import check_line
from casevault.ledger.note import Verify
from casevault.store.log import exporting

_MOST_BYTES = 64 << 20
_HELD = {"ledger", "organisation", "root", "signature", "statement", "vouch"}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into a new or empty folder; a fault leaves nothing."""
    exporting.write_folder(folder, files.items())


def verify(
    file: Path, root: str, log: tuple[str, bytes] | None, is_signature: Verify
) -> dict[str, Any]:
    """Return what `release.json` says, and whether the log's line was checked; else `Tampered`."""
    raw = _proof(file)
    said = signing.check(signing.Signed.from_data(raw), root)
    names = said.get("files")
    if not isinstance(names, dict) or not names:
        raise Tampered(code="release.file")
    files = {name: _beside(file, name) for name in names}
    if digests_of(files) != names or digest_of(files) != said.get("digest"):
        raise Tampered("A file is not as it was published.", code="release.files")
    for name, content in files.items():
        if name.endswith(".csv") and misfits_of(content.decode()):
            raise Tampered("The numbers of a table do not add up.", code="release.sums")
    claims.check(said, files)
    on_log = log is not None and _on_log(raw.get("ledger"), said, *log, is_signature)
    return {"statement": said, "on_log": on_log}


def _on_log(line: Any, said: Mapping[str, Any], name: str, public: bytes, verify: Verify) -> bool:  # noqa: ANN401
    if line is None:
        raise Tampered("The file has no line of the log.", code="release.ledger")
    body, _head = check_line(json.dumps(line).encode(), name, public, verify)
    # Nobody's word stands beside a line that leaves with a release, and it is this one.
    if (line["actor_id"], line["entry_id"]) != (None, said["ledger_entry"]):
        raise Tampered("The line of the log is about something else.", code="release.ledger")
    year = said["release"]["period_start"][:4]
    price = {f"cohort:{year}", f"rho:{said['release']['rho']}"}
    if (
        body.code != "release.publish"
        or dict(body.links).get("digest") != said["digest"]
        or not price <= set(body.filters)
    ):
        raise Tampered("The line of the log is about something else.", code="release.ledger")
    return True


def encoded(proof: Mapping[str, Any]) -> bytes:
    """Return the bytes of `release.json`: there is one way to write it."""
    return (json.dumps(proof, indent=1, sort_keys=True) + "\n").encode()


def _proof(file: Path) -> dict[str, Any]:
    """Return what `release.json` holds; one that says anything twice, or more, is `Tampered`."""
    content = _read(file)
    try:
        raw = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise Tampered(code="release.file") from None
    if not isinstance(raw, dict) or set(raw) != _HELD or encoded(raw) != content:
        raise Tampered(code="release.file")
    return raw


def _beside(file: Path, name: str) -> bytes:
    if Path(name).name != name or name.startswith("."):
        raise Tampered(code="release.file")
    try:
        return _read(file.parent / name)
    except FileNotFoundError:
        raise Tampered("A file of the release is missing.", code="release.files") from None


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise Tampered(code="release.file")
    return content
