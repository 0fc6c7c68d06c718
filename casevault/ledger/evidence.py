"""Entries that leave with their proof: JSON lines and CSV, and how an outsider checks a line.

Each entry carries its leaf, salt and body as they are stored and a proof of inclusion
(`c2sp.org/tlog-proof@v1`). Whoever trusts the log's key needs nothing else to see that exactly
this body was recorded, and where. Which colleague an actor is (`actor_id`) is the auditor's word
and not covered by anything.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from casevault.errors import CaseVaultError, Invalid
from casevault.ledger.entry import Body, check_body, parse_leaf
from casevault.ledger.faults import tampered
from casevault.ledger.note import Checkpoint, Verify
from casevault.ledger.proof import parse_proof, verify_proof
from casevault.ledger.tree import leaf_hash

# How many positions each log of a store has: what a position is in its own log.
LOG_SPAN: Final = 1 << 40
MAX_LINE_BYTES: Final = 1_000_000
COLUMNS: Final = (
    "position",
    "recorded",
    "code",
    "outcome",
    "rule",
    "purpose",
    "actor",
    "actor_id",
    "roles",
    "session",
    "assurance",
    "records",
    "fields",
    "filters",
    "count",
    "request",
    "entry_id",
    "leaf",
    "salt",
    "body",
    "proof",
)
# What a spreadsheet would take for the beginning of a formula (OWASP, "CSV injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_FIELDS: Final = ("actor_id", "body", "entry_id", "leaf", "position", "proof", "salt")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One entry as it leaves: exact bytes, the opened body, and the file that proves it."""

    entry_id: UUID
    position: int
    leaf: bytes
    salt: bytes
    body_bytes: bytes
    body: Body
    actor_id: UUID | None
    proof: bytes


def json_line(one: Evidence) -> bytes:
    """Return one line of JSON with its newline; keys in the order of the alphabet."""
    found = {
        "actor_id": None if one.actor_id is None else str(one.actor_id),
        "body": one.body_bytes.decode(),
        "entry_id": str(one.entry_id),
        "leaf": one.leaf.decode("ascii"),
        "position": one.position,
        "proof": one.proof.decode(),
        "salt": _b64(one.salt),
    }
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def csv_head() -> bytes:
    """Return the line of column names; UTF-8 with the mark by which spreadsheets know it."""
    return b"\xef\xbb\xbf" + _row(COLUMNS)


def csv_line(one: Evidence) -> bytes:
    """Return one row. A cell that a spreadsheet would calculate begins with an apostrophe."""
    body = one.body
    cells: Mapping[str, object] = {
        "position": one.position,
        "recorded": body.recorded,
        "code": body.code,
        "outcome": body.outcome,
        "rule": body.rule,
        "purpose": body.purpose,
        "actor": body.actor,
        "actor_id": one.actor_id,
        "roles": " ".join(body.roles),
        "session": body.session,
        "assurance": body.assurance,
        "records": " ".join(f"{e.type}:{e.record}" for e in body.entities),
        "fields": " ".join(body.fields),
        "filters": " ".join(body.filters),
        "count": body.count,
        "request": body.request,
        "entry_id": one.entry_id,
        "leaf": one.leaf.decode("ascii"),
        "salt": _b64(one.salt),
        "body": one.body_bytes.decode(),
        # In one cell and one line: the file that it is has several.
        "proof": _b64(one.proof),
    }
    return _row([_cell(cells[name]) for name in COLUMNS])


def check_line(line: bytes, name: str, public: bytes, verify: Verify) -> tuple[Body, Checkpoint]:
    """Return what a line proves under the key `name`, `public`; else `Tampered`.

    Checked: the body is the one that the leaf commits to, and the leaf stands in the signed tree
    at the position that the line names.
    """
    found = _parsed(line)
    try:
        leaf_bytes = found["leaf"].encode("ascii")
        proof = parse_proof(found["proof"].encode())
        position = found["position"]
        if type(position) is not int or proof.index != position % LOG_SPAN:
            raise tampered("evidence-position")
        salt = base64.urlsafe_b64decode(found["salt"] + "=")
        body = check_body(parse_leaf(leaf_bytes), salt, found["body"].encode())
    except (AttributeError, TypeError, ValueError, Invalid):
        raise tampered("evidence-line") from None
    return body, verify_proof(proof, leaf_hash(leaf_bytes), name, public, verify)


def check_lines(
    content: io.BufferedIOBase,
    name: str,
    public: bytes,
    verify: Verify,
    older: Iterable[tuple[str, bytes]] = (),
) -> tuple[int, frozenset[Checkpoint]]:
    """Check every line of an export; return how many there are and under which checkpoints.

    `older`: names and keys of logs that were closed, in which a line may stand as well.

    :raises Tampered: with the number of the first bad line, from 0.
    """
    heads: set[Checkpoint] = set()
    keys = ((name, public), *older)
    count = 0
    while line := content.readline(MAX_LINE_BYTES):
        head = _head_of(line, keys, verify)
        if head is None:
            raise tampered("evidence-line", count)
        heads.add(head)
        count += 1
    return count, frozenset(heads)


def _head_of(line: bytes, keys: Iterable[tuple[str, bytes]], verify: Verify) -> Checkpoint | None:
    for name, public in keys:
        try:
            return check_line(line, name, public, verify)[1]
        except CaseVaultError:
            continue
    return None


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise tampered("evidence-line") from None
    if not isinstance(found, dict) or tuple(sorted(found)) != _FIELDS:
        raise tampered("evidence-line")
    return found


def _row(cells: object) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)  # type: ignore[arg-type]
    return text.getvalue().encode()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA) else text


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
