"""Entries with their proofs: what is written, what is checked, what a changed line is called."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from uuid import UUID

import pytest
from fhir.resources.auditevent import AuditEvent
from fhir.resources.bundle import Bundle

from casevault.crypto.principals import PrincipalSecret, is_raw_signature
from casevault.errors import Tampered
from casevault.ledger import evidence, fhir
from casevault.ledger.codes import CODES
from casevault.ledger.entry import Body, Entity, encode_body, encode_leaf, make_leaf
from casevault.ledger.evidence import LOG_SPAN, Evidence
from casevault.ledger.note import Checkpoint, sign_note
from casevault.ledger.proof import Proof, encode_proof
from casevault.ledger.tree import Frontier, leaf_hash

ORIGIN = "example.org/log"
SECRET = PrincipalSecret.generate()
KEY = (ORIGIN, SECRET.public.sign, is_raw_signature)
SALT = bytes(range(32))
PLAIN = Body(recorded="2026-11-20T10:00:00.000000Z", code="system.day")
FULL = Body(
    recorded="2026-11-20T10:00:00.123456Z",
    code="case.read",
    actor="-actor_pseudonym_01",
    roles=("caseworker",),
    session="session_pseudonym_1",
    assurance="second_factor",
    purpose="treatment",
    outcome=4,
    rule="deny:no-grant",
    entities=(Entity("case", "case_pseudonym_0001", (("identity", 3),)),),
    fields=("identity.phones",),
    filters=("case",),
    count=0,
    size=7,
    request="0" * 32,
    links=(("digest", "ab"),),
)


def evident(body, actor=None, log=0):
    """Return an entry in a log of two, with its proof."""
    leaf = encode_leaf(make_leaf(body, SALT, writer="w" * 22, counter=0, key_month="2026-11"))
    other = leaf_hash(b"another")
    root = Frontier().extend([other, leaf_hash(leaf)]).root()
    text = Checkpoint(ORIGIN, 2, root).encode()
    note = sign_note(text, ORIGIN, SECRET.public.sign, SECRET.sign_raw)
    proof = encode_proof(Proof(1, (other,), note))
    data = encode_body(body)
    return Evidence(UUID(int=7), log * LOG_SPAN + 1, leaf, SALT, data, body, actor, proof)


@pytest.mark.parametrize("body", [PLAIN, FULL])
@pytest.mark.parametrize("log", [0, 3])
def test_a_line_proves_itself(body, log):
    """Also of a later log of the same store, whose positions go on."""
    line = evidence.json_line(evident(body, log=log))
    found, head = evidence.check_line(line, *KEY)
    assert (found, head.size) == (body, 2)


def test_every_changed_character_of_a_line_is_found():
    """But for the colleague's id, which is the auditor's word, and the entry's own number."""
    line = evidence.json_line(evident(FULL))
    plain = json.loads(line)
    for name in ("leaf", "salt", "body", "proof", "position"):
        value = str(plain[name])
        for at in range(len(value)):
            # The last character of a salt has bits that stand for nothing.
            other = "1" if value[at] != "1" else "2"
            changed = value[:at] + other + value[at + 1 :]
            wrong = {**plain, name: int(changed) if name == "position" else changed}
            with pytest.raises(Tampered):
                evidence.check_line(json.dumps(wrong).encode(), *KEY)


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 9_999, b'{"a":1}'])
def test_what_is_no_line_is_one_clean_error(line):
    """Whatever it is."""
    with pytest.raises(Tampered):
        evidence.check_line(line, *KEY)


@pytest.mark.parametrize("name", ["leaf", "salt", "body", "proof", "position"])
def test_a_wrong_type_is_one_clean_error(name):
    """A number, a list or nothing where a text should be."""
    plain = json.loads(evidence.json_line(evident(FULL)))
    for value in (7.5, [], None, {}, "é", True):
        with pytest.raises(Tampered):
            evidence.check_line(json.dumps({**plain, name: value}).encode(), *KEY)


def test_the_first_bad_line_is_named():
    """Counted from 0; an empty file is a file of nothing."""
    line = evidence.json_line(evident(PLAIN))
    assert evidence.check_lines(io.BytesIO(line * 2), *KEY)[0] == 2
    assert evidence.check_lines(io.BytesIO(b""), *KEY) == (0, frozenset())
    with pytest.raises(Tampered) as caught:
        evidence.check_lines(io.BytesIO(line + b"spoilt\n"), *KEY)
    assert caught.value.errors[0].pointer == "/1"


def test_lines_of_a_closed_log_take_its_key_too():
    """Named or not: no key but those that were given is believed."""
    line = evidence.json_line(evident(PLAIN))
    content = line * 2
    key = ("example.org/next", PrincipalSecret.generate().public.sign, is_raw_signature)
    assert evidence.check_lines(io.BytesIO(content), *key, older=[KEY[:2]])[0] == 2
    for older in ([], [(ORIGIN, key[1])], [(key[0], KEY[1])]):
        with pytest.raises(Tampered):
            evidence.check_lines(io.BytesIO(content), *key, older=older)


def test_a_row_has_a_cell_for_every_column():
    """Of an empty body too; a pseudonym that begins like a formula is made a text."""
    for body in (PLAIN, FULL):
        row = evidence.csv_line(evident(body, UUID(int=9))).decode()
        assert row.endswith("\r\n")
        assert "'-actor_pseudonym_01" in row or body is PLAIN
    assert evidence.csv_head().startswith(b"\xef\xbb\xbfposition,recorded,")


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_a_valid_event(code):
    """Whatever is recorded can leave as FHIR."""
    body = replace(FULL if not code.startswith("system") else PLAIN, code=code)
    event = AuditEvent.model_validate(fhir.event(evident(body), ORIGIN))
    assert event.code.coding[0].code == code


@pytest.mark.parametrize("purpose", ["", "treatment", "emergency", "operations", "something"])
@pytest.mark.parametrize("outcome", [0, 4, 8, 12])
def test_outcomes_and_purposes_have_their_codes(purpose, outcome):
    """Those of FHIR where it has them, our own where not, none where there is none."""
    body = replace(FULL, purpose=purpose, outcome=outcome, rule="")
    event = AuditEvent.model_validate(fhir.event(evident(body, UUID(int=9)), ORIGIN))
    assert event.outcome.code.code == str(outcome)
    assert (event.authorization is None) == (purpose == "")
    assert event.agent[0].who.identifier.value == f"urn:uuid:{UUID(int=9)}"


def test_a_bundle_is_made_of_pieces():
    """None, one or more entries between head and tail."""
    for number in (0, 1, 3):
        pieces = [fhir.head("2026-11-20T10:00:00Z")]
        pieces += [fhir.entry(evident(FULL), ORIGIN, first=n == 0) for n in range(number)]
        bundle = Bundle.model_validate_json(b"".join([*pieces, fhir.TAIL]))
        assert len(bundle.entry or []) == number
