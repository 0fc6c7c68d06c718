"""Entries as FHIR R5 AuditEvent resources in one Bundle (type ``collection``).

Source: HL7 FHIR R5, resource AuditEvent. References are logical (identifiers): there is no FHIR
server behind them. Leaf, salt, body and proof ride along as extensions, so that the bundle proves
as much as the other formats. The bundle is written in pieces and never held as a whole.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from casevault.ledger.codes import CODES
from casevault.ledger.entry import Entity
from casevault.ledger.evidence import Evidence

MEDIA_TYPE: Final = "application/fhir+json"
TAIL: Final = b"\n]}\n"
_BASE: Final = "urn:casevault:ledger:"
_OUTCOMES: Final = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"
_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_PURPOSES: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_OUTCOME_WORDS: Final[Mapping[int, str]] = {
    0: "Success",
    4: "Minor failure",
    8: "Serious failure",
    12: "Major failure",
}
# v3 ActReason, for our purposes of use.
_PURPOSE_CODES: Final[Mapping[str, str]] = {
    "treatment": "TREAT",
    "emergency": "ETREAT",
    "operations": "HOPERAT",
}
# Codes of AuditEvent.action: create, read, update, delete, execute.
_ACTIONS: Final[Mapping[str, str]] = {
    "read": "R",
    "list": "R",
    "query": "R",
    "timeline": "R",
    "add": "C",
    "open": "C",
    "amend": "U",
    "redact": "U",
    "erase": "D",
    "delete": "D",
}


def head(moment: str) -> bytes:
    """Return how a bundle begins; `moment` is the time of the export (RFC 3339)."""
    found = {"resourceType": "Bundle", "type": "collection", "timestamp": moment}
    return json.dumps(found, separators=(",", ":"))[:-1].encode() + b',"entry":[\n'


def entry(one: Evidence, origin: str, *, first: bool) -> bytes:
    """Return the next entry of a bundle."""
    found = {"fullUrl": f"urn:uuid:{one.entry_id}", "resource": event(one, origin)}
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    return (b"" if first else b",\n") + text.encode()


def event(one: Evidence, origin: str) -> dict[str, Any]:
    """Return an entry as an AuditEvent; `origin` names the log."""
    body = one.body
    found: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": str(one.entry_id),
        "extension": _extensions(one),
        "category": [_concept(_TYPES, CODES[body.code])],
        "code": _concept(_BASE + "code", body.code),
        "action": _ACTIONS.get(body.code.rpartition(".")[2], "E"),
        "recorded": body.recorded,
        "outcome": _outcome(one),
        "agent": [_agent(one)],
        "source": {"observer": _reference("writer", json.loads(one.leaf)["w"], origin)},
    }
    if body.purpose:
        code = _PURPOSE_CODES.get(body.purpose)
        where = _BASE + "purpose" if code is None else _PURPOSES
        found["authorization"] = [_concept(where, code or body.purpose)]
    details = _details(one)
    entities = [_entity(entity) for entity in body.entities]
    if details:
        entities.append({"what": _reference("entry", str(one.entry_id), origin), "detail": details})
    if entities:
        found["entity"] = entities
    return found


def _extensions(one: Evidence) -> list[dict[str, Any]]:
    files = {"leaf": one.leaf, "salt": one.salt, "body": one.body_bytes, "proof": one.proof}
    return [
        {"url": _BASE + name, "valueBase64Binary": base64.b64encode(data).decode("ascii")}
        for name, data in files.items()
    ]


def _outcome(one: Evidence) -> dict[str, Any]:
    outcome = one.body.outcome
    found: dict[str, Any] = {
        "code": {
            "system": _OUTCOMES,
            "code": str(outcome),
            "display": _OUTCOME_WORDS[outcome],
        }
    }
    return found | ({"detail": [{"text": one.body.rule}]} if one.body.rule else {})


def _agent(one: Evidence) -> dict[str, Any]:
    body = one.body
    name = body.actor or "service"
    who: dict[str, Any] = {"identifier": {"system": _BASE + "actor", "value": name}}
    if one.actor_id is not None:
        who = {"identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{one.actor_id}"}}
    found: dict[str, Any] = {"who": who, "requestor": body.actor is not None}
    if body.roles:
        found["role"] = [_concept(_BASE + "role", role) for role in body.roles]
    if body.session is not None:
        found["networkString"] = "session:" + body.session
    return found


def _entity(entity: Entity) -> dict[str, Any]:
    found: dict[str, Any] = {
        "what": {
            "identifier": {"system": _BASE + "record", "value": entity.record},
            "display": entity.type,
        }
    }
    versions = [_detail("version:" + name, str(number)) for name, number in entity.versions]
    return found | ({"detail": versions} if versions else {})


def _details(one: Evidence) -> list[dict[str, Any]]:
    body = one.body
    found = [_detail("field", name) for name in body.fields]
    found += [_detail("filter", name) for name in body.filters]
    found += [_detail("link:" + kind, target) for kind, target in body.links]
    for name in ("count", "size", "request", "assurance"):
        value = getattr(body, name)
        if value not in (None, ""):
            found.append(_detail(name, str(value)))
    return found


def _detail(kind: str, value: str) -> dict[str, Any]:
    return {"type": {"text": kind}, "valueString": value}


def _reference(kind: str, value: str, origin: str) -> dict[str, Any]:
    return {"identifier": {"system": _BASE + kind, "value": value}, "display": origin}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}
