"""Certificates of erasure: what was erased, when that became final, and how anybody can check it.

One JSON object: what the organisation says (signed with its key, as a C2SP note over the exact
canonical text), and beside it the log's entry with its salt, body and proof. Decides what a
certificate must hold to be believed. It names nobody: an erasure is about a random id, and even
that does not stand here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from casevault.errors import Invalid, Tampered
from casevault.ledger.entry import Body, check_body, parse_leaf
from casevault.ledger.faults import tampered
from casevault.ledger.note import Checkpoint, VerifierKey, Verify, sign_note, verify_note
from casevault.ledger.proof import Proof, encode_proof, parse_proof, verify_proof
from casevault.ledger.tree import leaf_hash

FORMAT: Final = "casevault/1/erasure-certificate"
CODE: Final = "case.erase"
MAX_BYTES: Final = 524_288
_SAID: Final = frozenset(
    {
        "format",
        "id",
        "organisation",
        "erased_at",
        "final_on",
        "retention_class",
        "reason",
        "compartments",
        "destruction",
        "means",
        "residual_risk",
    }
)
_FIELDS: Final = frozenset({"certificate", "entry", "signature"})

MEANS: Final = (
    "The keys of these parts were removed from the keyring when they were erased. On the day named"
    " as final every key was destroyed under which a copy of them could lie, and the copies of the"
    " keyring and of its root material were replaced by ones without them. No backup of the data"
    " store opens them, however old."
)
RESIDUAL: Final[Mapping[str, str]] = {
    "best effort": (
        "The keys lay in files. A medium can keep what was deleted from it, and who kept an older"
        " copy of the keyring together with its capsule, and shares or a passphrase, could still"
        " open them. What people remembered, printed or exported is not undone. The log's own"
        " entries about looks at this record stay, without content, until their time."
    ),
    "destroyed in hardware": (
        "The keys were wrapped by keys of a hardware token, and those were destroyed in it. Who"
        " kept an older copy of the keyring together with its capsule, and shares, could still"
        " open them. What people remembered, printed or exported is not undone. The log's own"
        " entries about looks at this record stay, without content, until their time."
    ),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """What the organisation says about one erasure; dates are ``2026-11-30``."""

    id: str
    organisation: str
    erased_at: str
    final_on: str
    retention_class: str
    reason: str
    compartments: tuple[str, ...]
    destruction: str

    def content(self) -> dict[str, Any]:
        """Return it as JSON holds it, the words for people included."""
        return {
            "format": FORMAT,
            "id": self.id,
            "organisation": self.organisation,
            "erased_at": self.erased_at,
            "final_on": self.final_on,
            "retention_class": self.retention_class,
            "reason": self.reason,
            "compartments": list(self.compartments),
            "destruction": self.destruction,
            "means": MEANS,
            "residual_risk": RESIDUAL[self.destruction],
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """A certificate that holds: what it says, and where its entry stands in which log."""

    said: Mapping[str, Any]
    body: Body
    index: int
    head: Checkpoint
    note: bytes


def make(
    statement: Statement,
    salt: bytes,
    body: bytes,
    proof: Proof,
    key: VerifierKey,
    sign: Callable[[bytes], bytes],
) -> str:
    """Return a signed certificate as the text of its file; `proof` carries the leaf."""
    found: dict[str, Any] = {
        "certificate": statement.content(),
        "entry": {
            "salt": base64.b64encode(salt).decode(),
            "body": body.decode(),
            "proof": encode_proof(proof).decode(),
        },
    }
    text = _text(found)
    note = sign_note(text, key.name, key.public, sign)
    found["signature"] = note[len(text) + 1 :].decode()
    return json.dumps(found, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def check(data: bytes, keys: Iterable[VerifierKey], verify: Verify) -> Checked:
    """Return what a certificate proves under the keys of the organisation and of its log.

    :raises Tampered: a signature, the proof, or what is said against what was recorded.
    """
    found, believed = _parsed(data), tuple(keys)
    said, entry = found["certificate"], found["entry"]
    text = _text({"certificate": said, "entry": entry})
    _signed(text, found["signature"], believed, verify)
    try:
        proof = parse_proof(entry["proof"].encode())
        salt = base64.b64decode(entry["salt"], validate=True)
        body = check_body(parse_leaf(proof.extra), salt, entry["body"].encode())
    except (AttributeError, KeyError, TypeError, ValueError, Invalid):
        raise tampered("certificate") from None
    head = _proven(proof, believed, verify)
    if not _agree(said, body):
        raise tampered("certificate-entry")
    return Checked(said, body, proof.index, head, proof.note)


def _agree(said: Mapping[str, Any], body: Body) -> bool:
    """Say whether the log's entry is of the erasure that the certificate speaks of."""
    return (
        said.get("format") == FORMAT
        and said.keys() == _SAID
        and body.code == CODE
        and body.outcome == 0
        and list(body.fields) == said["compartments"]
        and list(body.filters) == [said["reason"], said["retention_class"]]
        and body.recorded[:10] >= str(said["erased_at"])
        and str(said["final_on"]) >= str(said["erased_at"])
        and RESIDUAL.get(str(said["destruction"])) == said["residual_risk"]
        and said["means"] == MEANS
    )


def _signed(text: bytes, signature: object, keys: tuple[VerifierKey, ...], verify: Verify) -> None:
    if not isinstance(signature, str):
        raise tampered("certificate")
    note = text + b"\n" + signature.encode()
    if not _any(keys, lambda key: verify_note(note, key.name, key.public, verify)):
        raise tampered("certificate-signature")


def _proven(proof: Proof, keys: tuple[VerifierKey, ...], verify: Verify) -> Checkpoint:
    leaf = leaf_hash(proof.extra)
    found = _any(keys, lambda key: verify_proof(proof, leaf, key.name, key.public, verify))
    if not found:
        raise tampered("certificate-proof")
    head: Checkpoint = found[0]
    return head


def _any(keys: tuple[VerifierKey, ...], attempt: Callable[[VerifierKey], Any]) -> list[Any]:
    found = []
    for key in keys:
        try:
            found.append(attempt(key))
        except Tampered:
            continue
    return found


def _text(found: Mapping[str, Any]) -> bytes:
    line = json.dumps(found, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return line.encode() + b"\n"


def _parsed(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise tampered("certificate")
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise tampered("certificate") from None
    if not isinstance(found, dict) or found.keys() != _FIELDS:
        raise tampered("certificate")
    if not isinstance(found["certificate"], dict) or not isinstance(found["entry"], dict):
        raise tampered("certificate")
    return found
