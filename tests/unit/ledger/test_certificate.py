"""Certificates of erasure: believed when signature, proof and what was recorded agree."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from casevault.errors import Tampered
from casevault.ledger import certificate
from casevault.ledger.certificate import Statement
from casevault.ledger.entry import encode_body, encode_leaf
from casevault.ledger.note import VerifierKey
from casevault.ledger.proof import Proof
from casevault.ledger.tree import inclusion_proof, leaf_hash

from .reference import (
    NAME,
    OTHER_PUBLIC,
    PRIVATE,
    PUBLIC,
    SALT,
    a_body,
    a_leaf,
    a_note,
    reader_of,
    some_leaves,
    verify,
)

PARTS = ("identity", "narrative")
ENTRY = {
    "code": "case.erase",
    "fields": PARTS,
    "filters": ("schedule", "standard"),
    "entities": (),
    "links": (),
}
STATEMENT = Statement(
    id="a-made-up-id",
    organisation="Example Red Cross (made up)",
    erased_at="2026-03-04",
    final_on="2026-03-06",
    retention_class="standard",
    reason="schedule",
    compartments=PARTS,
    destruction="best effort",
)
KEY = VerifierKey(NAME, PUBLIC)


def made(statement=STATEMENT, **changes):
    """Return a certificate over an entry that was recorded like this."""
    values = ENTRY | changes
    leaves = [*some_leaves(4), encode_leaf(a_leaf(4, **values))]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    proof = Proof(4, inclusion_proof(4, 5, reader_of(hashes)), a_note(leaves), leaves[4])
    body = encode_body(a_body(**values))
    return certificate.make(statement, SALT, body, proof, KEY, PRIVATE.sign).encode()


def code_of(data, keys=(KEY,)):
    """Return why a certificate is not believed."""
    with pytest.raises(Tampered) as caught:
        certificate.check(data, keys, verify)
    return caught.value.code


def signed_anew(change):
    """Return a certificate that says something else, signed by the organisation itself."""
    found = json.loads(made())
    change(found)
    text = certificate._text({name: found[name] for name in ("certificate", "entry")})
    note = certificate.sign_note(text, KEY.name, KEY.public, PRIVATE.sign)
    found["signature"] = note[len(text) + 1 :].decode()
    return json.dumps(found).encode()


def test_a_certificate_is_checked_by_whoever_has_the_keys():
    """What it says, what was recorded, and where that stands in the log."""
    found = certificate.check(made(), [VerifierKey("elsewhere", OTHER_PUBLIC), KEY], verify)
    assert found.said["organisation"] == STATEMENT.organisation
    assert (found.body.code, found.index, found.head.size) == ("case.erase", 4, 5)
    hardware = replace(STATEMENT, destruction="destroyed in hardware")
    assert "token" in certificate.check(made(hardware), [KEY], verify).said["residual_risk"]


@pytest.mark.parametrize(
    "change",
    [
        {"code": "case.read"},
        {"outcome": 8},
        {"fields": ("identity",)},
        {"filters": ("request", "standard")},
        {"recorded": "2026-03-03T05:06:07.000008Z"},
    ],
)
def test_what_was_recorded_must_be_what_is_said(change):
    """Another act, one that failed, other parts, another reason, a day before."""
    assert code_of(made(**change)) == "ledger-certificate-entry"


def test_an_erasure_is_not_final_before_it_was_made():
    """And the words about what is left are ours alone."""
    assert code_of(made(replace(STATEMENT, final_on="2026-03-03"))) == "ledger-certificate-entry"
    for name, value in (("means", "Nothing."), ("residual_risk", "None."), ("format", "x")):
        changed = signed_anew(lambda found, n=name, v=value: found["certificate"].update({n: v}))
        assert code_of(changed) == "ledger-certificate-entry"


def test_other_keys_believe_nothing():
    """Nor is a changed text under the old signature believed."""
    assert code_of(made(), [VerifierKey(NAME, OTHER_PUBLIC)]) == "ledger-certificate-signature"
    changed = json.loads(made())
    changed["certificate"]["reason"] = "request"
    assert code_of(json.dumps(changed).encode()) == "ledger-certificate-signature"


def test_a_proof_of_another_log_is_found():
    """The organisation may sign what it likes: the log's key must have signed the head."""

    def elsewhere(found):
        found["entry"]["proof"] = found["entry"]["proof"].replace(NAME, NAME + "x")

    assert code_of(signed_anew(elsewhere)).startswith("ledger-")


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["entry"].update(salt="no base64!"),
        lambda found: found["entry"].update(salt=base64.b64encode(bytes(32)).decode()),
        lambda found: found["entry"].update(body="{}"),
        lambda found: found["entry"].update(proof="none"),
        lambda found: found["entry"].update(proof=7),
        lambda found: found["entry"].pop("proof"),
    ],
)
def test_an_entry_that_does_not_open_is_found(change):
    """Salt, body and proof belong together."""
    assert code_of(signed_anew(change)).startswith("ledger-")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"certificate": 1, "entry": {}, "signature": ""}',
        b'{"certificate": {}, "entry": 1, "signature": ""}',
        b'{"certificate": {}, "entry": {}, "signature": 7}',
        b" " * (certificate.MAX_BYTES + 1),
    ],
)
def test_what_is_no_certificate_is_tampered(data):
    """Whatever it is."""
    assert code_of(data).startswith("ledger-certificate")
